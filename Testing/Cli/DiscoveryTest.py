"""Volumes in folders: all are found, or named with the reason; commands follow the discovery."""

import csv
import os
import unittest
from pathlib import Path
from unittest import mock

import nibabel
import pydicom
from MRISuperResLib.core.io.discovery import find_volumes
from MRISuperResLib.core.io.formats import read_volume, write_volume
from MRISuperResLib.core.volume import Volume

from made_files import FolderTest, array, grid, run, write_series

BICUBIC = ("--model", "bicubic", "--scale", 2)
STRUCTURED_REPORT = "1.2.840.10008.5.1.4.1.1.88.11"
COMPANIONS = ("notes.txt", "sub.json", "dwi.bval", "picture.png", "README", ".hidden", "a.mat")


class DiscoveryTest(FolderTest):
    def write(self, *names):
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_volume(path, Volume(array(), grid()))

    def write_pair(self, name):
        self.write(f"{name}.nii")
        image = nibabel.load(self.folder / f"{name}.nii")
        nibabel.save(nibabel.Nifti1Pair.from_image(image), self.folder / f"{name}.img")
        (self.folder / f"{name}.nii").unlink()

    def write_series(self, folder, extension="", **tags):
        """Write five slices; without extension by default."""
        folder = self.folder / folder
        folder.mkdir(parents=True, exist_ok=True)
        before = set(folder.iterdir())
        write_series(folder, **tags)
        for number, path in enumerate(sorted(set(folder.iterdir()) - before)):
            path.rename(folder / f"IM{len(before) + number:06d}{extension}")

    def find(self, **options):
        """{place below the folder: path below the folder}, {path: reason}"""
        found = find_volumes(self.folder, **options)
        return (
            {
                volume.name.as_posix(): volume.path.relative_to(self.folder).as_posix()
                for volume in found.volumes
            },
            {path.relative_to(self.folder).as_posix(): text for path, text in found.left_out},
        )


class FoundTest(DiscoveryTest):
    def test_dicom_series_are_found_whatever_their_names(self):
        self.write_series("p1/t2")
        self.write_series("p2/t2", ".IMA")
        self.write("p3/t2.nii.gz")
        self.assertEqual(
            self.find(),
            ({"p1/t2": "p1/t2", "p2/t2": "p2/t2", "p3/t2": "p3/t2.nii.gz"}, {}),
        )

    def test_files_beside_volumes_are_no_volumes(self):
        self.write("a.nii.gz")
        self.write_series("t2")
        for name in COMPANIONS:
            for folder in (self.folder, self.folder / "t2"):
                (folder / name).write_text("1 2 3\n")
        self.assertEqual(self.find(), ({"a": "a.nii.gz", "t2": "t2"}, {}))

    def test_the_series_of_a_dicomdir_tree_are_found_and_the_dicomdir_is_not(self):
        self.write_series("PA0/ST0/SE0")
        self.write_series("PA0/ST0/SE1", series="1.2.4")
        path = self.folder / "DICOMDIR"
        path.write_bytes(bytes(128) + b"DICM" + bytes(64))
        expected = {"PA0/ST0/SE0", "PA0/ST0/SE1"}
        self.assertEqual((set(self.find()[0]), self.find()[1]), (expected, {}))
        path.rename(self.folder / "PA0" / "ST0" / "SE0" / "DICOMDIR")
        self.assertEqual((set(self.find()[0]), self.find()[1]), (expected, {}))

    def test_a_pair_is_found_once_and_data_without_a_header_are_named(self):
        self.write_pair("a")
        (self.folder / "lost.img").write_bytes(bytes(100))
        found, left_out = self.find()
        self.assertEqual(found, {"a": "a.hdr"})
        self.assertRegex(left_out["."], "lost.img")

    def test_every_series_of_a_folder_is_found_under_a_name_of_its_own(self):
        self.write_series("scan", series="1.2.3", description="T2 HASTE/1")
        self.write_series("scan", series="1.2.4", description="T1")
        self.write_series("scan", series="1.2.5", description="t1")
        found = find_volumes(self.folder)
        self.assertEqual(
            {volume.name.as_posix(): volume.series for volume in found.volumes},
            {"scan/T2_HASTE_1": "1.2.3", "scan/T1_1.2.4": "1.2.4", "scan/t1_1.2.5": "1.2.5"},
        )
        for volume in found.volumes:
            self.assertEqual(len(read_volume(volume.path, series=volume.series).array), 5)

    def test_links_are_followed_and_loops_end(self):
        self.write("tree/p1/a.nii.gz", "elsewhere/p2/b.nii.gz", "elsewhere/c.nii.gz")
        root = self.folder
        self.folder = root / "tree"
        (self.folder / "0").symlink_to(self.folder / "p1", target_is_directory=True)
        (self.folder / "p2").symlink_to(root / "elsewhere" / "p2", target_is_directory=True)
        (self.folder / "c.nii.gz").symlink_to(root / "elsewhere" / "c.nii.gz")
        (self.folder / "p1" / "loop").symlink_to(self.folder, target_is_directory=True)
        found, left_out = self.find()
        self.assertEqual(found, {"c": "c.nii.gz", "p1/a": "p1/a.nii.gz", "p2/b": "p2/b.nii.gz"})
        self.assertEqual(sorted(left_out), ["0", "p1/loop"])
        self.assertRegex(left_out["0"], "link to .*p1, which was searched already")

    def test_files_that_cannot_be_read_are_named(self):
        self.write("a.nii.gz")
        for name in ("x.rar", "y.zip", "brain.xyz", "z.tar.gz", "empty"):
            (self.folder / name).write_bytes(b"" if name == "empty" else b"\0\1\2\xff" * 100)
        (self.folder / "gone").symlink_to(self.folder / "nowhere")
        found, left_out = self.find()
        self.assertEqual(found, {"a": "a.nii.gz"})
        self.assertRegex(left_out["."], "brain.xyz, empty, gone and 3 more")

    def test_a_folder_that_cannot_be_opened_is_named(self):
        self.write("a.nii.gz", "p1/b.nii.gz")
        real = os.scandir

        def scandir(path):
            if Path(path).name == "p1":
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        with mock.patch("os.scandir", scandir):
            found, left_out = self.find()
        self.assertEqual((found, list(left_out)), ({"a": "a.nii.gz"}, ["p1"]))
        self.assertRegex(left_out["p1"], "cannot be opened .*Permission denied")

    def test_files_that_differ_in_their_extension_only_keep_it(self):
        self.write("a.nii.gz", "a.nrrd", "b.nii")
        self.write_series("b")
        self.assertEqual(
            self.find()[0],
            {"a.nii.gz": "a.nii.gz", "a.nrrd": "a.nrrd", "b.nii": "b.nii", "b": "b"},
        )

    def test_a_damaged_slice_does_not_hide_the_series(self):
        self.write_series("t2")
        (self.folder / "t2" / "IM000009").write_bytes(b"")
        self.assertEqual(self.find(), ({"t2": "t2"}, {}))

    def test_dicom_objects_without_images_are_named(self):
        self.write_series("report")
        for path in (self.folder / "report").iterdir():
            dataset = pydicom.dcmread(path)
            del dataset.PixelData, dataset.Rows, dataset.Columns
            dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = STRUCTURED_REPORT
            dataset.save_as(path)
        found, left_out = self.find()
        self.assertEqual((found, list(left_out)), ({}, ["report"]))

    def test_an_excluded_folder_is_not_searched_even_through_a_link(self):
        self.write("a.nii.gz", "out/a_x2.nii.gz")
        (self.folder / "link").symlink_to(self.folder / "out", target_is_directory=True)
        self.assertEqual(self.find(exclude=self.folder / "out"), ({"a": "a.nii.gz"}, {}))


