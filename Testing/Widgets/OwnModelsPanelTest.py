"""Models of the user's own in the panel: installed, imported, removed; each refused with a reason where it can't be."""

import importlib.util
import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import qt
from MRISuperResLib.core.models.store import FOLDERS_VARIABLE, ModelStore, user_models_folder
from MRISuperResLib.worker.client import LIBRARY_FOLDER, WorkerProcess
from module_helpers import HERE, mute_error_log
from PanelTest import PanelTestCase
from slicerhost.testing import answer_next, expect_error, process_events, shown_dialogs, wait_until

CORE_TESTS = os.path.join(os.path.dirname(HERE), "Core")
sys.path.append(CORE_TESTS)
from made_torchvision import declare_missing_operators  # noqa: E402

INSTALL, IMPORT, REMOVE, OPEN = range(4)  # entries of the menu


def worker_with_torchvision():
    """The command of a worker in which spandrel can be imported, whatever torchvision was built for."""
    program = f"import sys; sys.path[:0] = {[LIBRARY_FOLDER, CORE_TESTS]!r}; from made_torchvision import declare_missing_operators; declare_missing_operators(); "
    return sys.executable, ["-c", program + "from MRISuperResLib.worker.child import main; main()"]


@unittest.skipIf(importlib.util.find_spec("torch") is None, "torch is not installed")
class OwnModelsTestCase(PanelTestCase):
    """With an empty folder of the user's."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        home = str(self.folder / "home")
        self.enterContext(
            mock.patch.dict(
                os.environ,
                {"XDG_DATA_HOME": home, "APPDATA": home, "HOME": home, FOLDERS_VARIABLE: ""},
            )
        )
        super().setUp()
        store = ModelStore()
        self.widget.upsampling.models._store = self.widget.comparing.methods._store = store
        self.enterContext(mock.patch("MRISuperResLib.widgets.user_models.logging.error"))
        self.missing = []
        self.enterContext(
            mock.patch(
                "MRISuperResLib.widgets.packages.missingPackages",
                lambda **asked: list(self.missing),
            )
        )
        mute_error_log(self)
        from made_models import write_model

        write_model(self.folder, "mine-x4", scale=4)
        self.card = self.folder / "mine-x4.json"

    def tearDown(self):
        self.widget._parameterNode.model = ""
        super().tearDown()
        self.widget.upsampling.models._store = self.widget.comparing.methods._store = ModelStore()

    def choose_entry(self, number, *answers):
        answer_next(*answers)
        self.widget.ownModels.menu.actions()[number].trigger()

    def wait(self):
        wait_until(lambda: not self.widget.ownModels.isRunning)
        process_events()

    @property
    def told(self):
        return self.ui.ownModelsLabel.text

    def own(self):
        return sorted(path.name for path in user_models_folder().glob("*"))

    def install(self):
        self.choose_entry(INSTALL, str(self.card))
        self.wait()


class InstallTest(OwnModelsTestCase):
    def test_installed_model_is_chosen_with_its_scale_and_can_be_used(self):
        self.choose_entry(INSTALL, str(self.card))
        self.assertEqual(
            (
                self.translate_device_errors,
                self.ui.ownModelsButton.enabled,
                self.ui.applyButton.enabled,
            ),
            ("Installing mine-x4.json …", False, False),
        )
        self.wait()
        self.assertEqual(self.own(), ["mine-x4.json", "mine-x4.safetensors"])
        self.assertEqual(
            (self.ui.modelComboBox.currentData, self.ui.scaleComboBox.currentText),
            ("mine-x4", "×4"),
        )
        self.assertIn("“mine-x4” is one of your own", self.told)
        self.assertTrue(self.ui.ownModelsButton.enabled and self.ui.applyButton.enabled)
        self.assertIn(
            "mine-x4",
            " ".join(
                self.ui.methodsListWidget.item(row).text()
                for row in range(self.ui.methodsListWidget.count)
            ),
        )

    def test_what_was_told_is_over_when_something_else_is_chosen(self):
        self.install()
        self.assertFalse(self.ui.ownModelsLabel.isHidden())
        self.choose("nearest")
        self.assertTrue(self.ui.ownModelsLabel.isHidden())

    def test_file_dialog_that_is_closed_does_nothing(self):
        self.choose_entry(INSTALL, "")
        self.assertFalse(self.widget.ownModels.isRunning)
        self.assertEqual(self.translate_device_errors, "")

    def test_model_that_cannot_be_used_is_refused_with_the_sentence_of_the_core(self):
        self.card.write_text("{}")
        with expect_error("mine-x4.json can't be used"):
            self.install()
        self.assertIn("can't be used", self.told)
        self.assertEqual((self.own(), self.ui.modelComboBox.currentData), ([], "bicubic"))

    def test_worker_that_dies_leaves_no_model_and_the_panel_usable(self):
        worker = WorkerProcess(
            lambda: (sys.executable, ["-c", "import sys; sys.stdin.readline(); sys.exit(3)"])
        )
        self.addCleanup(worker.cleanup)
        self.widget.logic._worker = worker
        with expect_error("The worker process .* 3"):
            self.install()
        self.assertEqual(self.own(), [])
        self.assertTrue(self.ui.ownModelsButton.enabled and self.ui.applyButton.enabled)

    def test_worker_that_cannot_be_started_is_an_error_and_the_panel_stays_usable(self):
        def noPython():
            raise RuntimeError("The Python of this application was not found.")

        self.widget.logic._worker = WorkerProcess(noPython)
        with expect_error("Python of this application was not found"):
            self.install()
        self.assertTrue(self.ui.ownModelsButton.enabled and self.ui.applyButton.enabled)

    def test_worker_that_is_busy_with_a_volume_is_an_error(self):
        self.use_double("until_cancelled")
        job = self.apply_and_wait_for_progress()
        with expect_error("Another volume is being processed"):
            self.choose_entry(INSTALL, str(self.card))
        self.assertFalse(self.widget.ownModels.isRunning)
        job.cancel()
        wait_until(lambda: not job.isRunning)

    def test_missing_packages_are_asked_for_and_nothing_happens_without_them(self):
        self.missing = ["torch"]
        self.choose_entry(INSTALL, str(self.card), False)
        self.assertEqual(len(shown_dialogs("needs the Python packages torch")), 1)
        self.assertFalse(self.widget.ownModels.isRunning)

    def test_panel_that_goes_away_meanwhile_hears_nothing(self):
        self.choose_entry(INSTALL, str(self.card))
        self.widget.cleanup()
        self.widget.setup()
        self.assertEqual(self.ui.ownModelsLabel.text, "Installing mine-x4.json …")


class ImportTest(OwnModelsTestCase):
    def setUp(self):
        super().setUp()
        if importlib.util.find_spec("spandrel") is None:
            self.skipTest("spandrel is not installed")
        worker = WorkerProcess(worker_with_torchvision)
        self.addCleanup(worker.cleanup)
        self.widget.logic._worker = worker

    def write_checkpoint(self, name):
        """A small ESRGAN for photographs."""
        declare_missing_operators()
        import torch
        from spandrel.architectures.ESRGAN import ESRGAN

        path = self.folder / name
        torch.save(
            ESRGAN(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=4).state_dict(), path
        )
        return path

    def test_imported_checkpoint_is_chosen_under_the_name_that_was_given(self):
        self.choose_entry(IMPORT, str(self.write_checkpoint("Real ESRGAN.pth")), "photographs")
        self.assertEqual(self.translate_device_errors, "Importing Real ESRGAN.pth …")
        self.wait()
        self.assertEqual(self.own(), ["photographs.json", "photographs.safetensors"])
        self.assertEqual(
            (self.ui.modelComboBox.currentData, self.ui.scaleComboBox.currentText),
            ("photographs", "×4"),
        )
        self.assertIn("very likely photographs", self.ui.modelSummaryLabel.text)

    def test_name_is_suggested_after_the_file_and_none_means_no_import(self):
        with mock.patch.object(
            qt.QInputDialog, "getText", staticmethod(lambda *arguments: asked.append(arguments[-1]))
        ):
            asked = []
            self.choose_entry(IMPORT, str(self.folder / "_Real ESRGAN×4+.v2.pth"))
        self.assertEqual((asked, self.widget.ownModels.isRunning), (["Real-ESRGAN-4-.v2"], False))

    def test_what_is_no_checkpoint_and_a_name_that_is_taken_are_refused_with_the_sentence_of_the_core(
        self,
    ):
        path = self.folder / "text.pth"
        path.write_text("no weights")
        shipped = ModelStore().cards(2)[0].name
        for name, words in (
            ("photographs", "text.pth can't be imported"),
            (shipped, "There is a model"),
            ("no name", "is not made of letters"),
        ):
            with expect_error(words):
                self.choose_entry(IMPORT, str(path), name)
                self.wait()
            self.assertIn(words, self.told)
        self.assertEqual(self.own(), [])


class RemoveTest(OwnModelsTestCase):
    def test_own_model_is_removed_after_a_question_and_the_default_is_chosen(self):
        self.install()
        self.choose_entry(REMOVE, False)
        self.assertEqual(len(self.own()), 2)
        self.choose_entry(REMOVE, True)
        self.assertEqual((self.own(), self.told), ([], "Removed: mine-x4"))
        self.assertEqual(self.ui.modelComboBox.findData("mine-x4"), -1)
        self.assertEqual(len(shown_dialogs("Delete the model “mine-x4”")), 2)

    def test_what_came_with_the_extension_and_what_is_no_model_is_refused_with_a_reason_and_without_a_question(
        self,
    ):
        shipped = ModelStore().cards(2)[0].name
        for name, words in ((shipped, "not among your own"), ("bicubic", "“bicubic” is no model")):
            self.choose(name)
            with expect_error(words):
                self.choose_entry(REMOVE)
        self.assertIn(shipped, ModelStore().names())


class FolderTest(OwnModelsTestCase):
    def test_folder_is_made_and_opened(self):
        opened = []
        with mock.patch.object(qt.QDesktopServices, "openUrl", staticmethod(opened.append)):
            self.choose_entry(OPEN)
        self.assertEqual([Path(url.toLocalFile()) for url in opened], [user_models_folder()])
        self.assertTrue(user_models_folder().is_dir())


if __name__ == "__main__":
    unittest.main()
