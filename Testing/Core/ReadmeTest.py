"""The README's figures are those of the model cards, and none of its examples goes untested."""

import ast
import json
import re
import unittest

from MRISuperResLib.core.models.store import SHIPPED, ModelStore
from readme_examples import PROJECT, README, blocks, is_shell, text

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "bicubic+bp")


def mean(scores):
    return f"{sum(each['psnr'] for each in scores) / len(scores):.2f}"


class FiguresTest(unittest.TestCase):
    def test_the_table_of_models_holds_the_mean_figures_of_their_cards(self):
        rows = re.findall(
            r"^\| `([\w.-]+)` \| (\w+), (\d+) volumes \|(.+)\|$",
            README.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        expected = []
        for card in ModelStore([SHIPPED]).cards():
            for anatomy in sorted({m["anatomy"] for m in card.metrics}):
                volumes = [m for m in card.metrics if m["anatomy"] == anatomy]
                figures = [mean([m["baselines"][name] for m in volumes]) for name in INTERPOLATIONS]
                expected.append((card.name, anatomy, str(len(volumes)), [*figures, mean(volumes)]))
        self.assertTrue(expected)
        self.assertEqual(
            [(*row[:3], [cell.strip() for cell in row[3].split("|")]) for row in rows], expected
        )


class ExamplesTest(unittest.TestCase):
    """Those of the command lines run in Cli/ReadmeCommandsTest.py and Training/ReadmeTrainingTest.py, those of the console in Widgets/ReadmeConsoleTest.py."""

    def test_every_example_is_of_a_kind_that_a_test_runs(self):
        self.assertGreater(len(blocks()), 8)
        for block in blocks():
            with self.subTest(block[0]):
                if is_shell(block):
                    for line in block:
                        self.assertRegex(
                            line,
                            r"^(python -m MRISuperRes(Training)?Lib|cmake --workflow --preset) \w+",
                        )
                else:
                    self.assertIn("Logic()", "".join(block))
                    ast.parse("\n".join(block))

    def test_the_workflows_that_are_named_exist(self):
        presets = json.loads((PROJECT / "CMakePresets.json").read_text(encoding="utf-8"))
        named = set(re.findall(r"cmake --workflow --preset (\w+)", text()))
        self.assertTrue(named)
        self.assertLessEqual(named, {preset["name"] for preset in presets["workflowPresets"]})


if __name__ == "__main__":
    unittest.main()
