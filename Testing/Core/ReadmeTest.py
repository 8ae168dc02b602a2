"""The README's figures are those of the model cards."""

import re
import unittest
from pathlib import Path

from MRISuperResLib.core.models import SHIPPED, ModelStore

README = Path(__file__).resolve().parents[2] / "README.md"
BASELINES = ("nearest", "bilinear", "bicubic", "bicubic+bp")


def mean(scores):
    return f"{sum(each['psnr'] for each in scores) / len(scores):.2f}"


class ReadmeTest(unittest.TestCase):
    def test_the_table_of_models_holds_the_mean_figures_of_their_cards(self):
        rows = re.findall(r"^\| `([\w.-]+)` \| (\w+), (\d+) volumes \|(.+)\|$", README.read_text(encoding="utf-8"), re.MULTILINE)
        expected = []
        for card in ModelStore([SHIPPED]).cards():
            for anatomy in sorted({m["anatomy"] for m in card.metrics}):
                volumes = [m for m in card.metrics if m["anatomy"] == anatomy]
                figures = [mean([m["baselines"][name] for m in volumes]) for name in BASELINES]
                expected.append((card.name, anatomy, str(len(volumes)), [*figures, mean(volumes)]))
        self.assertTrue(expected)
        self.assertEqual([(*row[:3], [cell.strip() for cell in row[3].split("|")]) for row in rows], expected)


if __name__ == "__main__":
    unittest.main()
