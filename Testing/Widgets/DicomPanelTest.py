"""The button that writes the result as a DICOM series, and the function of the logic behind it."""

import os
import tempfile
import unittest
from pathlib import Path

import slicer
from module_helpers import click, make_volume, mute_error_log, show_panel, wait_for_end
from MRISuperResLib.core.io import read_volume
from slicerhost.testing import answer_next, expect_error, leave_module, open_module

from dicom_helpers import DatabaseDouble, load_series, opened  # found by module_helpers


class DicomPanelTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        mute_error_log(self)
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.input, self.files = load_series(self.folder / "in")
        self.enterContext(opened(DatabaseDouble(self.files)))
        self.widget = open_module("MRISuperRes")
        self.ui = self.widget.ui
        show_panel(self.widget)
        self.ui.modelComboBox.setCurrentIndex(self.ui.modelComboBox.findData("bicubic"))

    def tearDown(self):
        self.widget.logic.cleanup()
        self.widget.logic._worker = None
        leave_module()

    def apply(self):
        click(self.ui.applyButton)
        wait_for_end(self.widget.upsampling.job)
        return self.widget.upsampling.job.outputNode

    def assert_disabled(self, words):
        self.assertFalse(self.ui.exportDicomButton.enabled)
        self.assertIn(words, self.ui.exportDicomButton.toolTip)

    def test_the_result_is_written_into_a_folder_with_its_name(self):
        self.assert_disabled("press Apply first")
        output = self.apply()
        answer_next(str(self.folder))
        click(self.ui.exportDicomButton)
        self.assertEqual(sorted(os.listdir(self.folder)), ["T2_ HASTE SR x2 bicubic", "in"])
        self.assertEqual(
            self.ui.statusLabel.text, f"Written: {self.folder / 'T2_ HASTE SR x2 bicubic'}"
        )
        self.assertEqual(
            read_volume(self.folder / "T2_ HASTE SR x2 bicubic").array.shape,
            slicer.util.arrayFromVolume(output).shape,
        )

    def test_an_output_volume_that_is_chosen_goes_before_that_of_the_last_run(self):
        self.apply()
        self.ui.outputSelector.setCurrentNode(make_volume())
        self.assert_disabled("press Apply first")

    def test_nothing_is_offered_while_a_run_goes_on_or_of_a_volume_without_patient_and_study(self):
        self.apply()
        self.assertTrue(self.ui.exportDicomButton.enabled)
        self.ui.inputSelector.setCurrentNode(make_volume())
        click(self.ui.applyButton)
        self.assertFalse(self.ui.exportDicomButton.enabled)
        wait_for_end(self.widget.upsampling.job)
        self.assert_disabled("was not loaded by the module DICOM")

    def test_a_declined_folder_writes_nothing(self):
        self.apply()
        answer_next("")
        click(self.ui.exportDicomButton)
        self.assertEqual(os.listdir(self.folder), ["in"])

    def test_a_failure_is_shown_and_the_panel_stays_as_it_is(self):
        self.apply()
        answer_next(str(self.folder))
        click(self.ui.exportDicomButton)
        before = self.ui.statusLabel.text
        with expect_error("is not empty"):
            answer_next(str(self.folder))
            click(self.ui.exportDicomButton)
        self.assertEqual(self.ui.statusLabel.text, before)

    def test_a_result_that_was_deleted_is_not_offered_any_more(self):
        slicer.mrmlScene.RemoveNode(self.apply())
        click(self.ui.exportDicomButton)
        self.assert_disabled("press Apply first")

    def test_a_script_gets_the_same_or_a_sentence(self):
        output = self.apply()
        self.widget.logic.exportDicom(output, str(self.folder / "series"))
        self.assertTrue((self.folder / "series" / "0004.dcm").is_file())
        with self.assertRaisesRegex(RuntimeError, "press Apply first"):
            self.widget.logic.exportDicom(self.input, str(self.folder / "other"))


if __name__ == "__main__":
    unittest.main()
