"""Volumes to try the extension with: in Slicer's module Sample Data, and by one click in the panel."""

import hashlib
import struct
import sys
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import SampleData
import slicer
from module_helpers import click, show_panel
from MRISuperResLib.scene import sample_data
from slicerhost.testing import expect_error, leave_module, open_module, real_data

REAL_FILES = {
    "SampleFetusT2.nii.gz": ("fetal", "sub-01_run-3_T2w.nii.gz"),
    "SampleBrainT2.nii.gz": ("brain", "openms_p03_study1_T2W.nii.gz"),
}


class RegisteredSamplesTest(unittest.TestCase):
    def setUp(self):
        self.sources = {
            source["sampleName"]: source
            for source in SampleData.sources
            if source["category"] == sample_data.CATEGORY
        }

    def test_the_module_registers_its_samples_once_when_the_application_has_started(self):
        self.assertEqual(list(self.sources), [sample.name for sample in sample_data.SAMPLES])
        slicer.app.startupCompleted.emit()
        self.assertEqual(
            len(
                [
                    source
                    for source in SampleData.sources
                    if source["category"] == sample_data.CATEGORY
                ]
            ),
            len(sample_data.SAMPLES),
        )

    def test_every_sample_has_an_address_that_never_serves_another_file_and_its_hash(self):
        for source in self.sources.values():
            with self.subTest(source["sampleName"]):
                self.assertRegex(
                    source["uris"],
                    r"^https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/[\w/.-]+\.nii\.gz$",
                )
                self.assertRegex(source["checksums"], r"^SHA256:[0-9a-f]{64}$")
                self.assertTrue(source["fileNames"].endswith(".nii.gz"))

    def test_every_sample_has_a_thumbnail_of_the_size_that_slicer_proposes(self):
        for source in self.sources.values():
            with self.subTest(source["sampleName"]):
                data = Path(source["thumbnailFileName"]).read_bytes()
                self.assertEqual(
                    (data[:4], struct.unpack(">II", data[16:24])), (b"\x89PNG", (260, 280))
                )

    def test_every_sample_is_credited_in_the_help_of_the_module(self):
        text = slicer.modules.MRISuperResInstance.parent.acknowledgementText
        for sample in sample_data.SAMPLES:
            self.assertIn(sample.credit, text)

    def test_a_slicer_without_the_module_sample_data_starts_all_the_same(self):
        with mock.patch.dict(sys.modules, {"SampleData": None}):
            sample_data.registerSamples()
            with self.assertRaisesRegex(
                RuntimeError, "^This Slicer has no module Sample Data: load a volume of your own.$"
            ):
                sample_data.loadSample(sample_data.FETUS)

    def test_the_hashes_are_those_of_the_real_volumes(self):
        for sample in sample_data.SAMPLES:
            with self.subTest(sample.name):
                self.assertEqual(
                    hashlib.sha256(real_data(*REAL_FILES[sample.file]).read_bytes()).hexdigest(),
                    sample.sha256,
                )


class SampleButtonTest(unittest.TestCase):
    """With a network that serves a made-up volume instead of the real one."""

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
        self.enterContext(mock.patch("MRISuperResLib.widgets.sample_button.FETUS", sample))
        self.enterContext(mock.patch.object(SampleData, "sources", []))
        self.enterContext(mock.patch.object(SampleData, "served", {sample.url: self.data}))
        self.enterContext(mock.patch.object(sample_data, "SAMPLES", (sample,)))
        sample_data.registerSamples()
        self.sample = sample
        self.widget = open_module("MRISuperRes")
        self.ui = self.widget.ui
        show_panel(self.widget)
        self.addCleanup(leave_module)

    def test_one_click_loads_a_volume_makes_it_the_input_and_shows_it(self):
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

    def test_the_button_is_there_only_while_there_is_no_input(self):
        click(self.ui.sampleButton)
        self.assertFalse(self.ui.sampleButton.visible)
        slicer.mrmlScene.Clear(0)
        self.assertTrue(self.ui.sampleButton.visible)

    def test_without_a_network_one_sentence_says_so_and_nothing_is_left(self):
        before = slicer.mrmlScene.GetNumberOfNodes()
        SampleData.served.clear()
        with expect_error(
            r"could not be fetched from https://.*: look at the network connection, or load a volume of your own\."
        ):
            click(self.ui.sampleButton)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)
        self.assertTrue(self.ui.sampleButton.visible)

    def test_a_file_that_is_not_the_sample_is_refused(self):
        SampleData.served[self.sample.url] = self.data + b" "
        with expect_error("could not be fetched"):
            click(self.ui.sampleButton)
        self.assertIsNone(self.ui.inputSelector.currentNode())


if __name__ == "__main__":
    unittest.main()
