"""User models in the panel: installation, import, removal and their failures."""

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
from panel_testing import answer_next, expect_error, process_events, shown_dialogs, wait_until

CORE_TESTS = os.path.join(os.path.dirname(HERE), "Core")
sys.path.append(CORE_TESTS)
from made_torchvision import declare_missing_operators  # noqa: E402

INSTALL, IMPORT, REMOVE, OPEN = range(4)  # entries of the menu


def worker_with_torchvision():
    """Return the command of a worker that can import spandrel with any torchvision."""
    program = (
        f"import sys; sys.path[:0] = {[LIBRARY_FOLDER, CORE_TESTS]!r}; "
        "from made_torchvision import declare_missing_operators; declare_missing_operators(); "
    )
    return sys.executable, ["-c", program + "from MRISuperResLib.worker.child import main; main()"]


@unittest.skipIf(importlib.util.find_spec("torch") is None, "torch is not installed")
class UserModelsTestCase(PanelTestCase):
    """The folder of user models is empty."""

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
        self.widget.upsampling.between._store = store
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
        self.widget.upsampling.between._store = ModelStore()
        self.widget.upsampling.forget()

    def choose_entry(self, number, *answers):
        answer_next(*answers)
        self.widget.userModels.menu.actions()[number].trigger()

    def wait(self):
        wait_until(lambda: not self.widget.userModels.isRunning)
        process_events()

    @property
    def message(self):
        return self.ui.userModelsLabel.text

    def userModels(self):
        return sorted(path.name for path in user_models_folder().glob("*"))

    def install(self):
        self.choose_entry(INSTALL, str(self.card))
        self.wait()


class InstallTest(UserModelsTestCase):
    def test_installed_model_is_selected_with_its_scale(self):
        self.choose_entry(INSTALL, str(self.card))
        self.assertEqual(
            (
                self.message,
                self.ui.userModelsButton.enabled,
                self.ui.applyButton.enabled,
            ),
            ("Installing mine-x4.json …", False, False),
        )
        self.wait()
        self.assertEqual(self.userModels(), ["mine-x4.json", "mine-x4.safetensors"])
        self.assertEqual(
            (self.ui.modelComboBox.currentData, self.ui.outputComboBox.currentText),
            ("mine-x4", "×4"),
        )
        self.assertIn("Installed “mine-x4”", self.message)
        self.assertTrue(self.ui.userModelsButton.enabled and self.ui.applyButton.enabled)
        self.assertIn(
            "mine-x4",
            " ".join(
                self.ui.methodsListWidget.item(row).text()
                for row in range(self.ui.methodsListWidget.count)
            ),
        )

    def test_installed_through_plane_model_is_selected_and_can_be_removed(self):
        from made_models import write_model

        architecture = {"network": "through-plane", "blocks": 1, "features": 4}
        write_model(self.card.parent, "mine-tp", 8, architecture=architecture)
        self.choose_entry(INSTALL, str(self.card.with_name("mine-tp.json")))
        self.wait()
        self.assertEqual(
            (self.ui.betweenSlicesComboBox.currentData, self.ui.outputComboBox.currentText),
            ("mine-tp", "Isotropic"),
        )
        self.assertEqual(self.ui.currentModelLabel.text, "A tiny model")
        self.choose_entry(REMOVE, True)
        self.assertEqual(self.userModels(), [])
        self.assertEqual(self.ui.betweenSlicesComboBox.findData("mine-tp"), -1)
        self.ui.outputComboBox.setCurrentIndex(0)

    def test_message_is_hidden_when_another_model_is_selected(self):
        self.install()
        self.assertFalse(self.ui.userModelsLabel.isHidden())
        self.choose("nearest")
        self.assertTrue(self.ui.userModelsLabel.isHidden())

    def test_cancelled_file_dialog_installs_nothing(self):
        self.choose_entry(INSTALL, "")
        self.assertFalse(self.widget.userModels.isRunning)
        self.assertEqual(self.message, "")

    def test_invalid_model_is_refused_with_the_reason(self):
        self.card.write_text("{}")
        with expect_error("mine-x4.json cannot be used"):
            self.install()
        self.assertIn("cannot be used", self.message)
        self.assertEqual((self.userModels(), self.ui.modelComboBox.currentData), ([], "bicubic"))

    def test_crashed_worker_leaves_no_model_and_a_usable_panel(self):
        worker = WorkerProcess(
            lambda: (sys.executable, ["-c", "import sys; sys.stdin.readline(); sys.exit(3)"])
        )
        self.addCleanup(worker.cleanup)
        self.widget.logic._worker = worker
        with expect_error("The worker process .* 3"):
            self.install()
        self.assertEqual(self.userModels(), [])
        self.assertTrue(self.ui.userModelsButton.enabled and self.ui.applyButton.enabled)

    def test_failed_worker_start_is_an_error_and_the_panel_stays_usable(self):
        def noPython():
            raise RuntimeError("The Python of the application was not found.")

        self.widget.logic._worker = WorkerProcess(noPython)
        with expect_error("Python of the application was not found"):
            self.install()
        self.assertTrue(self.ui.userModelsButton.enabled and self.ui.applyButton.enabled)

    def test_busy_worker_is_an_error(self):
        self.use_double("until_cancelled")
        task = self.apply_and_wait_for_progress()
        with expect_error("Another task is running"):
            self.choose_entry(INSTALL, str(self.card))
        self.assertFalse(self.widget.userModels.isRunning)
        task.cancel()
        wait_until(lambda: not task.isRunning)

    def test_declined_packages_install_no_model(self):
        self.missing = ["torch"]
        self.choose_entry(INSTALL, str(self.card), False)
        self.assertEqual(len(shown_dialogs("needs the Python packages torch")), 1)
        self.assertFalse(self.widget.userModels.isRunning)

    def test_cleanup_during_an_installation_ignores_its_end(self):
        self.choose_entry(INSTALL, str(self.card))
        self.widget.cleanup()
        self.widget.setup()
        self.assertEqual(self.ui.userModelsLabel.text, "Installing mine-x4.json …")


