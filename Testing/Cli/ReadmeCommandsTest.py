"""Command lines of README and documentation, run in a folder with the files that they name."""

import os
import re
import shutil
import sys
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

from made_files import FolderTest, grid, run, write_series
from MRISuperResLib.cli import parser
from MRISuperResLib.core.io.formats import write_volume
from MRISuperResLib.core.volume import Frames, Volume
from MRISuperResLib.core.models.store import FOLDERS_VARIABLE

sys.path.append(str(Path(__file__).resolve().parents[1] / "Core"))
from made_bodies import body
from made_models import THROUGH_PLANE, write_model
from made_torchvision import declare_missing_operators
from readme_examples import commands, text


class ReadmeCommandsTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.folder)
        home = {name: str(self.folder / "home") for name in ("XDG_DATA_HOME", "APPDATA", "HOME")}
        self.enterContext(mock.patch.dict(os.environ, home | {FOLDERS_VARIABLE: ""}))
        volume = Volume(body((3, 64, 72)), grid(), provenance={})
        write_volume("in.nii.gz", volume)
        write_volume("fmri.nii.gz", Frames(2, lambda number: volume))
        write_volume(
            "openms_p03_study1_T2W.nii.gz", Volume(body((21, 204, 124)), grid(), provenance={})
        )
        mask = (body((3, 64, 72)) > 1000).astype(np.uint8)
        write_volume("mask.nii.gz", Volume(mask, grid(), provenance={}))
        write_volume("reconstruction.nii.gz", Volume(body((20, 40, 48)), np.eye(4), provenance={}))
        for folder in ("dicom_folder", "study", "brains", "t1_brains", "session", "somewhere"):
            Path(folder).mkdir()
        write_series("dicom_folder")
        for folder in ("study", "brains", "session"):
            write_volume(
                f"{folder}/sub-01.nii.gz", Volume(body((3, 40, 48)), grid(), provenance={})
            )
        isotropic = Volume(body((40, 44, 36)), grid(spacing=(1, 1, 1)), provenance={})
        for path in ("t1.nii.gz", "t1_brains/sub-01.nii.gz"):
            write_volume(path, isotropic)
        image = Path("bids_study/sub-01/anat/sub-01_T2w.nii.gz")
        image.parent.mkdir(parents=True)
        write_volume(image, Volume(body((3, 40, 48)), grid(), provenance={}))
        write_model("somewhere", "NAME")
        write_model("somewhere", "mine-x2")
        write_model("somewhere", "mine-between", 8, architecture=THROUGH_PLANE)
        for name in ("mine-x2", "mine-between"):
            self.assertEqual(run("models", "install", f"somewhere/{name}.safetensors")[0], 0)
        self.write_checkpoint("RealESRGAN.pth")

    def write_checkpoint(self, path):
        declare_missing_operators()
        import torch
        from spandrel.architectures.ESRGAN import ESRGAN

        torch.save(ESRGAN(num_filters=8, num_blocks=1).state_dict(), path)

    def test_every_command_line_runs_and_writes_its_output(self):
        examples = list(dict.fromkeys(map(tuple, commands("mrisuperres"))))
        self.assertGreater(len(examples), 8)
        for words in examples:
            with self.subTest(" ".join(words)):
                parsed = parser.parse(words)
                output = getattr(parsed, "out", None) or getattr(parsed, "output", None)
                if output:
                    shutil.rmtree(output, ignore_errors=True)  # output of an earlier example
                code, said, err = run(*words)
                self.assertEqual(code, 0, err)
                self.assertTrue(said)
                if output:
                    self.assertTrue(Path(output).exists())

    def test_options_named_in_the_texts_exist(self):
        """Options are written in backticks; both programs count."""
        from MRISuperResTrainingLib.cli import parser as training

        known = set()
        for parse, names in (
            (parser.parse, ("upsample", "batch", "compare", "audit", "models import")),
            (training.parse, ("train", "resume", "evaluate", "export")),
        ):
            for name in names:
                with self.assertRaises(SystemExit), mock.patch("sys.stdout") as out:
                    parse([*name.split(), "--help"])
                known |= set(
                    re.findall(
                        r"--[\w-]+", "".join(call.args[0] for call in out.write.call_args_list)
                    )
                )
        named = set(re.findall(r"`(--[\w-]+)", text()))
        self.assertTrue(named)
        self.assertLessEqual(named, known)


if __name__ == "__main__":
    unittest.main()
