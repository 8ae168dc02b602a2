"""Between the scene and the training: volumes to learn from, settings, curves and samples. Knows Slicer, but not Qt."""
