"""The button that writes the result as a DICOM series, and the function of the logic behind it."""

import os
import tempfile
import unittest
from pathlib import Path

import slicer
from module_helpers import click, make_volume, mute_error_log, show_panel, wait_for_end
from MRISuperResLib.core.io.formats import read_volume
from panel_testing import answer_next, expect_error, leave_module, open_module

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
        wait_for_end(self.widget.upsampling.task)
        return self.widget.upsampling.task.result

    def assert_disabled(self, words):
        self.assertFalse(self.ui.exportDicomButton.enabled)
        self.assertIn(words, self.ui.exportDicomButton.toolTip)

    def test_result_is_written_to_a_folder_of_its_name(self):
        self.assert_disabled("There is no output yet. Click Apply first.")
        output = self.apply()
        answer_next(str(self.folder))
        click(self.ui.exportDicomButton)
        name = "T2_ HASTE SR x2 bicubic"
        self.assertEqual(sorted(os.listdir(self.folder)), [name, f"{name}.json", "in"])
        # Slicer's importer reports other files as errors
        self.assertFalse([each for each in os.listdir(self.folder / name) if ".dcm" not in each])
        self.assertEqual(
            self.ui.statusLabel.text, f"Written to {self.folder / 'T2_ HASTE SR x2 bicubic'}."
        )
        self.assertEqual(
            read_volume(self.folder / "T2_ HASTE SR x2 bicubic").array.shape,
            slicer.util.arrayFromVolume(output).shape,
        )

    def test_chosen_output_volume_precedes_the_last_result(self):
        self.apply()
        self.ui.outputSelector.setCurrentNode(make_volume())
        self.assert_disabled("There is no output yet. Click Apply first.")

    def test_export_is_disabled_during_a_task_and_without_a_dicom_source(self):
        self.apply()
        self.assertTrue(self.ui.exportDicomButton.enabled)
        self.ui.inputSelector.setCurrentNode(make_volume())
        click(self.ui.applyButton)
        self.assertFalse(self.ui.exportDicomButton.enabled)
        wait_for_end(self.widget.upsampling.task)
        self.assert_disabled("was not loaded from DICOM")

    def test_images_of_another_modality_give_a_warning_before_the_run(self):
        self.assertTrue(self.ui.modelWarningLabel.isHidden())
        with opened(DatabaseDouble(self.files, "CT")):
            self.widget.upsampling.update()
            self.assertIn("is CT, not MR", self.ui.modelWarningLabel.text)
            self.assertFalse(self.ui.modelWarningLabel.isHidden())

    def test_cancelled_folder_dialog_writes_nothing(self):
        self.apply()
        answer_next("")
        click(self.ui.exportDicomButton)
        self.assertEqual(os.listdir(self.folder), ["in"])

    def test_failed_export_is_shown_and_the_panel_is_unchanged(self):
        self.apply()
        answer_next(str(self.folder))
        click(self.ui.exportDicomButton)
        before = self.ui.statusLabel.text
        with expect_error("is not empty"):
            answer_next(str(self.folder))
            click(self.ui.exportDicomButton)
        self.assertEqual(self.ui.statusLabel.text, before)

    def test_deleted_result_disables_the_export(self):
        slicer.mrmlScene.RemoveNode(self.apply())
        click(self.ui.exportDicomButton)
        self.assert_disabled("There is no output yet. Click Apply first.")

    def test_script_exports_the_same_or_gets_the_reason(self):
        output = self.apply()
        self.widget.logic.exportDicom(output, str(self.folder / "series"))
        self.assertTrue((self.folder / "series" / "0004.dcm").is_file())
        with self.assertRaisesRegex(RuntimeError, "There is no output yet. Click Apply first."):
            self.widget.logic.exportDicom(self.input, str(self.folder / "other"))


if __name__ == "__main__":
    unittest.main()
