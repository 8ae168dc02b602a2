"""A stand-in of the Slicer application for tests: slicer-core and PySide6, dressed as Slicer's Python sees them."""