class ImportTest(UserModelsTestCase):
    def setUp(self):
        super().setUp()
        if importlib.util.find_spec("spandrel") is None:
            self.skipTest("spandrel is not installed")
        worker = WorkerProcess(worker_with_torchvision)
        self.addCleanup(worker.cleanup)
        self.widget.logic._worker = worker

    def write_checkpoint(self, name):
        """Write a small ESRGAN checkpoint and return its path."""
        declare_missing_operators()
        import torch
        from spandrel.architectures.ESRGAN import ESRGAN

        path = self.folder / name
        torch.save(
            ESRGAN(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=4).state_dict(), path
        )
        return path

    def test_imported_checkpoint_is_selected_by_its_new_name(self):
        self.choose_entry(IMPORT, str(self.write_checkpoint("Real ESRGAN.pth")), "photographs")
        self.assertEqual(self.message, "Importing Real ESRGAN.pth …")
        self.wait()
        self.assertEqual(self.userModels(), ["photographs.json", "photographs.safetensors"])
        self.assertEqual(
            (self.ui.modelComboBox.currentData, self.ui.outputComboBox.currentText),
            ("photographs", "×4"),
        )
        self.assertIn("most likely photographs", self.ui.modelSummaryLabel.text)

    def test_suggested_name_derives_from_the_file_and_no_name_cancels(self):
        with mock.patch.object(
            qt.QInputDialog, "getText", staticmethod(lambda *arguments: asked.append(arguments[-1]))
        ):
            asked = []
            self.choose_entry(IMPORT, str(self.folder / "_Real ESRGAN×4+.v2.pth"))
        self.assertEqual((asked, self.widget.userModels.isRunning), (["Real-ESRGAN-4-.v2"], False))

    def test_invalid_checkpoints_and_names_are_refused_with_the_reason(
        self,
    ):
        path = self.folder / "text.pth"
        path.write_text("no weights")
        shipped = ModelStore().cards(2)[0].name
        for name, words in (
            ("photographs", "text.pth cannot be imported"),
            (shipped, "There is already a model"),
            ("no name", "is invalid. Use letters"),
        ):
            with expect_error(words):
                self.choose_entry(IMPORT, str(path), name)
                self.wait()
            self.assertIn(words, self.message)
        self.assertEqual(self.userModels(), [])


class RemoveTest(UserModelsTestCase):
    def test_user_model_is_removed_after_a_question_and_the_default_is_selected(self):
        self.install()
        self.choose_entry(REMOVE, False)
        self.assertEqual(len(self.userModels()), 2)
        self.choose_entry(REMOVE, True)
        self.assertEqual((self.userModels(), self.message), ([], "Removed “mine-x4”."))
        self.assertEqual(self.ui.modelComboBox.findData("mine-x4"), -1)
        self.assertEqual(len(shown_dialogs("Delete the model “mine-x4”")), 2)

    def test_shipped_models_and_interpolations_are_not_removed(
        self,
    ):
        shipped = ModelStore().cards(2)[0].name
        for name, words in (
            (shipped, "can be removed here"),
            ("bicubic", "“bicubic” is not a model"),
        ):
            self.choose(name)
            with expect_error(words):
                self.choose_entry(REMOVE)
        self.assertIn(shipped, ModelStore().names())


class FolderTest(UserModelsTestCase):
    def test_model_folder_is_created_and_opened(self):
        opened = []
        with mock.patch.object(qt.QDesktopServices, "openUrl", staticmethod(opened.append)):
            self.choose_entry(OPEN)
        self.assertEqual([Path(url.toLocalFile()) for url in opened], [user_models_folder()])
        self.assertTrue(user_models_folder().is_dir())


if __name__ == "__main__":
    unittest.main()
