"""Samples in the module Sample Data and in the panel."""

import hashlib
import struct
import sys
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import slicer
from module_helpers import click, show_panel
from MRISuperResLib.scene import sample_data
from panel_testing import (
    emit_application_signal,
    expect_error,
    leave_module,
    open_module,
    real_data,
    registered_samples,
    serve_files,
)

REAL_FILES = {
    "SampleFetusT2.nii.gz": ("fetal", "sub-01_run-3_T2w.nii.gz"),
    "SampleBrainT2.nii.gz": ("brain", "openms_p03_study1_T2W.nii.gz"),
}


class RegisteredSamplesTest(unittest.TestCase):
    def setUp(self):
        self.sources = {
            source["sampleName"]: source for source in registered_samples(sample_data.CATEGORY)
        }

    def test_samples_are_registered_once_at_startup(self):
        self.assertEqual(list(self.sources), [sample.name for sample in sample_data.SAMPLES])
        emit_application_signal("startupCompleted")
        self.assertEqual(len(registered_samples(sample_data.CATEGORY)), len(sample_data.SAMPLES))

    def test_every_sample_has_a_permanent_url_and_a_hash(self):
        for source in self.sources.values():
            with self.subTest(source["sampleName"]):
                self.assertRegex(
                    source["uris"],
                    r"^https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/[\w/.-]+\.nii\.gz$",
                )
                self.assertRegex(source["checksums"], r"^SHA256:[0-9a-f]{64}$")
                self.assertTrue(source["fileNames"].endswith(".nii.gz"))

    def test_every_sample_has_a_thumbnail_of_the_recommended_size(self):
        for source in self.sources.values():
            with self.subTest(source["sampleName"]):
                data = Path(source["thumbnailFileName"]).read_bytes()
                self.assertEqual(
                    (data[:4], struct.unpack(">II", data[16:24])), (b"\x89PNG", (260, 280))
                )

    def test_every_sample_is_credited_in_the_module_help(self):
        text = slicer.modules.MRISuperResInstance.parent.acknowledgementText
        for sample in sample_data.SAMPLES:
            self.assertIn(sample.credit, text)

    def test_module_works_without_the_module_sample_data(self):
        with mock.patch.dict(sys.modules, {"SampleData": None}):
            sample_data.registerSamples()
            with self.assertRaisesRegex(
                RuntimeError,
                r"^This Slicer lacks the module Sample Data\. Load a volume of your own\.$",
            ):
                sample_data.loadSample(sample_data.FETUS)

    def test_hashes_match_the_real_volumes(self):
        for sample in sample_data.SAMPLES:
            with self.subTest(sample.name):
                self.assertEqual(
                    hashlib.sha256(real_data(*REAL_FILES[sample.file]).read_bytes()).hexdigest(),
                    sample.sha256,
                )


class SampleButtonTest(unittest.TestCase):
    """A network double serves a made-up volume."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        node = slicer.util.addVolumeFromArray(
            np.arange(60, dtype="int16").reshape(3, 4, 5), np.diag([1, 1, 4, 1])
        )
        path = Path(slicer.app.temporaryPath, "served.nii.gz")
        slicer.util.saveNode(node, str(path))
        slicer.mrmlScene.Clear(0)
        self.data = path.read_bytes()
        sample = replace(
            sample_data.FETUS, name="Made up", sha256=hashlib.sha256(self.data).hexdigest()
        )
        self.enterContext(mock.patch("MRISuperResLib.widgets.upsample.FETUS", sample))
        self.served = serve_files(self, {sample.url: self.data})
        self.enterContext(mock.patch.object(sample_data, "SAMPLES", (sample,)))
        sample_data.registerSamples()
        self.sample = sample
        self.widget = open_module("MRISuperRes")
        self.ui = self.widget.ui
        show_panel(self.widget)
        self.addCleanup(leave_module)

    def test_click_loads_the_sample_as_input_and_shows_it(self):
        self.assertTrue(self.ui.sampleButton.visible)
        click(self.ui.sampleButton)
        node = self.ui.inputSelector.currentNode()
        self.assertEqual(
            (node.GetName(), node.GetImageData().GetDimensions()), ("SampleFetusT2", (5, 4, 3))
        )
        self.assertTrue(self.ui.applyButton.enabled)
        composite = (
            slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
        )
        self.assertEqual(composite.GetBackgroundVolumeID(), node.GetID())

    def test_button_is_visible_only_without_an_input(self):
        click(self.ui.sampleButton)
        self.assertFalse(self.ui.sampleButton.visible)
        slicer.mrmlScene.Clear(0)
        self.assertTrue(self.ui.sampleButton.visible)

    def test_missing_network_is_an_error_and_leaves_no_node(self):
        before = slicer.mrmlScene.GetNumberOfNodes()
        self.served.clear()
        with expect_error(
            r"Download failed: https://.*\. Check the network, or load a volume of your own\."
        ):
            click(self.ui.sampleButton)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)
        self.assertTrue(self.ui.sampleButton.visible)

    def test_file_with_another_hash_is_refused(self):
        self.served[self.sample.url] = self.data + b" "
        with expect_error("Download failed"):
            click(self.ui.sampleButton)
        self.assertIsNone(self.ui.inputSelector.currentNode())


if __name__ == "__main__":
    unittest.main()
