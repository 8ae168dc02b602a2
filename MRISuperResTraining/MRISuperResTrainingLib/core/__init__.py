"""Training without Slicer: prepared slices, the stages, evaluation, export."""
