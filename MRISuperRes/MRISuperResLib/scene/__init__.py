"""Tasks and nodes of the MRML scene; needs Slicer and VTK, but no Qt."""
