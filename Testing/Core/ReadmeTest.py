"""Figures and examples of README and documentation."""

import ast
import contextlib
import io
import json
import os
import re
import tempfile
import unittest
from unittest import mock

import numpy as np

from made_bodies import body
from made_models import THROUGH_PLANE, write_model
from MRISuperResLib.core.models.store import FOLDERS_VARIABLE, SHIPPED, ModelStore
from MRISuperResLib.core.volume import Frames, Volume
from readme_examples import (
    PROJECT,
    README,
    blocks,
    is_list,
    is_python,
    is_shell,
    python_examples,
    text,
)


def mean(scores):
    return f"{sum(each['psnr'] for each in scores) / len(scores):.2f}"


class FiguresTest(unittest.TestCase):
    def test_the_model_table_shows_the_means_of_the_model_cards(self):
        rows = re.findall(
            r"^\| `([\w.-]+)` \| (\w+), (\d+) volumes \|(.+)\|$",
            README.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        expected = []
        for card in ModelStore([SHIPPED]).cards():
            for anatomy in sorted({m["anatomy"] for m in card.metrics}):
                volumes = [m for m in card.metrics if m["anatomy"] == anatomy]
                baselines = [
                    mean([m["baselines"][name] for m in volumes])
                    for name in card.metrics[0]["baselines"]
                ]
                expected.append(
                    (card.name, anatomy, str(len(volumes)), [*baselines, mean(volumes)])
                )
        self.assertTrue(expected)
        self.assertEqual(
            [(*row[:3], [cell.strip() for cell in row[3].split("|")]) for row in rows], expected
        )


class ExamplesTest(unittest.TestCase):
    """Kinds of examples; those that need more than the core run elsewhere.

    Commands run in Cli/ReadmeCommandsTest.py and Training/ReadmeTrainingTest.py, examples for
    Slicer's console in Widgets/ReadmeConsoleTest.py and
    TrainingWidgets/ReadmeTrainingConsoleTest.py.
    """

    def test_every_example_is_of_a_kind_that_tests_run(self):
        self.assertGreater(len(blocks()), 8)
        for block in blocks():
            with self.subTest(block[0]):
                if is_shell(block):
                    for line in block:
                        self.assertRegex(
                            line, r"^(mrisuperres(-train)?|cmake --workflow --preset) \w+"
                        )
                elif is_python(block):
                    ast.parse("\n".join(block))
                elif is_list(block):
                    self.assertGreater(len(block), 1)  # Training/ReadmeTrainingTest.py reads it
                else:
                    self.assertIn("Logic()", "".join(block))
                    ast.parse("\n".join(block))

    def test_named_workflows_exist(self):
        presets = json.loads((PROJECT / "CMakePresets.json").read_text(encoding="utf-8"))
        named = set(re.findall(r"cmake --workflow --preset (\w+)", text()))
        self.assertTrue(named)
        self.assertLessEqual(named, {preset["name"] for preset in presets["workflowPresets"]})


class PythonExamplesTest(unittest.TestCase):
    def test_every_python_example_runs(self):
        self.assertGreater(len(python_examples()), 3)
        for example in python_examples():
            with self.subTest(example), tempfile.TemporaryDirectory() as folder:
                with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
                    volume = Volume(body((3, 64, 72)), np.diag([1.0, 1.0, 3.0, 1.0]))
                    volume.save("in.nii.gz")
                    Frames(2, lambda number, volume=volume: volume).save("fmri.nii.gz")
                    write_model(".", "mine-between", 8, architecture=THROUGH_PLANE)
                    with mock.patch.dict(os.environ, {FOLDERS_VARIABLE: "."}):
                        exec(example, {})


if __name__ == "__main__":
    unittest.main()
