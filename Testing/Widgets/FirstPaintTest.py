"""The panels come up without what only the worker needs: importing PyTorch alone would take longer than all of a panel."""

import sys
import unittest

import slicer
from module_helpers import make_volume, show_panel
from slicerhost.testing import leave_module, open_module

HEAVY = {"torch", "safetensors", "accelerate", "nibabel", "matplotlib", "spandrel", "pyiqa"}


class FirstPaintTest(unittest.TestCase):
    def test_no_panel_imports_what_only_the_worker_needs(self):
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
