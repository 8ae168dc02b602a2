"""Core library: numpy arrays in and out, without Slicer, VTK or Qt."""
