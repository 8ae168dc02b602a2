"""Shared by the tests of compare and audit: a volume, and what the core computes from it."""

import csv
import sys
from pathlib import Path

from made_files import FolderTest, grid, run
from MRISuperResLib.core.comparison.compare import compare_methods
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.io.formats import read_volume, write_volume
from MRISuperResLib.core.volume import Volume

sys.path.append(str(Path(__file__).resolve().parents[1] / "Core"))
from made_bodies import body

METHODS = ("nearest", "bicubic", "bicubic+bp")


class CompareTest(FolderTest):
    """Test with a volume on which methods are compared."""

    def setUp(self):
        super().setUp()
        self.input, self.out = self.folder / "in.nrrd", self.folder / "comparison"
        write_volume(
            self.input,
            Volume(
                body((4, 72, 88)),
                grid(angles=(5, 0, 20)),
                provenance={"software": "MRISuperRes test"},
            ),
        )
        (self.folder / "in.nrrd.json").unlink()

    def compare(self, *words, out=None, methods=METHODS):
        code, text, err = run(
            "compare", self.input, "--out", out or self.out, "--methods", ",".join(methods), *words
        )
        self.assertEqual(code, 0, err)
        return text

    def expected(self, **settings):
        """Return the core's comparison of METHODS on the input."""
        return compare_methods(read_volume(self.input), ComparisonOptions(METHODS, **settings))

    def table(self, name):
        with open(self.out / name, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
