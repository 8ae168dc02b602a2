"""The command line of the training."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

from made_runs import RunTest, settings
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResTrainingLib import cli
from MRISuperResTrainingLib.__main__ import main
from MRISuperResTrainingLib.cli.parser import parse
from MRISuperResTrainingLib.cli.commands import settings_of
from MRISuperResTrainingLib.runs.folder import RunFolder
from MRISuperResTrainingLib.options.presets import preset
from MRISuperResTrainingLib.training import trainer

sys.path.append(str(Path(__file__).resolve().parents[1] / "Cli"))
import made_files

FAST = Path(cli.__file__).resolve().parents[2] / "Recipes" / "fast.json"


run = functools.partial(made_files.run, program=main)


class SettingsTest(RunTest):
    def settings(self, *words):
        return settings_of(parse(["train", *map(str, words), "--run", "r"]))[1]

    def write(self, values):
        (self.folder / "settings.json").write_text(json.dumps(values))
        return self.folder / "settings.json"

    def test_a_preset_gives_the_settings(self):
        self.assertEqual(
            self.settings("data", "--preset", "thesis", "--scale", 8), preset("thesis", 8)
        )

    def test_the_network_between_slices_needs_no_scale(self):
        expected = preset("through-plane")
        self.assertEqual(self.settings("data", "--preset", "through-plane"), expected)
        with self.assertRaisesRegex(SuperResolutionError, "set “scale” to 8, not 4"):
            self.settings("data", "--preset", "through-plane", "--scale", 4)

    def test_single_settings_replace_those_of_the_preset(self):
        found = self.settings(
            "data",
            "--preset",
            "quick",
            "--scale",
            2,
            "--set",
            "psnr.steps=7",
            "data.degradation=kspace",
            "data.flips=false",
            "gan=null",
        )
        self.assertEqual(
            found,
            preset(
                "quick",
                2,
                psnr={"steps": 7},
                data={"degradation": "kspace", "flips": False},
                gan=None,
            ),
        )

    def test_a_file_replaces_the_preset_and_single_settings_replace_the_file(self):
        file = self.write({"seed": 5, "psnr": {"steps": 9}})
        found = self.settings(
            "data", "--preset", "quick", "--scale", 2, "--settings", file, "--set", "seed=6"
        )
        self.assertEqual(found, preset("quick", 2, seed=6, psnr={"steps": 9}))

    def test_a_file_may_hold_all_settings(self):
        self.assertEqual(
            self.settings("data", "--settings", self.write(settings(scale=4).to_dict())),
            settings(scale=4),
        )

    def test_a_recipe_includes_its_settings(self):
        recipe, found = settings_of(
            parse(["train", str(FAST), "--scale", "4", "--run", "r", "--set", "psnr.steps=100"])
        )
        self.assertEqual(
            (recipe.made_for, found.generator["network"], found.scale, found.psnr.steps),
            ("cpu", "compact", 4, 100),
        )

    def test_the_run_to_start_from_becomes_an_absolute_path_and_a_model_keeps_its_name(self):
        for given, expected in (
            ("runs/other", os.path.abspath("runs/other")),
            (".", os.path.abspath(".")),
            ("fast-x2-psnr", "fast-x2-psnr"),
        ):
            found = self.settings("data", "--preset", "quick", "--scale", 2, "--start-from", given)
            self.assertEqual(found.start_from, expected)

    def test_invalid_settings_give_one_line(self):
        for pattern, words in (
            ("No scale: add --scale", ["--preset", "quick"]),
            ("No settings: add --preset", ["--scale", 2]),
            (
                "Invalid setting “seed”: give NAME=VALUE",
                ["--preset", "quick", "--scale", 2, "--set", "seed"],
            ),
            ("Unknown setting “sed”", ["--preset", "quick", "--scale", 2, "--set", "sed=1"]),
            (
                "“steps” must be a whole number",
                ["--preset", "quick", "--scale", 2, "--set", "gan.steps=few"],
            ),
            (
                "Cannot read settings from .*none.json",
                ["--scale", 2, "--settings", self.folder / "none.json"],
            ),
            (
                "Cannot read settings .*not a JSON object",
                ["--scale", 2, "--settings", self.write([1])],
            ),
            ("invalid choice: 'fast'", ["--preset", "fast", "--scale", 2]),
            ("No such file or folder: .*nowhere", ["--preset", "quick", "--scale", 2]),
        ):
            with self.subTest(pattern):
                code, out, err = run(
                    "train", self.folder / "nowhere", "--run", self.folder / "run", *words
                )
                self.assertEqual((code, out), (2, ""))
                self.assertRegex(err, f"^error: .*{pattern}")
                self.assertEqual(err.count("\n"), 1)
                self.assertFalse((self.folder / "run").exists())


class CommandsTest(RunTest):
    def setUp(self):
        super().setUp()
        self.volumes()
        self.file = self.folder / "settings.json"
        self.file.write_text(json.dumps(settings().to_dict()))

    def words(self, run="run", *further):
        return [
            "train",
            self.folder / "data",
            "--settings",
            self.file,
            "--run",
            self.folder / run,
            "--cache",
            self.folder / "cache",
            *further,
        ]

    def test_train_resume_and_export(self):
        code, out, err = run(*self.words())
        self.assertEqual(code, 0, err)
        self.assertIn(str(self.folder / "run" / "models"), out)
        for said in (
            "Started: ",
            "psnr 20/20: content",
            "best by psnr so far",
            "gan 4/4: content",
            "best by contrast so far",
        ):
            self.assertIn(said, err)
        code, out, err = run("resume", self.folder / "run")
        self.assertEqual(code, 0, err)
        code, out, err = run(
            "export", self.folder / "run", "--name", "tiny", "--to", self.folder / "models"
        )
        self.assertEqual(code, 0, err)
        self.assertRegex(out, r"tiny-psnr\n(.*\n)+\ntiny-gan\n(.*\n)+")
        self.assertEqual(
            sorted(path.name for path in (self.folder / "models").iterdir()),
            ["tiny-gan.json", "tiny-gan.safetensors", "tiny-psnr.json", "tiny-psnr.safetensors"],
        )

    def test_a_recipe_is_trained_with_its_data_from_another_folder(self):
        values = json.loads(FAST.read_text())
        values["settings"] |= {
            "generator": settings().generator,
            "psnr": {"steps": 12},
            "gan": None,
            "batch": 2,
        }
        values["scales"]["2"] = {"data": {"patch": 16}}
        recipe = self.folder / "recipes" / "tiny.json"
        recipe.parent.mkdir()
        recipe.write_text(json.dumps(values))
        (recipe.parent / "data.tsv").write_text(
            "path\tsubject\tuse\ndata/a.nii.gz\ta\ttrain\ndata/b.nii.gz\tb\ttest\n"
        )
        code, _, err = run(
            "train",
            recipe,
            "--data",
            self.folder,
            "--scale",
            2,
            "--run",
            self.folder / "run",
            "--cache",
            self.folder / "cache",
        )
        self.assertEqual(code, 0, err)
        code, _, err = run(
            "export", self.folder / "run", "--name", "tiny", "--to", self.folder / "models"
        )
        self.assertEqual(code, 0, err)
        card = json.loads((self.folder / "models" / "tiny-psnr.json").read_text())
        self.assertEqual((card["title"], card["license"]), (values["title"], values["license"]))
        self.assertEqual(
            (
                [entry["subject"] for entry in card["training"]["data"]],
                [row["data"] for row in card["metrics"]],
            ),
            (["a"], ["b"]),
        )

    def test_user_errors_give_one_line(self):
        for pattern, words in (
            ("vgg19-dcbb9e9d.pth", self.words("run", "--set", "gan.perceptual_weight=1")),
            ("is not the folder of a training run", ["resume", self.folder]),
            (
                "is not the folder of a training run",
                ["export", self.folder, "--name", "a", "--to", self.folder / "m"],
            ),
        ):
            with self.subTest(words[0]):
                code, out, err = run(*words)
                self.assertEqual((code, out), (2, ""))
                self.assertRegex(err, f"^error: .*{pattern}")
                self.assertEqual(err.count("\n"), 1)

    def test_a_signal_stops_the_run_after_a_checkpoint(self):
        words = self.words("run", "--set", "psnr.steps=100000", "checkpoint_every=100000")
        child = subprocess.Popen(
            [sys.executable, "-m", "MRISuperResTrainingLib", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self.addCleanup(child.kill)
        end = time.monotonic() + 120
        while not self.events(kind="step") and child.poll() is None and time.monotonic() < end:
            pass
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=120)
        self.assertEqual((child.returncode, out), (143, ""))
        self.assertRegex(
            err, r"error: Stopped\. “resume .*run” continues from the last checkpoint\.\n$"
        )
        step = self.events(kind="stopped")[0]["step"]
        self.assertEqual(RunFolder(self.folder / "run").checkpoint()["step"], step)

    def test_the_help_lists_commands_and_exit_codes(self):
        code, out, _ = run("--help")
        self.assertEqual(code, 0)
        for word in ("train", "resume", "export", "exit codes"):
            self.assertIn(word, out)


class FailureEventTest(RunTest):
    """A requested run, whose folder exists, shows why it could not start."""

    def setUp(self):
        super().setUp()
        (self.folder / "run").mkdir()

    def test_a_failure_before_the_start_is_an_event(self):
        code, _, err = run(
            "train", self.folder / "nowhere", "--preset", "quick", "--scale", 2,
            "--run", self.folder / "run",
        )  # fmt: skip
        self.assertEqual(code, 2, err)
        (event,) = self.events()
        self.assertEqual((event["event"], event["kind"]), ("error", "settings"))
        self.assertIn("No such file or folder", event["message"])

    def test_invalid_settings_are_an_event(self):
        code, _, err = run(
            "train", self.folder, "--preset", "quick", "--scale", 2, "--set", "seed=-1",
            "--run", self.folder / "run",
        )  # fmt: skip
        self.assertEqual(code, 2, err)
        self.assertIn("“seed” must be", self.events()[0]["message"])

    def test_a_failure_is_one_event_only(self):
        self.volumes()
        with mock.patch.object(trainer, "split_subjects", side_effect=ZeroDivisionError):
            code, _, _ = run(
                "train", self.folder / "data", "--preset", "quick", "--scale", 2,
                "--set", "data.patch=16", "--cache", self.folder / "cache",
                "--run", self.folder / "run",
            )  # fmt: skip
        self.assertEqual(code, 1)
        self.assertEqual([event["kind"] for event in self.events()], ["internal"])

    def test_a_run_that_another_process_works_on_gets_no_event(self):
        (self.folder / "run" / "run.json").write_text("{}")
        code, _, err = run(
            "train", self.volumes()[0].path, "--preset", "quick", "--scale", 2,
            "--run", self.folder / "run",
        )  # fmt: skip
        self.assertEqual(code, 2)
        self.assertIn("already holds a run", err)
        self.assertEqual(self.events(), [])


if __name__ == "__main__":
    import unittest

    unittest.main()
