"""Nodes of the training panel: volumes, settings, curves and samples. Uses Slicer, not Qt."""
