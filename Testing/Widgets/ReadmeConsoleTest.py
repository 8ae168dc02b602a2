"""The examples of the README for Slicer's Python console, in one console, in their order."""

import sys
import unittest
from pathlib import Path

import slicer
from module_helpers import make_volume
from sequence_helpers import make_sequence

sys.path.append(str(Path(__file__).resolve().parents[1] / "Core"))
from readme_examples import console_examples


class ReadmeConsoleTest(unittest.TestCase):
    def test_upsampling_and_comparing(self):
        slicer.mrmlScene.Clear(0)
        make_volume(name="T2", size=(48, 56, 3))
        make_sequence(name="Cine")
        console = {"slicer": slicer}
        for example in console_examples("MRISuperResLogic"):
            with self.subTest(example):
                exec(example, console)
        self.addCleanup(console["MRISuperResLogic"]().worker.cleanup)
        self.assertEqual(console["output"].GetImageData().GetDimensions(), (96, 112, 3))
        self.assertEqual(console["frames"].GetNumberOfDataNodes(), 3)
        self.assertGreater(console["nodes"].table.mean("bicubic", "psnr"), 0)


if __name__ == "__main__":
    unittest.main()
