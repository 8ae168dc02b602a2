"""Packages in the panel: status, installation and its failures."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import slicer
from MRISuperResLib import __version__
from MRISuperResLib.widgets import packages
from MRISuperResLib.worker.client import WorkerProcess
from MRISuperResLib.worker.packages import ALL
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

MISSING = ("missing", "", "")
ANSWERS = """
import json, os, sys
for number, line in enumerate(sys.stdin):
    request = json.loads(line)
    with open({path!r}) as file:
        state, version, reason = json.load(file).get(request["name"], ["usable", "3.1", ""])
    if not number:
        print(json.dumps(dict(event="ready", pid=os.getpid(), version={version!r})))
    print(json.dumps(dict(event="result", id=request["id"], state=state, version=version,
                          reason=reason)), flush=True)
"""


class PackagesPanelTest(unittest.TestCase):
    """The child process gives prepared answers, and pip is a double."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.file = Path(self.enterContext(tempfile.TemporaryDirectory()), "answers.json")
        self.answer()
        self.checks, self.pip = [], []
        self.enterContext(mock.patch.object(packages, "WorkerProcess", self.process))
        self.enterContext(mock.patch.object(packages, "_pipInstall", self.pip.append))
        self.enterContext(mock.patch.object(packages, "_exists", lambda name: False))
        slicer.util.reloadScriptedModule("MRISuperRes")  # a panel that has never been opened
        self.widget = open_module("MRISuperRes")
        self.addCleanup(leave_module)
        self.ui = self.widget.ui
        self.area = show_panel(self.widget)
        process_events()

    def process(self):
        program = ANSWERS.format(path=str(self.file), version=__version__)
        self.checks.append(WorkerProcess(lambda: (sys.executable, ["-c", program])))
        return self.checks[-1]

    def answer(self, **states):
        """Prepare the answers: name=(state, version, reason) for unusable packages."""
        self.file.write_text(json.dumps(states))

    def open(self):
        self.ui.tabs.setCurrentWidget(self.ui.modelsTab)
        self.wait()

    def reopen(self):
        self.ui.tabs.setCurrentWidget(self.ui.upsampleTab)
        self.open()

    def wait(self):
        wait_until(lambda: not self.widget.packages.isChecking)

    def assert_shows(self, status, action):
        self.assertEqual(
            (self.ui.packagesLabel.text, self.ui.packagesButton.text), (status, action)
        )

    def test_packages_are_checked_when_the_tab_is_opened_until_they_are_usable(self):
        leave_module()
        open_module("MRISuperRes")
        process_events()
        self.assertEqual(self.checks, [])
        self.answer(torch=MISSING)
        self.open()
        self.answer()
        self.reopen()
        self.assertEqual(len(self.checks), 2)
        self.reopen()
        self.assertEqual(len(self.checks), 2)

    def test_usable_packages_of_the_networks_are_shown_with_their_versions(self):
        self.answer(torch=("usable", "2.13.0+cpu", ""))
        self.open()
        self.assert_shows(
            "All packages are installed: PyTorch 2.13.0 (CPU), safetensors 3.1 and 12 optional "
            "ones.",
            "Check packages",
        )

    def test_missing_optional_packages_are_left_to_the_tasks_that_need_them(self):
        self.answer(**{name: MISSING for name in ALL if name not in ("torch", "safetensors")})
        self.open()
        self.assert_shows(
            "Networks can run: PyTorch 3.1, safetensors 3.1. Other packages are offered when "
            "needed.",
            "Check packages",
        )

    def test_missing_packages_of_the_networks_are_offered(self):
        self.answer(torch=MISSING, pyiqa=MISSING)
        self.open()
        self.assert_shows(
            "PyTorch is not installed. Upsampling with networks needs PyTorch and safetensors.",
            "Install packages",
        )
        self.assertEqual(self.widget.packages.unusable, ["torch"])

    def test_broken_and_old_packages_are_repaired_even_if_optional(self):
        self.answer(spandrel=("broken", "0.4", "no torchvision::nms"), nibabel=("old", "3.0", ""))
        self.open()
        self.assert_shows(
            "nibabel 3.0 is too old; spandrel is broken (no torchvision::nms). "
            "Upsampling with the shipped models is not affected.",
            "Install packages",
        )
        answer_next(True)
        with expect_error("nibabel 3.0 is too old; spandrel is broken"):
            click(self.ui.packagesButton)
        self.wait()
        self.assertEqual(self.pip, [["nibabel>=5.2", "spandrel>=0.4"]])

    def test_panel_stays_responsive_during_a_check(self):
        self.ui.tabs.setCurrentWidget(self.ui.modelsTab)
        self.assert_shows("Checking packages …", "Check packages")
        self.assertFalse(self.ui.packagesButton.enabled)
        self.wait()
        self.assertTrue(self.ui.packagesButton.enabled)

    def test_button_checks_usable_packages_again(self):
        self.open()
        self.answer(torch=MISSING)
        click(self.ui.packagesButton)
        self.wait()
        self.assertEqual(self.ui.packagesButton.text, "Install packages")
        self.assertEqual(shown_dialogs(), [])

    def test_installation_follows_a_question_and_restarts_check_and_worker(self):
        self.answer(torch=MISSING)
        self.open()
        with (
            mock.patch.object(self.widget.packages, "_onInstalled") as installed,
            mock.patch.object(packages, "_pipInstall", lambda requirements: self.answer()),
        ):
            answer_next(True)
            click(self.ui.packagesButton)
            self.wait()
        self.assertEqual(len(shown_dialogs("torch, which are missing or unusable")), 1)
        installed.assert_called_once_with()
        self.assertEqual(self.ui.packagesButton.text, "Check packages")

    def test_declined_question_installs_nothing(self):
        self.answer(torch=MISSING)
        self.open()
        answer_next(False)
        click(self.ui.packagesButton)
        self.wait()
        self.assertEqual((self.pip, len(shown_dialogs())), ([], 1))

    def test_failed_installation_is_an_error_and_the_packages_are_offered_again(self):
        self.answer(torch=MISSING)
        self.open()
        for double, words in (
            (
                mock.Mock(side_effect=subprocess.CalledProcessError(1, ["pip"])),
                "torch could not be installed .pip exit code 1",
            ),
            (self.pip.append, "Installed, but not usable: PyTorch is not installed"),
        ):
            answer_next(True)
            with mock.patch.object(packages, "_pipInstall", double), expect_error(words):
                click(self.ui.packagesButton)
            self.wait()
            self.assertEqual(self.ui.packagesButton.text, "Install packages")

    def test_installation_is_refused_during_a_task(self):
        self.answer(torch=MISSING)
        self.open()
        self.widget.logic._worker = double_worker(self, "until_cancelled")
        run = self.widget.logic.upsample(make_volume(), model="bicubic", waitForCompletion=False)
        with expect_error("The packages are in use. Cancel the running task"):
            click(self.ui.packagesButton)
        self.wait()
        self.assertTrue(run.isRunning)
        run.cancel()
        wait_for_end(run)
        self.assertEqual(shown_dialogs("Install them now"), [])

    def test_cleanup_during_a_check_leaves_no_process(self):
        self.ui.tabs.setCurrentWidget(self.ui.modelsTab)
        wait_until(lambda: self.checks[0].pid)
        pid = self.checks[0].pid
        self.widget.cleanup()
        self.assertFalse(is_alive(pid))
        self.widget.setup()

    def test_tab_changes_with_the_states(self):
        """Take a picture of the tab."""
        reason = "libc10.so: cannot open shared object file: No such file or directory"
        self.answer(torch=("broken", "2.13.0+cpu", reason))
        self.open()
        broken = screenshot(self.area, "packages_broken", (540, 700)).read_bytes()
        self.answer(torch=("usable", "2.13.0+cpu", ""))
        self.reopen()
        self.assertNotEqual(screenshot(self.area, "packages", (540, 700)).read_bytes(), broken)


if __name__ == "__main__":
    unittest.main()
