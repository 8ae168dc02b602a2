"""The training commands of the documentation work, in their order."""

import csv
import json
import os
import re
import shutil
import sys
import unittest
from pathlib import Path
from unittest import mock

import made_volumes
import numpy as np
from made_runs import TINY, RunTest
from MRISuperResLib.core import resampling
from MRISuperResLib.core.geometry import upsampled_ijk_to_ras
from MRISuperResTrainingLib.__main__ import main
from MRISuperResTrainingLib.cli.parser import parse
from MRISuperResTrainingLib.cli.commands import settings_of

sys.path.append(str(Path(__file__).resolve().parents[1] / "Core"))
from readme_examples import commands, text


class ReadmeTrainingTest(RunTest):
    """/data is a folder of the test, and the runs are small."""

    def setUp(self):
        super().setUp()
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.folder)
        self.enterContext(
            mock.patch.dict(os.environ, {"MRISUPERRES_CACHE": str(self.folder / "cache")})
        )
        for seed, name in enumerate(("study/sub-01", "study/sub-02", "test/sub-03")):
            made_volumes.write(self.folder / "data" / f"{name}.nii.gz", made_volumes.tissue(seed))
        self.write_pairs()
        Path("settings.json").write_text(json.dumps(TINY))

    def write_pairs(self):
        """Write the list of own pairs in the documentation, and its files."""
        lines = re.search(r"(?m)^ +path,low.*\n(?: +\S.*\n)+", text())[0].split()
        Path("pairs.csv").write_text("\n".join(lines))
        for seed, row in enumerate(csv.DictReader(lines)):
            high = made_volumes.tissue(seed)
            made_volumes.write(row["path"], high)
            if row["low"]:
                low = [resampling.degrade(image.astype(float), 2) for image in high]
                made_volumes.write(
                    row["low"],
                    np.array(low),
                    upsampled_ijk_to_ras(made_volumes.grid(), (0.5, 0.5, 1)),
                )

    def test_every_command_makes_its_output(self):
        examples = list(dict.fromkeys(map(tuple, commands("mrisuperres-train"))))
        self.assertGreater(len(examples), 4)
        for words in examples:
            with self.subTest(" ".join(words)):
                words = [word.replace("/data/", f"{self.folder}/data/") for word in words] + (
                    ["--settings", "settings.json"] if words[0] == "train" else []
                )
                parsed = parse(words)
                output = Path(
                    getattr(parsed, "out", None) or getattr(parsed, "to", None) or parsed.run
                )
                if parsed.command == "evaluate":
                    shutil.rmtree(output, ignore_errors=True)  # of an example before
                self.assertEqual(main(words), 0)
                self.assertTrue(output.exists())
        run = json.loads(Path("runs/pairs/run.json").read_text())
        self.assertEqual((run["unusable"], len(run["volumes"])), ([], 3))

    def test_every_named_setting_exists(self):
        examples = re.findall(r"`--set ([^`…]+)`", text())
        self.assertGreater(len(examples), 2)
        for changes in examples:
            with self.subTest(changes):
                settings_of(
                    parse(
                        [
                            "train",
                            "data",
                            "--preset",
                            "thesis",
                            "--scale",
                            "2",
                            "--run",
                            "r",
                            "--set",
                            *changes.split(),
                        ]
                    )
                )


if __name__ == "__main__":
    unittest.main()
