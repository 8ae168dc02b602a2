"""Pictures of widgets, and the real test data."""

import os
import tempfile
import unittest
from pathlib import Path

from .waiting import process_events

PROJECT = Path(__file__).resolve().parents[2]


def screenshot(widget, name, size=None):
    """Save a picture of a Qt widget, or a module's Python widget, as NAME.png; return the path."""
    widget = getattr(widget, "parent", widget) if not hasattr(widget, "grab") else widget
    if size is not None:
        widget.resize(*size)
    widget.show()
    process_events()
    folder = screenshot_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    if not widget.grab().save(str(path)):
        raise OSError(f"cannot write {path}")
    return path


def gray_values(widget):
    """Return the gray values of a widget as shown, (height, width).

    They go through a file, because PythonQt has no access to the pixels of a QImage.
    """
    import qt
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    image = widget.grab().toImage().convertToFormat(qt.QImage.Format_Grayscale8)
    with tempfile.TemporaryDirectory() as folder:
        reader = vtk.vtkPNGReader()
        reader.SetFileName(str(Path(folder, "widget.png")))
        if not image.save(reader.GetFileName()):
            raise OSError(f"cannot write {reader.GetFileName()}")
        reader.Update()
    pixels = reader.GetOutput()
    width, height, _ = pixels.GetDimensions()
    return vtk_to_numpy(pixels.GetPointData().GetScalars()).reshape(height, width)[::-1]


def screenshot_folder():
    """Return $MRISUPERRES_SCREENSHOTS, or build/screenshots of the project."""
    return Path(os.environ.get("MRISUPERRES_SCREENSHOTS", PROJECT / "build" / "screenshots"))


def real_data(*parts):
    """Return a path of the real test data; skip the test if it is missing.

    The folder is $MRISUPERRES_TEST_DATA, or shared/data beside the project.
    """
    default = PROJECT.parent / "shared" / "data"
    path = Path(os.environ.get("MRISUPERRES_TEST_DATA", default)).joinpath(*parts)
    if not path.exists():
        raise unittest.SkipTest(f"test data is missing: {path}")
    return path
