"""Volumes are found with their subjects; others are named with the reason."""

import json
import os
import tempfile
import unittest
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResTrainingLib.data.sources import (
    BRAIN_WORDS,
    FETAL_WORDS,
    Source,
    guess_anatomy,
    one_use_per_subject,
    read_sources,
    subject_of,
)

RECIPE = {"title": "Tiny", "limits": "", "license": "", "sources": "volumes.tsv"}


def write_dicom(folder, series, part="", description=""):
    """Write a series of one image of one pixel."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, f"{series}.1"
    dataset.BodyPartExamined, dataset.SeriesDescription = part, description
    dataset.SeriesInstanceUID, dataset.Rows, dataset.Columns = series, 1, 1
    dataset.BitsAllocated, dataset.PixelData = 16, b"\0\0"
    dataset["PixelData"].VR = "OW"
    folder.mkdir(parents=True, exist_ok=True)
    dataset.save_as(folder / f"IM{series[-1]}", enforce_file_format=True)


class SourcesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()

    def touch(self, *names):
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return [str(self.folder / name) for name in names]

    def found(self, path=".", **options):
        """[(path below the folder, subject)], [(path, sentence)]"""
        sources, skipped = read_sources([self.folder / path], **options)
        return [
            (os.path.relpath(source.path, self.folder), source.subject) for source in sources
        ], skipped

    def assert_refused(self, pattern, text, name="list.csv"):
        (self.folder / name).write_text(text, encoding="utf-8")
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            read_sources([self.folder / name])
        self.assertEqual(caught.exception.kind, "settings")


class FolderTest(SourcesTest):
    def test_files_of_a_folder_and_subfolders_are_subjects(self):
        self.touch(
            "b.nii.gz",
            "a.NII",
            "ann/t1.nrrd",
            "ann/t2/x.mha",
            "ann/note.txt",
            ".hidden.nii",
            ".git/x.nii.gz",
            "._b.nii.gz",
            "readme.md",
        )
        self.assertEqual(
            self.found()[0],
            [("a.NII", "a"), ("b.nii.gz", "b"), ("ann/t1.nrrd", "ann"), ("ann/t2/x.mha", "ann")],
        )

    def test_the_entity_sub_of_a_file_name_is_its_subject(self):
        self.touch(
            "sub-01_run-1_T2w.nii.gz",
            "sub-01_run-2_T2w.nii.gz",
            "scans/sub-02_T1w.nii.gz",
            "sub-x.nii.gz",
            "subject-1.nii.gz",
        )
        self.assertEqual(
            self.found()[0],
            [
                ("sub-01_run-1_T2w.nii.gz", "sub-01"),
                ("sub-01_run-2_T2w.nii.gz", "sub-01"),
                ("sub-x.nii.gz", "sub-x"),
                ("subject-1.nii.gz", "subject-1"),
                ("scans/sub-02_T1w.nii.gz", "sub-02"),
            ],
        )

    def test_a_folder_of_dicom_files_is_one_volume(self):
        self.touch("ann/series/1.dcm", "ann/series/2.dcm")
        self.assertEqual(self.found()[0], [("ann/series", "ann")])

    def test_every_series_of_a_dicom_folder_is_a_volume_of_one_subject(self):
        scan = self.folder / "ann" / "scan"
        for series in ("1.2.3", "1.2.4"):
            write_dicom(scan, series)
        sources, skipped = read_sources([self.folder])
        self.assertEqual(
            [(source.path, source.series, source.subject) for source in sources],
            [(str(scan), "1.2.3", "ann"), (str(scan), "1.2.4", "ann")],
        )
        self.assertEqual(skipped, [])
        self.assertEqual(len({source.label for source in sources}), 2)
        self.touch("list.tsv")
        (self.folder / "list.tsv").write_text("path\tseries\nann/scan\t1.2.4\n")
        listed, _ = read_sources([self.folder / "list.tsv"])
        self.assertEqual([source.series for source in listed], ["1.2.4"])

    def test_what_is_no_volume_is_skipped_with_the_reason(self):
        self.touch("a.nii.gz", "ann/scans.zip")
        sources, skipped = read_sources([self.folder])
        self.assertEqual([source.subject for source in sources], ["a"])
        self.assertEqual([path for path, _ in skipped], [str(self.folder / "ann")])
        self.assertRegex(skipped[0][1], "scans.zip")

    def test_a_file_is_used_once_even_if_it_is_listed_twice(self):
        (path,) = self.touch("a.nii.gz")
        sources, skipped = read_sources([self.folder, path])
        self.assertEqual([source.path for source in sources], [path])
        self.assertEqual([skip for skip, sentence in skipped if "Listed twice" in sentence], [path])

    def test_a_missing_path_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "No such file or folder: .*nothing"):
            read_sources([self.folder / "nothing"])

    def test_the_extension_is_not_part_of_a_subject(self):
        for name in ("a.b.nii.gz", "a.b.nii", "a.b.nrrd", "a.b.MHA", "a.b.dcm", "a.b"):
            self.assertEqual(subject_of(name), "a.b", name)


class BidsTest(SourcesTest):
    def test_anatomical_images_of_every_session_are_found_and_nothing_else(self):
        wanted = [
            "sub-01/anat/sub-01_T1w.nii.gz",
            "sub-01/anat/sub-01_acq-haste_run-2_T2w.nii",
            "sub-02/ses-a/anat/sub-02_ses-a_FLAIR.nii.gz",
            "sub-02/ses-b/anat/sub-02_ses-b_part-mag_T2starw.nii.gz",
        ]
        self.touch(
            *wanted,
            "dataset_description.json",
            "sub-01/anat/sub-01_T1w.json",
            "sub-01/anat/sub-01_dseg.nii.gz",
            "sub-01/anat/sub-01_T1w_mask.nii.gz",
            "sub-01/anat/sub-01_desc-brain_mask.nii.gz",
            "sub-01/anat/sub-01_T1map.nii.gz",
            "sub-02/ses-b/anat/sub-02_ses-b_part-phase_T2starw.nii.gz",
            "sub-01/func/sub-01_task-rest_bold.nii.gz",
            "sub-01/dwi/sub-01_dwi.nii.gz",
            "derivatives/x/sub-01/anat/sub-01_T1w.nii.gz",
            "sourcedata/sub-01/anat/sub-01_T1w.nii.gz",
            "sub-01/anat/sub-01_defacemask.nii.gz",
        )
        sources, _ = read_sources([self.folder])
        self.assertEqual(
            [source.contrast for source in sources], ["T1w", "T2w", "FLAIR", "T2starw"]
        )
        found, skipped = self.found(anatomy="brain")
        self.assertEqual(dict(found), {name: name.split("/")[0] for name in wanted})
        self.assertEqual(skipped, [])

    def test_a_file_in_the_folder_of_another_subject_is_skipped(self):
        path, _ = self.touch("sub-01/anat/sub-02_T1w.nii.gz", "sub-01/anat/sub-01_T1w.nii.gz")
        found, skipped = self.found()
        self.assertEqual(found, [("sub-01/anat/sub-01_T1w.nii.gz", "sub-01")])
        self.assertEqual(
            skipped, [(path, "Its folder belongs to sub-01, but its name states sub-02.")]
        )


LETTERS = "abcdefghijklmnopqrstuvwxyzäéøß"
WORDS = sorted(FETAL_WORDS | BRAIN_WORDS)


class AnatomyTest(SourcesTest):
    def assert_guessed(self, anatomy, *names):
        for name in names:
            with self.subTest(name):
                self.assertEqual(guess_anatomy(name), anatomy)

    def test_words_in_names_tell_the_anatomy(self):
        self.assert_guessed(
            "fetal",
            "SampleFetusT2",
            "5: T2 HASTE fetal cor",
            "sub-01_acq-fetalHASTE_T2w.nii.gz",
            "/data/FeTA2021/sub-001/anat/sub-001_rec-mial_T2w.nii.gz",
            "UTERUS",
            "fetal_brain.nii",
            "/data/fetal/brain/sub-1.nii",
        )
        self.assert_guessed(
            "brain",
            "SampleBrainT2",
            "MRIBrain.nrrd",
            "HEAD",
            "/data/brain/openms_p01_T2W.nii.gz",
            "/data/knee-lab/brain/a.nii",
        )

    def test_anatomies_without_convincing_words_are_unspecified(self):
        self.assert_guessed(
            "unspecified",
            "sub-01_T1w.nii.gz",
            "/data/sub-01/ses-1/anat/sub-01_ses-1_FLAIR.nii.gz",
            "defeat",
            "head_neck.nii",
            "Hip, femoral head",
            "/data/brain/knee/a.nii",
            "/brain/1/2/3/4/far_above.nii",
            "",
        )

    @given(
        st.sampled_from(WORDS),
        st.text(LETTERS, max_size=4),
        st.text(LETTERS, max_size=4),
        st.sampled_from([str.lower, str.upper, str.capitalize]),
    )
    def test_a_word_counts_only_as_a_whole(self, word, before, after, case):
        text = case(before + word + after)
        expected = "fetal" if text.lower() in FETAL_WORDS else "brain"
        if text.lower() not in WORDS:
            expected = "unspecified"
        self.assertEqual(guess_anatomy(text), expected)

    @given(
        st.sampled_from(WORDS),
        st.sampled_from(["_", "-", ".", " ", "7", "/", ": ", "x_", "T2"]),
        st.sampled_from(["_", "-", ".", " ", "7", "/a", "_x", "2"]),
        st.sampled_from([str.lower, str.upper, str.capitalize]),
    )
    def test_a_word_counts_between_any_separators(self, word, before, after, case):
        expected = "fetal" if word in FETAL_WORDS else "brain"
        self.assertEqual(guess_anatomy(before + case(word) + after), expected)

    def test_descriptions_count_before_the_path(self):
        self.assertEqual(guess_anatomy("/data/brain/a.nii", "T1 knee"), "unspecified")
        self.assertEqual(guess_anatomy("/data/knee/a.nii", "HEAD"), "brain")

    def test_found_volumes_have_the_guessed_anatomy_unless_one_is_stated(self):
        self.touch("fetal/sub-01/anat/sub-01_T2w.nii.gz", "brain/a.nii", "fetal/x.nii", "y.nii")
        (self.folder / "list.csv").write_text(
            "path,anatomy\nfetal/x.nii,\nbrain/a.nii,infant\ny.nii,\n"
        )
        for path, expected in {
            "fetal": ["fetal"],
            "brain": ["brain"],
            "fetal/x.nii": ["fetal"],
            "list.csv": ["fetal", "infant", "unspecified"],
        }.items():
            sources, _ = read_sources([self.folder / path])
            self.assertEqual([source.anatomy for source in sources], expected, path)
        (source,), _ = read_sources([self.folder / "brain"], anatomy="infant")
        self.assertEqual(source.anatomy, "infant")

    def test_a_dicom_series_states_its_body_part(self):
        for name, part, description in (
            ("a", "HEAD", ""),
            ("b", "PELVIS", "T2 HASTE fetus cor"),
            ("c", "", "T2 sag"),
        ):
            write_dicom(self.folder / name, f"1.2.{ord(name)}", part, description)
        sources, _ = read_sources([self.folder])
        self.assertEqual([source.anatomy for source in sources], ["brain", "fetal", "unspecified"])


class ListTest(SourcesTest):
    def test_tables_give_subject_anatomy_and_use(self):
        a, b = self.touch("data/a.nii.gz", "data/b,c.nii.gz")
        tables = {
            "list.tsv": "path\tsubject\tanatomy\tuse\n# first\ndata/a.nii.gz\tAnn\tfetal\ttest\n"
            "\ndata/b,c.nii.gz\tBea\t\t\n",
            "list.csv": "\ufeffPath,Subject,Anatomy,Use\r\ndata/a.nii.gz, Ann,fetal,test\r\n"
            '"data/b,c.nii.gz",Bea,,\r\n',
            "excel.csv": f"path;subject;anatomy;use\n{a};Ann;fetal;test\ndata/b,c.nii.gz;Bea;;\n",
        }
        for name, text in tables.items():
            with self.subTest(name):
                (self.folder / name).write_text(text, encoding="utf-8")
                sources, skipped = read_sources([self.folder / name], anatomy="brain")
                self.assertEqual(
                    sources, [Source(a, "Ann", "fetal", use="test"), Source(b, "Bea", "brain")]
                )
                self.assertEqual(skipped, [])

    def test_a_plain_list_has_one_path_per_line(self):
        self.touch("with space.nii.gz", "sub-03_T1w.nii.gz")
        (self.folder / "list.txt").write_text("# two\nwith space.nii.gz\n\nsub-03_T1w.nii.gz\n")
        self.assertEqual(
            self.found("list.txt")[0],
            [("with space.nii.gz", "with space"), ("sub-03_T1w.nii.gz", "sub-03")],
        )

    def test_missing_files_of_a_list_are_skipped_with_their_line(self):
        self.touch("a.nii.gz")
        (self.folder / "list.csv").write_text("path\na.nii.gz\nb.nii.gz\n")
        found, skipped = self.found("list.csv")
        self.assertEqual(found, [("a.nii.gz", "a")])
        self.assertEqual(skipped[0][0], str(self.folder / "b.nii.gz"))
        self.assertIn("line 3 of", skipped[0][1])

    def test_an_invalid_line_is_named(self):
        self.touch("a.nii.gz")
        for text, pattern in (
            ("a.nii.gz,Ann\n", "Line 1 .* must name the columns: path"),
            ("# x\npath,subjet\n", "Line 2 .*: subjet. Known columns: path, subject"),
            ("path,path\n", "Line 1 .* twice"),
            ("path,subject\na.nii.gz\n", "Line 2 .* has 1 columns, but the first line names 2"),
            ("path,subject\n\na.nii.gz,Ann,x\n", "Line 3 .* has 3 columns"),
            ("path,subject\n,Ann\n", "Line 2 .* has no path"),
            ("path,use\na.nii.gz,learn\n", "Line 2 .*“use” must be one of auto, train"),
            ("path\na.nii.gz\na.nii.gz\n", "Line 3 .* the same file as line 2"),
            ('path\n"a.nii.gz\n', "Cannot parse line 2"),
            ("path\n", "lists no volume"),
            ("", "must name the columns"),
        ):
            with self.subTest(text):
                self.assert_refused(pattern, text)
        self.assert_refused("lists no volume", "# nothing\n", "list.txt")

    def test_a_list_that_is_not_utf8_is_refused(self):
        (self.folder / "list.csv").write_bytes(b"path\n\xe9.nii\n")
        with self.assertRaisesRegex(
            SuperResolutionError, "not UTF-8 text .byte 5.*save it as UTF-8"
        ):
            read_sources([self.folder / "list.csv"])

    @settings(max_examples=200, deadline=None)
    @given(
        st.sampled_from(("list.txt", "list.tsv", "list.csv")),
        st.binary(max_size=60)
        | st.text(alphabet='path,subject\t;"\n#a.', max_size=40).map(str.encode),
    )
    def test_any_content_gives_sources_or_a_settings_error(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        try:
            read_sources([path])
        except SuperResolutionError as e:
            self.assertEqual(e.kind, "settings")


class RecipeSourcesTest(SourcesTest):
    def setUp(self):
        super().setUp()
        self.recipe = self.folder / "recipes" / "recipe.json"
        self.touch("recipes/volumes.tsv", "data/a.nii.gz")
        self.recipe.write_text(json.dumps(RECIPE))

    def write_list(self, text):
        (self.folder / "recipes" / "volumes.tsv").write_text(text)

    def test_paths_of_a_recipe_are_relative_to_the_data_folder(self):
        self.write_list(
            "path\tsubject\tanatomy\tcontrast\tuse\tlicense\tsource\na.nii.gz\ta\tfetal\tT2w\ttrain\tCC0\tmade\nb.nii.gz\tb\tfetal\tT2w\ttest\tCC0\tmade\n"
        )
        sources, skipped = read_sources([self.recipe], data=self.folder / "data")
        self.assertEqual(
            sources,
            [
                Source(
                    str(self.folder / "data" / "a.nii.gz"),
                    "a",
                    "fetal",
                    "T2w",
                    "CC0",
                    "made",
                    "train",
                )
            ],
        )
        self.assertEqual(
            skipped,
            [
                (
                    str(self.folder / "data" / "b.nii.gz"),
                    f"The file of line 3 of {self.recipe.with_name('volumes.tsv')} does not exist.",
                )
            ],
        )

    def test_without_a_data_folder_paths_are_relative_to_the_list(self):
        self.write_list("path\n../data/a.nii.gz\n")
        self.assertEqual(
            [source.path for source in read_sources([self.recipe])[0]],
            [str(self.folder / "data" / "a.nii.gz")],
        )

    def test_a_missing_list_is_named(self):
        (self.folder / "recipes" / "volumes.tsv").unlink()
        with self.assertRaisesRegex(SuperResolutionError, "Cannot read .*volumes.tsv"):
            read_sources([self.recipe])


class UseTest(unittest.TestCase):
    def test_all_volumes_of_a_subject_have_its_use(self):
        sources = [
            Source("1", "a"),
            Source("2", "a", use="test"),
            Source("3", "b"),
            Source("4", "a"),
        ]
        self.assertEqual(
            [source.use for source in one_use_per_subject(sources)],
            ["test", "test", "auto", "test"],
        )

    def test_a_subject_with_two_uses_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "“a” has the uses “train” and “test”"):
            one_use_per_subject([Source("1", "a", use="train"), Source("2", "a", use="test")])


del SourcesTest  # a base, without tests of its own

if __name__ == "__main__":
    unittest.main()
