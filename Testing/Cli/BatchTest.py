"""The command batch: plan, resuming, reports and failures of single volumes."""

import contextlib
import csv
import io
import json
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from MRISuperResLib.cli.main import main
from MRISuperResLib.cli import batch
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.discovery import FoundVolume
from MRISuperResLib.core.io.formats import read_volume, write_volume
from MRISuperResLib.core.volume import Volume

from made_files import write_series

MATRIX = np.diag([1.0, 1.0, 4.0, 1.0])


class BatchTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()
        self.out = self.folder / "out"

    def make(self, *names):
        for number, name in enumerate(names):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_volume(
                path,
                Volume(
                    np.random.default_rng(number).integers(0, 999, (2, 8, 10)).astype(np.int16),
                    MATRIX,
                    provenance={},
                ),
            )

    def run_main(self, *inputs, **options):
        """(exit code, standard output, standard error)"""
        words = [str(self.folder / given) for given in inputs] + [
            "--out",
            str(self.out),
            "--model",
            options.pop("model", "bicubic"),
            "--scale",
            "2",
        ]
        words += [
            word
            for name, value in options.items()
            for word in (f"--{name.replace('_', '-')}", value)
        ]
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
        ):
            code = main(["batch", *words])
        return code, out.getvalue(), err.getvalue()

    def outputs(self):
        return sorted(
            path.relative_to(self.out).as_posix()
            for path in self.out.rglob("*")
            if path.is_file() and path.suffix not in (".json", ".csv")
        )

    def report(self, name="report.csv"):
        """{input: (status, message)}"""
        with open(self.out / name, encoding="utf-8") as file:
            return {
                Path(row["input"]).name: (row["status"], row["message"])
                for row in csv.DictReader(file)
            }

    def test_every_volume_is_upsampled_into_the_same_tree(self):
        self.make("study/a.nii.gz", "study/sub-1/b.nrrd", "study/sub-1/c.d.mha", "one.nii")
        code, out, err = self.run_main("study", "one.nii")
        self.assertEqual(code, 0, err)
        self.assertEqual(
            self.outputs(),
            ["a_x2.nii.gz", "one_x2.nii.gz", "sub-1/b_x2.nii.gz", "sub-1/c.d_x2.nii.gz"],
        )
        volume = read_volume(self.out / "sub-1" / "b_x2.nii.gz")
        self.assertEqual((volume.array.shape, volume.array.dtype), ((2, 16, 20), np.int16))
        self.assertEqual(out, f"4 written; {self.out / 'report.csv'}\n")
        self.assertEqual({status for status, _ in self.report().values()}, {"written"})

    def test_a_list_names_volumes_from_its_own_folder(self):
        self.make("lists/data/a.nii.gz", "lists/data/b.nii.gz")
        (self.folder / "lists" / "list.txt").write_text("data/a.nii.gz\n\ndata/b.nii.gz\n")
        self.assertEqual(self.run_main("lists/list.txt", format="nrrd")[0], 0)
        self.assertEqual(self.outputs(), ["a_x2.nrrd", "b_x2.nrrd"])

    def test_an_output_that_is_up_to_date_is_skipped(self):
        self.make("study/a.nii.gz", "study/b.nii.gz")
        self.run_main("study/a.nii.gz")
        before = (self.out / "a_x2.nii.gz").stat().st_mtime_ns
        code, out, _ = self.run_main("study")
        self.assertEqual((code, out), (0, f"1 written, 1 up to date; {self.out / 'report.csv'}\n"))
        self.assertEqual((self.out / "a_x2.nii.gz").stat().st_mtime_ns, before)

    def test_an_output_of_another_model_slice_axis_or_input_or_without_provenance_is_repeated(
        self,
    ):
        self.make("study/a.nii.gz")
        self.run_main("study")
        target, record = self.out / "a_x2.nii.gz", self.out / "a_x2.nii.gz.json"

        def other_weights():
            values = json.loads(record.read_text())
            values["model"]["sha256"] = "0" * 64
            record.write_text(json.dumps(values))

        def newer_input():
            os.utime(
                self.folder / "study" / "a.nii.gz", ns=(2**62, target.stat().st_mtime_ns + 10**9)
            )

        self.assertIn("1 written", self.run_main("study", model="nearest")[1])
        self.assertIn("1 written", self.run_main("study", model="nearest", slice_axis="i")[1])
        for change in (other_weights, newer_input, record.unlink):
            change()
            with self.subTest(change):
                self.assertIn(
                    "1 written", self.run_main("study", model="nearest", slice_axis="i")[1]
                )

    def test_a_volume_that_fails_does_not_stop_the_others_and_the_exit_code_is_2(
        self,
    ):
        self.make("study/a.nii.gz", "study/c.nii.gz")
        (self.folder / "study" / "b.nii.gz").write_bytes(b"no volume")
        code, out, err = self.run_main("study")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("2 written, 1 failed", err.splitlines()[-1])
        self.assertEqual(self.outputs(), ["a_x2.nii.gz", "c_x2.nii.gz"])
        self.assertEqual(
            [self.report()[f"{name}.nii.gz"][0] for name in "abc"], ["written", "failed", "written"]
        )
        self.assertIn("b.nii.gz", self.report()["b.nii.gz"][1])
        self.make("study/b.nii.gz")
        self.assertEqual(
            self.run_main("study")[1], f"1 written, 2 up to date; {self.out / 'report.csv'}\n"
        )

    def test_outputs_inside_the_input_folder_are_not_inputs(self):
        self.out = self.folder / "study" / "out"
        self.make("study/a.nii.gz")
        for _ in range(2):
            self.assertEqual(self.run_main("study")[0], 0)
        self.assertEqual(self.outputs(), ["a_x2.nii.gz"])

    def test_an_output_that_was_cut_or_changed_is_repeated(self):
        self.make("study/a.nii.gz")
        self.run_main("study")
        target = self.out / "a_x2.nii.gz"
        content, voxels = target.read_bytes(), read_volume(target).array
        for damaged in (content[:-9], content[:99] + b"\0" + content[100:], b""):
            target.write_bytes(damaged)
            with self.subTest(size=len(damaged)):
                self.assertIn("1 written", self.run_main("study")[1])
                np.testing.assert_array_equal(read_volume(target).array, voxels)
                self.assertIn("1 up to date", self.run_main("study")[1])

    def test_an_output_folder_that_is_the_input_folder_is_refused(self):
        self.make("study/a.nii.gz")
        (self.folder / "link").symlink_to("study")
        for name in ("study", "link"):
            self.out = self.folder / name
            with self.subTest(name):
                code, _, err = self.run_main("study")
                self.assertEqual(code, 2)
                self.assertRegex(err, f"error: .*{name} is the input folder itself")
        self.assertEqual(sorted(os.listdir(self.folder / "study")), ["a.nii.gz", "a.nii.gz.json"])

    def test_an_output_folder_inside_of_the_input_or_around_it_is_noted(self):
        self.make("study/a.nii.gz")
        for place, note in ((("study", "out"), "is inside of"), ((), "contains")):
            self.out = self.folder.joinpath(*place)
            with self.subTest(note):
                code, out, err = self.run_main("study")
                self.assertEqual(code, 0, err)
                self.assertRegex(err, f"note: {self.out} {note} {self.folder / 'study'}")
                self.assertIn("1 written", out)

    def test_an_output_that_would_become_an_input_is_refused(self):
        self.make("study/study/a.nii.gz", "b.nii.gz", "b_x2.nii.gz")
        self.out = self.folder
        for inputs, pattern in (
            (("study",), "a.nii.gz would be .*study/a_x2.nii.gz, among the inputs"),
            (("b.nii.gz", "b_x2.nii.gz"), "b.nii.gz would be .*/b_x2.nii.gz, among the inputs"),
        ):
            before = sorted(self.folder.rglob("*"))
            with self.subTest(inputs):
                code, _, err = self.run_main(*inputs)
                self.assertEqual(code, 2)
                self.assertRegex(err, pattern)
                self.assertEqual(sorted(self.folder.rglob("*")), before)

    def test_outputs_of_another_batch_are_left_out(self):
        self.make("study/a.nii.gz")
        self.out = self.folder / "study" / "first"
        self.run_main("study")
        self.out = self.folder / "study" / "second"
        code, out, err = self.run_main("study")
        self.assertEqual((code, self.outputs()), (0, ["a_x2.nii.gz"]))
        self.assertRegex(err, "Left out .*first/a_x2.nii.gz: It is an output of MRISuperRes")
        self.assertIn("1 written, 1 left out", out)

    def test_processes_share_the_volumes_and_each_reports(self):
        self.make(*(f"study/{name}.nii.gz" for name in "abcde"))
        for rank in (0, 1):
            with mock.patch.dict(os.environ, RANK=str(rank), WORLD_SIZE="2"):
                self.assertEqual(self.run_main("study")[0], 0)
        self.assertEqual(self.outputs(), [f"{name}_x2.nii.gz" for name in "abcde"])
        self.assertEqual(
            [sorted(self.report(f"report-{n}-of-2.csv")) for n in (1, 2)],
            [["a.nii.gz", "c.nii.gz", "e.nii.gz"], ["b.nii.gz", "d.nii.gz"]],
        )

    def test_a_process_without_volumes_has_nothing_to_do(self):
        self.make("study/a.nii.gz")
        with mock.patch.dict(os.environ, RANK="1", WORLD_SIZE="2"):
            self.assertEqual(self.run_main("study"), (0, "Nothing to do.\n", ""))
        self.assertFalse(self.out.exists())

    def test_a_cancelled_batch_keeps_its_outputs(self):
        self.make("study/a.nii.gz", "study/b.nii.gz")
        real = batch.upsample_file

        def stopped(source, *further):
            if source.name == "b.nii.gz":
                raise KeyboardInterrupt
            return real(source, *further)

        with mock.patch.object(batch, "upsample_file", stopped):
            code, _, err = self.run_main("study")
        self.assertEqual(code, 130)
        report = self.out / "report.csv"
        self.assertIn(f"Cancelled: 1 written; {report}. Run the same command again to resume", err)
        self.assertEqual((self.outputs(), sorted(self.report())), (["a_x2.nii.gz"], ["a.nii.gz"]))
        self.assertIn("1 written, 1 up to date", self.run_main("study")[1])

    def test_invalid_arguments_are_refused_before_any_work(self):
        self.make("a.nii.gz", "other/a.nrrd")
        (self.folder / "empty").mkdir()
        (self.folder / "bad.txt").write_bytes(b"\xff\xfe")
        for inputs, options, pattern in (
            (["gone"], {}, "File or folder not found: .*gone"),
            (["empty"], {}, "No volume found"),
            (["a.nii.gz"], {"model": "huge"}, "no model “huge”"),
            (["a.nii.gz", "other/a.nrrd"], {}, "would both be written to .*a_x2.nii.gz"),
            (["bad.txt"], {}, "list .*bad.txt cannot be read"),
            (["a.nii.gz"], {"format": "png"}, "invalid choice"),
        ):
            with self.subTest(pattern):
                code, out, err = self.run_main(*inputs, **options)
                self.assertEqual((code, out, err.count("\n")), (2, "", 1), err)
                self.assertRegex(err, pattern)
                self.assertFalse(self.out.exists())

    def test_a_missing_file_of_a_list_fails_alone(self):
        self.make("a.nii.gz")
        (self.folder / "list.txt").write_text("gone.nii.gz\na.nii.gz\n")
        self.assertEqual(self.run_main("list.txt")[0], 2)
        self.assertEqual(
            [self.report()[name][0] for name in ("gone.nii.gz", "a.nii.gz")], ["failed", "written"]
        )

    def test_report_has_the_warnings_of_an_upsampled_volume(self):
        (self.folder / "scan").mkdir()
        write_series(self.folder / "scan", 3, modality="CT")
        code, _, err = self.run_main("scan")
        self.assertEqual(code, 0, err)
        status, message = self.report()["scan"]
        self.assertEqual(status, "written")
        self.assertRegex(message, "is CT, not MR. No model was trained on CT")

    def test_plan_takes_a_dicom_folder_as_one_volume_named_after_it(self):
        (self.folder / "series").mkdir()
        (self.folder / "series" / "1.dcm").touch()
        series = FoundVolume(self.folder / "series", Path("series"))
        self.assertEqual(
            batch.plan([self.folder / "series"], self.out, "_x2.mha"),
            ([(series, self.out / "series_x2.mha")], []),
        )
        with self.assertRaises(SuperResolutionError):
            batch.plan([], self.out, "_x2.mha")


if __name__ == "__main__":
    unittest.main()
