"""Panels open without the packages of the worker, whose import takes seconds."""

import sys
import unittest
from pathlib import Path

import slicer
from panel_testing import leave_module, open_module

sys.path.append(str(Path(__file__).resolve().parents[1] / "Widgets"))
from module_helpers import make_volume, show_panel

HEAVY = {"torch", "safetensors", "accelerate", "nibabel", "matplotlib", "spandrel", "pyiqa"}


class FirstPaintTest(unittest.TestCase):
    def test_panels_import_no_packages_of_the_worker(self):
        slicer.mrmlScene.Clear(0)
        make_volume()
        for module in ("MRISuperRes", "MRISuperResTraining"):
            with self.subTest(module):
                widget = open_module(module)
                show_panel(widget)
                self.assertFalse(widget.parent.grab().isNull())
                self.assertEqual(HEAVY & set(sys.modules), set())
        leave_module()


if __name__ == "__main__":
    unittest.main()
