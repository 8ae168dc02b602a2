"""The training commands of the documentation work, in their order."""

import json
import os
import re
import shutil
import sys
import unittest
from pathlib import Path
from unittest import mock

import made_volumes
from made_runs import TINY, RunTest
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
        Path("settings.json").write_text(json.dumps(TINY))

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
