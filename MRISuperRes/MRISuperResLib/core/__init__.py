"""The method itself: numpy arrays in, numpy arrays out. Knows nothing of Slicer, VTK or Qt."""
