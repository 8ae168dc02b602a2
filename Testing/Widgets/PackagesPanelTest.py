"""The section Packages of the panel: states, installation and its failures."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import qt
import slicer
from MRISuperResLib.widgets import package_check, packages
from MRISuperResLib.widgets.packages_panel import NAME, PURPOSE, REQUIRED, STATE, VERSION
from module_helpers import click, double_worker, is_alive, make_volume, show_panel, wait_for_end
from panel_testing import (
    answer_next,
    expect_error,
    leave_module,
    open_module,
    process_events,
    screenshot,
    shown_dialogs,
    wait_until,
)

USABLE = ["3.1", "usable", ""]
ANSWERS = """
import json, sys
states = json.load(open({path!r}))
for name in sys.argv[1::4]:
    version, state, reason = states.get(name, {usable})
    print(json.dumps(dict(name=name, version=version, state=state, reason=reason)), flush=True)
"""


class PackagesPanelTest(unittest.TestCase):
    """The child process gives prepared answers, and pip is a double."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.file = Path(self.enterContext(tempfile.TemporaryDirectory()), "answers.json")
        self.answer()
        self.checks, self.pip = [], []
        self.enterContext(mock.patch.object(package_check, "probeCommand", self.command))
        self.enterContext(mock.patch.object(packages, "_pipInstall", self.pip.append))
        self.enterContext(mock.patch.object(packages, "_exists", lambda name: False))
        packages.setWheelFolder("")
        self.addCleanup(packages.setWheelFolder, "")
        slicer.util.reloadScriptedModule("MRISuperRes")  # a panel that has never been opened
        self.widget = open_module("MRISuperRes")
        self.addCleanup(leave_module)
        self.ui = self.widget.ui
        self.ui.tabs.setCurrentWidget(self.ui.modelsTab)
        self.area = show_panel(self.widget)
        process_events()

    def command(self, words):
        self.checks.append(words)
        return sys.executable, ["-c", ANSWERS.format(path=str(self.file), usable=USABLE), *words]

    def answer(self, **states):
        """Prepare the answers: name=(version, state, reason) for unusable packages."""
        self.file.write_text(json.dumps(states))

    def open(self):
        self.ui.packagesCollapsibleButton.collapsed = False
        self.wait()

    def wait(self):
        wait_until(lambda: not self.widget.packages.isChecking)

    def row(self, name):
        row = list(packages.ALL).index(name)
        return [
            self.ui.packagesTable.item(row, column).text()
            for column in (NAME, VERSION, REQUIRED, STATE, PURPOSE)
        ]

    def choose(self, name):
        self.ui.packagesTable.item(list(packages.ALL).index(name), NAME).setCheckState(
            qt.Qt.Checked
        )

    def test_packages_are_checked_when_the_section_is_opened_first(self):
        self.assertTrue(self.ui.packagesCollapsibleButton.collapsed)
        leave_module()
        open_module("MRISuperRes")
        process_events()
        self.assertEqual(self.checks, [])
        self.open()
        self.assertEqual(len(self.checks), 1)
        self.ui.packagesCollapsibleButton.collapsed = True
        self.open()
        self.assertEqual(len(self.checks), 1)

    def test_table_shows_installed_required_and_state(self):
        self.answer(
            torch=("2.13.0", "broken", "no c10.dll"),
            accelerate=("", "missing", ""),
            nibabel=("3.0", "old", ""),
        )
        self.open()
        self.assertEqual(self.row("torch"), ["torch", "2.13.0", "≥ 2.3", "broken", "networks"])
        self.assertIn(
            "Networks cannot run: torch is broken (no c10.dll). Press “Install or repair”",
            self.ui.packagesStatusLabel.text,
        )
        self.assertEqual(
            self.row("safetensors"), ["safetensors", "3.1", "≥ 0.4", "usable", "networks"]
        )
        self.assertEqual(
            self.row("cv2"), ["opencv-python-headless", "3.1", "≥ 4.5", "usable", "NIQE, PI"]
        )
        self.assertEqual(self.row("torchvision")[4], "NIQE, PI, import")
        self.assertEqual(self.row("accelerate")[1:], ["–", "≥ 1.0", "not installed", "training"])
        self.assertEqual(self.row("nibabel")[3], "too old")

    def test_missing_packages_of_the_networks_are_checked_and_optional_ones_are_not(self):
        self.answer(torch=("", "missing", ""), pyiqa=("", "missing", ""))
        self.open()
        self.assertEqual(self.widget.packages.chosen, ["torch"])
        self.assertTrue(self.ui.installPackagesButton.enabled)
        self.assertIn(
            "Networks cannot run: torch is not installed. Press “Install or repair”",
            self.ui.packagesStatusLabel.text,
        )

    def test_install_button_needs_a_checked_package(
        self,
    ):
        self.open()
        self.assertIn("Networks can run", self.ui.packagesStatusLabel.text)
        self.assertEqual(
            (self.widget.packages.chosen, self.ui.installPackagesButton.enabled), ([], False)
        )
        self.choose("accelerate")
        self.assertTrue(self.ui.installPackagesButton.enabled)

    def test_checking_pyiqa_checks_its_imports(self):
        self.answer(pyiqa=("", "missing", ""), cv2=("", "missing", ""), yaml=("1.0", "old", ""))
        self.open()
        self.assertEqual(self.widget.packages.chosen, [])
        self.choose("pyiqa")
        self.assertEqual(self.widget.packages.chosen, ["cv2", "yaml", "pyiqa"])

    def test_panel_stays_responsive_during_a_check(self):
        self.ui.packagesCollapsibleButton.collapsed = False
        self.assertEqual(self.ui.packagesStatusLabel.text, "Checking packages …")
        self.assertFalse(
            self.ui.checkPackagesButton.enabled or self.ui.installPackagesButton.enabled
        )
        self.wait()
        self.assertTrue(self.ui.checkPackagesButton.enabled)

    def test_check_button_repeats_the_check(self):
        self.open()
        self.answer(torch=("", "missing", ""))
        click(self.ui.checkPackagesButton)
        self.wait()
        self.assertEqual(self.row("torch")[3], "not installed")

    def test_installation_follows_a_question_and_restarts_check_and_worker(self):
        self.answer(torch=("", "missing", ""))
        self.open()
        with (
            mock.patch.object(self.widget.packages, "_onInstalled") as installed,
            mock.patch.object(packages, "_pipInstall", lambda arguments: self.answer()),
        ):
            answer_next(True)
            click(self.ui.installPackagesButton)
            self.wait()
        self.assertEqual(len(shown_dialogs("torch, which are missing or unusable")), 1)
        installed.assert_called_once_with()
        self.assertEqual(self.row("torch")[3], "usable")
        self.assertFalse(self.ui.installPackagesButton.enabled)

    def test_declined_question_installs_nothing(self):
        self.answer(torch=("", "missing", ""))
        self.open()
        answer_next(False)
        click(self.ui.installPackagesButton)
        self.wait()
        self.assertEqual((self.pip, len(shown_dialogs())), ([], 1))

    def test_failed_installation_is_an_error_and_the_states_are_refreshed(self):
        self.answer(torch=("", "missing", ""))
        self.open()
        for double, words in (
            (
                mock.Mock(side_effect=subprocess.CalledProcessError(1, ["pip"])),
                "torch could not be installed .pip exit code 1",
            ),
            (self.pip.append, "Installed, but not usable: torch not installed"),
        ):
            answer_next(True)
            with mock.patch.object(packages, "_pipInstall", double), expect_error(words):
                click(self.ui.installPackagesButton)
            self.wait()
            self.assertEqual(self.row("torch")[3], "not installed")

    def test_installation_is_refused_during_a_task(self):
        self.open()
        self.choose("accelerate")
        self.widget.logic._worker = double_worker(self, "until_cancelled")
        run = self.widget.logic.upsample(make_volume(), model="bicubic", waitForCompletion=False)
        with expect_error("The packages are in use. Cancel the running task"):
            click(self.ui.installPackagesButton)
        self.wait()
        self.assertTrue(run.isRunning)
        run.cancel()
        wait_for_end(run)
        self.assertEqual(shown_dialogs("Install them now"), [])

    def test_wheel_folder_is_kept_for_the_next_session(self):
        folder = str(self.file.parent)
        self.ui.wheelFolderLineEdit.currentPath = folder
        self.assertEqual(packages.wheelFolder(), folder)
        slicer.util.reloadScriptedModule("MRISuperRes")
        self.widget = open_module("MRISuperRes")
        self.assertEqual(self.widget.ui.wheelFolderLineEdit.currentPath, folder)
        self.widget.ui.wheelFolderLineEdit.currentPath = ""
        self.assertEqual(packages.wheelFolder(), "")

    def test_folder_without_wheels_is_an_error(self):
        self.open()
        self.choose("accelerate")
        self.ui.wheelFolderLineEdit.currentPath = str(self.file.parent)
        with expect_error("No wheel .* in the folder"):
            click(self.ui.installPackagesButton)
        self.wait()

    def test_cleanup_during_a_check_leaves_no_process(self):
        self.ui.packagesCollapsibleButton.collapsed = False
        process = self.widget.packages._check._process
        process.waitForStarted()
        pid = process.processId()
        self.widget.cleanup()
        self.assertFalse(is_alive(pid))
        self.widget.setup()

    def test_section_changes_with_the_states(self):
        """Take a picture of the section."""
        self.answer(
            torch=(
                "2.13.0+cpu",
                "broken",
                "libc10.so: cannot open shared object file: No such file or directory",
            ),
            accelerate=("", "missing", ""),
            nibabel=("", "missing", ""),
            pyiqa=("", "missing", ""),
        )
        self.open()
        broken = screenshot(self.area, "packages", (540, 700)).read_bytes()
        self.answer()
        click(self.ui.checkPackagesButton)
        self.wait()
        self.assertNotEqual(
            screenshot(self.area, "packages_usable", (520, 700)).read_bytes(), broken
        )


if __name__ == "__main__":
    unittest.main()
