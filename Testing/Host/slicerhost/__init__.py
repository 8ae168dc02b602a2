"""Stand-in for the Slicer application in tests, made from slicer-core and PySide6."""