class BatchTest(DiscoveryTest):
    def batch(self, *words):
        out = self.folder / "out"
        code, text, err = run("batch", self.folder / "study", "--out", out, *BICUBIC, *words)
        self.assertTrue((out / "report.csv").exists(), err)
        with open(out / "report.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.nii.gz"))
        return code, text + err, rows, files

    def test_every_series_becomes_an_output_that_a_repeated_batch_keeps(self):
        self.write_series("study/scan", series="1.2.3", description="T2")
        self.write_series("study/scan", series="1.2.4", description="T1")
        code, text, _, files = self.batch()
        self.assertEqual((code, files), (0, ["scan/T1_x2.nii.gz", "scan/T2_x2.nii.gz"]), text)
        code, text, rows, _ = self.batch()
        self.assertEqual((code, [row["status"] for row in rows]), (0, ["up to date"] * 2), text)

    def test_what_is_left_out_is_in_the_report_and_the_messages(self):
        self.write("study/a.nii.gz")
        (self.folder / "study" / "p1").mkdir()
        (self.folder / "study" / "p1" / "scans.zip").write_bytes(bytes(9))
        code, text, rows, files = self.batch()
        self.assertEqual((code, files), (0, ["a_x2.nii.gz"]), text)
        self.assertRegex(text, "warning: Left out .*p1: .*scans.zip")
        self.assertRegex(text, "1 written, 1 left out")
        left_out = next(row for row in rows if row["status"] == "left out")
        self.assertEqual(left_out["input"], str(self.folder / "study" / "p1"))
        self.assertRegex(left_out["message"], "scans.zip")

    def test_the_reason_is_given_if_nothing_is_found(self):
        (self.folder / "study").mkdir()
        (self.folder / "study" / "scans.zip").write_bytes(bytes(9))
        code, _, err = run("batch", self.folder / "study", "--out", self.folder / "o", *BICUBIC)
        self.assertEqual(code, 2)
        self.assertRegex(err, "No volume found. .*scans.zip")


if __name__ == "__main__":
    unittest.main()
