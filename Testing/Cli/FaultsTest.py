"""Memory or GPU failures during a command: one sentence, no partial output, the rest of a batch."""

import contextlib
import csv
import io
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import SimpleITK as sitk
from compare_helpers import body
from MRISuperResLib.cli.main import main
from MRISuperResLib.core.io.formats import write_volume
from MRISuperResLib.core.volume import Volume
from MRISuperResLib.core.methods.interpolation import InterpolationMethod

GONE = RuntimeError(
    "CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later."
)
ITK_NO_MEMORY = RuntimeError(
    "Exception thrown in SimpleITK: ITK ERROR: Image(0x1): Failed to allocate memory for image."
)


class FaultsTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()
        (self.folder / "in").mkdir()
        for name in "abc":
            write_volume(
                self.folder / "in" / f"{name}.nrrd",
                Volume(
                    np.random.default_rng(0).integers(0, 999, (2, 24, 20)).astype(np.int16),
                    np.diag([1.0, 1.0, 4.0, 1.0]),
                    provenance={},
                ),
            )

    def run_main(self, *words):
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
        ):
            code = main([str(word) for word in words])
        self.assertNotIn("Traceback", err.getvalue())
        return code, out.getvalue(), err.getvalue()

    def files(self):
        return sorted(
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file() and path.suffix != ".json" and path.parent.name != "in"
        )

    def upsample(self):
        return self.run_main(
            "upsample",
            self.folder / "in" / "a.nrrd",
            self.folder / "out.nrrd",
            "--model",
            "bicubic",
        )

    def batch(self):
        return self.run_main(
            "batch",
            self.folder / "in",
            "--out",
            self.folder / "many",
            "--model",
            "bicubic",
            "--scale",
            "2",
            "--format",
            "nrrd",
        )

    def compare(self):
        return self.run_main(
            "compare",
            self.folder / "in" / "a.nrrd",
            "--methods",
            "nearest,bicubic",
            "--out",
            self.folder / "comparison",
        )

    def audit(self):
        write_volume(
            self.folder / "in" / "large.nrrd", Volume(body((2, 72, 88)), np.eye(4), provenance={})
        )
        return self.run_main(
            "audit",
            self.folder / "in" / "large.nrrd",
            "--models",
            "nearest,bicubic",
            "--scale",
            "2",
            "--out",
            self.folder / "audit",
        )

    def test_a_gpu_failure_is_one_sentence_and_leaves_no_output(self):
        for run in (self.upsample, self.compare, self.audit):
            failing = mock.patch.object(InterpolationMethod, "__call__", side_effect=GONE)
            with self.subTest(run.__name__):
                with failing:
                    code, out, err = run()
                self.assertEqual((code, out), (2, ""))
                self.assertRegex(
                    err,
                    r"error: The GPU failed \(CUDA error: unspecified launch failure\); "
                    r"nothing was changed\. Start again",
                )
                self.assertEqual(self.files(), [])

    def test_a_gpu_failure_ends_a_batch_and_the_same_command_resumes_it(self):
        with mock.patch.object(InterpolationMethod, "__call__", side_effect=GONE) as called:
            code, out, err = self.batch()
        self.assertEqual((code, out, called.call_count), (2, "", 1))
        self.assertIn("The GPU failed", err)
        self.assertEqual(self.files(), ["many/report.csv"])
        self.assertEqual(
            self.batch()[:2], (0, f"3 written; {self.folder / 'many' / 'report.csv'}\n")
        )

    def statuses(self):
        with open(self.folder / "many" / "report.csv", encoding="utf-8") as file:
            return [row["status"] for row in csv.DictReader(file)]

    def test_a_batch_continues_after_out_of_memory_at_any_stage(self):
        for stage, owner, name in (
            ("reading", sitk, "GetArrayFromImage"),
            ("intensities", np, "percentile"),
            ("the network", InterpolationMethod, "__call__"),
            ("writing", sitk, "GetImageFromArray"),
        ):
            real, calls = getattr(owner, name), []

            def second_fails(*arguments, calls=calls, real=real, **options):
                calls.append(arguments)
                if len(calls) == 2:
                    raise ITK_NO_MEMORY if real is sitk.GetImageFromArray else MemoryError
                return real(*arguments, **options)

            patch = mock.patch.object(owner, name, second_fails)
            with self.subTest(stage), patch:
                code, _, err = self.batch()
                self.assertEqual(
                    (code, self.statuses()), (2, ["written", "failed", "written"]), err
                )
                self.assertRegex(err, "error: .*[Oo]ut of memory")
                self.assertEqual(
                    self.files(), ["many/a_x2.nrrd", "many/c_x2.nrrd", "many/report.csv"]
                )
            for file in (self.folder / "many").iterdir():
                file.unlink()

    def test_out_of_memory_in_itk_is_not_reported_as_a_full_disk(self):
        for function in ("WriteImage", "ReadImage"):
            with (
                self.subTest(function),
                mock.patch.object(sitk, function, side_effect=ITK_NO_MEMORY),
            ):
                code, _, err = self.upsample()
            self.assertEqual(code, 2)
            self.assertRegex(
                err,
                "error: Out of memory while upsampling a.nrrd or writing its output",
            )
            self.assertEqual(self.files(), [])


if __name__ == "__main__":
    unittest.main()
