"""BIDS studies: which images are taken, and the names and sidecars of the derivative dataset."""

import json
import os
import re
import unittest

import nibabel
import numpy as np

from MRISuperResLib import __version__
from MRISuperResLib.core.io.formats import read_volume

from made_files import FolderTest, array, grid, run

VALID = re.compile(
    r"sub-[0-9A-Za-z]+(_ses-[0-9A-Za-z]+)?(_task-[0-9A-Za-z]+)?(_acq-[0-9A-Za-z]+)?"
    r"(_ce-[0-9A-Za-z]+)?(_rec-[0-9A-Za-z]+)?(_dir-[0-9A-Za-z]+)?(_run-[0-9]+)?(_echo-[0-9]+)?"
    r"(_part-(mag|phase))?_res-[0-9A-Za-z]+_desc-[0-9A-Za-z]+_[0-9A-Za-z]+\.(nii|nii\.gz|json)"
)
"""Order of the entities in BIDS 1.10, appendix "Entity table"."""
T2 = "sub-01/ses-01/anat/sub-01_ses-01_run-1_T2w"
T2_OUT = "sub-01/ses-01/anat/sub-01_ses-01_run-1_res-x2_desc-SR_T2w"


class BidsTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.study = self.folder / "study"
        self.out = self.study / "derivatives" / "mrisuperres"
        self.write("dataset_description.json", {"Name": "Trial", "BIDSVersion": "1.8.0"})

    def write(self, name, content):
        path = self.study / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content) if isinstance(content, dict) else content)

    def image(self, name, shape=(4, 10, 8)):
        path = self.study / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(array(shape=shape).T, grid()), path)

    def batch(self, *words, code=0):
        options = ("--model", "bicubic", "--scale", 2, "--slice-axis", "k", *words)
        status, out, err = run("batch", self.study, "--bids", *options)
        self.assertEqual(status, code, err)
        return out, err

    def outputs(self):
        return sorted(
            path.relative_to(self.out).as_posix()
            for path in self.out.rglob("*")
            if path.is_file() and not path.name.endswith((".nii.gz.json", ".nii.json"))
        )

    def sidecar(self, name):
        return json.loads((self.out / f"{name}.json").read_text(encoding="utf-8"))

    def test_raw_images_become_a_derivative_dataset_below_the_study(self):
        self.image(f"{T2}.nii.gz")
        self.image("sub-02/anat/sub-02_acq-hires_T1w.nii")
        self.image("derivatives/other/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz")
        self.image("sourcedata/sub-01/anat/sub-01_T1w.nii.gz")
        self.image("sub-01/ses-01/fmap/sub-01_ses-01_magnitude1.nii.gz")
        out, _ = self.batch()
        self.assertIn("2 written", out)
        images = [f"{T2_OUT}.nii.gz", "sub-02/anat/sub-02_acq-hires_res-x2_desc-SR_T1w.nii.gz"]
        names = [*images, *(name.replace(".nii.gz", ".json") for name in images)]
        self.assertEqual(
            self.outputs(),
            sorted([*names, ".bidsignore", "README", "dataset_description.json", "report.csv"]),
        )
        for name in names:
            self.assertTrue(VALID.fullmatch(name.split("/")[-1]), name)
        volume = read_volume(self.out / images[0])
        np.testing.assert_allclose(volume.spacing, (0.5625, 0.6, 3.3), rtol=1e-5)

    def test_the_dataset_is_described_as_a_derivative_of_the_study(self):
        self.image(f"{T2}.nii.gz")
        self.batch()
        description = self.sidecar("dataset_description")
        self.assertEqual(description["DatasetType"], "derivative")
        self.assertIn("Trial", description["Name"])
        self.assertRegex(description["BIDSVersion"], r"^1\.\d+\.\d+$")
        (generator,) = description["GeneratedBy"]
        self.assertEqual((generator["Name"], generator["Version"]), ("MRISuperRes", __version__))
        self.assertTrue(description["SourceDatasets"])
        self.assertEqual(description["DatasetLinks"], {"raw": "../.."})

    def test_metadata_are_inherited_and_completed(self):
        self.image(f"{T2}.nii.gz")
        self.write("T2w.json", {"EchoTime": 0.09, "FlipAngle": 90, "MagneticFieldStrength": 3})
        self.write("sub-01/sub-01_run-1_T2w.json", {"FlipAngle": 120})
        self.write("sub-01/sub-01_run-2_T2w.json", {"FlipAngle": 7})
        self.write("sub-01/sub-01_T1w.json", {"FlipAngle": 8})
        self.write(f"{T2}.json", {"ImageType": ["ORIGINAL", "PRIMARY", "M"]})
        self.batch()
        fields = self.sidecar(T2_OUT)
        self.assertEqual(
            [fields[key] for key in ("EchoTime", "FlipAngle", "MagneticFieldStrength")],
            [0.09, 120, 3],
        )
        self.assertEqual(fields["ImageType"], ["DERIVED", "SECONDARY", "M"])
        self.assertEqual(fields["Sources"], [f"bids:raw:{T2}.nii.gz"])
        self.assertIs(fields["SkullStripped"], False)
        self.assertIn("0.5625×0.6×3.3 mm", fields["Resolution"])
        self.assertIn("synthetic, not for diagnosis", fields["Description"])

    def test_fields_of_the_voxel_grid_are_those_of_the_output(self):
        self.image(f"{T2}.nii.gz")
        fields = {
            "PhaseEncodingDirection": "j-",
            "EffectiveEchoSpacing": 0.001,
            "TotalReadoutTime": 0.009,  # 10 lines
            "ReconMatrixPE": 10,
            "SliceTiming": [0, 1, 2, 3],
            "SpacingBetweenSlices": 3.3,
            "AnatomicalLandmarkCoordinates": {"NAS": [1, 2, 3]},
        }
        self.write(f"{T2}.json", fields)
        self.batch()
        made = self.sidecar(T2_OUT)
        self.assertAlmostEqual(made["TotalReadoutTime"], 0.001 * (20 - 1))
        self.assertEqual((made["ReconMatrixPE"], made["EffectiveEchoSpacing"]), (20, 0.001))
        self.assertEqual(made["SliceTiming"], fields["SliceTiming"])
        self.assertNotIn("AnatomicalLandmarkCoordinates", made)
        self.batch("--slice-axis", "j")
        made = self.sidecar(T2_OUT)
        self.assertEqual((made["TotalReadoutTime"], made["ReconMatrixPE"]), (0.009, 10))
        self.assertFalse({"SliceTiming", "SpacingBetweenSlices"} & set(made))

    def test_an_isotropic_output_has_the_fields_of_its_grid(self):
        self.image(f"{T2}.nii.gz")
        fields = {
            "PhaseEncodingDirection": "j-",
            "TotalReadoutTime": 0.009,  # 10 lines
            "ReconMatrixPE": 10,
            "SliceTiming": [0, 1, 2, 3],
            "SliceThickness": 3,
        }
        self.write(f"{T2}.json", fields)
        words = ("--model", "bicubic", "--between-slices", "linear", "--slice-axis", "k")
        spacing = ("--spacing", 1.125, 0.6, 1.1)
        code, _, err = run("batch", self.study, "--bids", *words, *spacing)
        self.assertEqual(code, 0, err)
        self.assertIn("Slice thickness: 3 mm.", err)
        made = self.sidecar(T2_OUT.replace("x2", "1p125x0p6x1p1mm"))
        self.assertAlmostEqual(made["TotalReadoutTime"], 0.001 * (20 - 1))
        self.assertEqual(made["ReconMatrixPE"], 20)
        self.assertAlmostEqual(made["SliceThickness"], 1.1)
        self.assertNotIn("SliceTiming", made)
        self.assertEqual(made["Resolution"], "1.125×0.6×1.1 mm, resampled from 1.125×1.2×3.3 mm")

    def test_without_a_phase_encoding_direction_the_readout_time_is_dropped(self):
        self.image(f"{T2}.nii.gz")
        self.write(f"{T2}.json", {"TotalReadoutTime": 0.009, "EchoTime": 0.1})
        self.batch()
        self.assertNotIn("TotalReadoutTime", self.sidecar(T2_OUT))

    def test_a_series_keeps_its_frames_and_time_step(self):
        name = "sub-01/func/sub-01_task-rest_bold"
        self.image(f"{name}.nii.gz", (3, 4, 10, 8))
        self.write("task-rest_bold.json", {"RepetitionTime": 2.5, "TaskName": "rest"})
        self.batch()
        name = name.replace("_bold", "_res-x2_desc-SR_bold")
        self.assertEqual(nibabel.load(self.out / f"{name}.nii.gz").shape, (16, 20, 4, 3))
        self.assertEqual(self.sidecar(name)["RepetitionTime"], 2.5)

    def test_diffusion_gradients_are_copied(self):
        self.image("sub-01/dwi/sub-01_dir-AP_dwi.nii.gz")
        self.write("dwi.bval", "0")
        self.write("sub-01/dwi/sub-01_dir-AP_dwi.bvec", "0\n0\n1\n")
        self.write("sub-01/dwi/sub-01_dir-PA_dwi.bvec", "1\n0\n0\n")
        self.batch()
        name = "sub-01/dwi/sub-01_dir-AP_res-x2_desc-SR_dwi"
        self.assertEqual((self.out / f"{name}.bval").read_text(), "0")
        self.assertEqual((self.out / f"{name}.bvec").read_text(), "0\n0\n1\n")

    def test_other_names_and_masks_are_named_as_left_out(self):
        self.image(f"{T2}.nii.gz")
        for name in ("sub-01_desc-brain_T1w", "scan", "sub-01_defacemask"):
            self.image(f"sub-01/anat/{name}.nii.gz")
        out, err = self.batch()
        self.assertIn("1 written, 3 left out", out)
        for name in ("sub-01_desc-brain_T1w", "scan", "sub-01_defacemask"):
            self.assertRegex(err, f"warning: Left out .*{name}.nii.gz")
            self.assertIn(f"{name}.nii.gz", (self.out / "report.csv").read_text())

    def test_the_same_command_resumes_and_completes_the_sidecars(self):
        self.image(f"{T2}.nii.gz")
        self.batch()
        (self.out / f"{T2_OUT}.json").unlink()
        description = self.out / "dataset_description.json"
        fields = json.loads(description.read_text())
        description.write_text(json.dumps(fields | {"License": "CC0"}))
        self.assertIn("1 up to date", self.batch()[0])
        self.assertIn("Sources", self.sidecar(T2_OUT))
        self.assertEqual(self.sidecar("dataset_description"), fields | {"License": "CC0"})

    def test_another_folder_can_be_chosen(self):
        self.image(f"{T2}.nii.gz")
        self.out = self.folder / "elsewhere"
        self.batch("--out", self.out)
        self.assertEqual(
            self.sidecar("dataset_description")["DatasetLinks"],
            {"raw": os.path.relpath(self.study, self.out)},
        )
        self.assertIn(f"{T2_OUT}.nii.gz", self.outputs())

    def test_what_is_no_raw_study_is_refused_before_any_work(self):
        self.assertRegex(self.batch(code=2)[1], "No raw image found .*root folder of a BIDS")
        self.image(f"{T2}.nii.gz")
        self.assertRegex(self.batch("--format", "nrrd", code=2)[1], "NIfTI files, not nrrd")
        self.assertRegex(run("batch", self.study, self.study, "--bids")[2], "Give one folder")
        self.assertRegex(run("batch", self.study)[2], "Give the output folder with --out")
        other = "derivatives/mrisuperres/dataset_description.json"
        self.write(other, {"Name": "x", "GeneratedBy": [{"Name": "fMRIPrep"}]})
        self.assertRegex(self.batch(code=2)[1], "outputs of another pipeline")
        self.write("dataset_description.json", {"Name": "x", "DatasetType": "derivative"})
        self.assertRegex(self.batch(code=2)[1], "of type derivative, not of raw")
        self.write("dataset_description.json", "{")
        self.assertRegex(self.batch(code=2)[1], "cannot be read .*Correct this JSON file")
        self.assertEqual(self.outputs(), ["dataset_description.json"])

    def test_a_damaged_sidecar_fails_its_image_alone(self):
        self.image(f"{T2}.nii.gz")
        self.image("sub-02/anat/sub-02_T1w.nii.gz")
        self.write(f"{T2}.json", "[1]")
        self.assertIn("holds no JSON object", self.batch(code=2)[1])
        self.assertNotIn(f"{T2_OUT}.nii.gz", self.outputs())
        self.assertIn("sub-02/anat/sub-02_res-x2_desc-SR_T1w.nii.gz", self.outputs())


if __name__ == "__main__":
    unittest.main()
