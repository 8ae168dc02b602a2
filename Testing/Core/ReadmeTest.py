"""The README's figures are those of the model cards."""

import re
import unittest
from pathlib import Path

from MRISuperResLib.core.models import SHIPPED, ModelStore

README = Path(__file__).resolve().parents[2] / "README.md"


class ReadmeTest(unittest.TestCase):
    def test_the_table_of_models_holds_the_figures_of_their_cards(self):
        rows = re.findall(r"^\| `([\w.-]+)` \| (\w+) \|(.+)\|$", README.read_text(encoding="utf-8"), re.MULTILINE)
        expected = []
        for card in ModelStore([SHIPPED]).cards():
            for m in card.metrics:
                figures = (m["nearest_psnr"], m["bilinear_psnr"], m["bicubic_psnr"], m["psnr"])
                expected.append((card.name, m["data"], [f"{value:.2f}" for value in figures]))
        self.assertTrue(expected)
        self.assertEqual([(name, data, [cell.strip() for cell in cells.split("|")]) for name, data, cells in rows], expected)


if __name__ == "__main__":
    unittest.main()
