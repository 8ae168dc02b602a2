"""Checks of packages by importing them in a child process."""

import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import slicer  # noqa: F401 - starts the host
from MRISuperResLib.widgets import packages
from MRISuperResLib.widgets.packages import PackageCheck, PackageState, checkPackages
from MRISuperResLib.worker import client
from MRISuperResLib.worker.client import LIBRARY_FOLDER, WorkerProcess, WorkerState, workerCommand
from MRISuperResLib.worker.packages import ALL, is_older
from module_helpers import is_alive
from panel_testing import wait_until

PACKAGES = {
    "madegood": "__version__ = '1.2.3'",
    "madeold": "__version__ = '0.9.12'",
    "madetalkative": "import os; print('{}'); os.write(1, b'a C library\\n'); __version__ = '7'",
    "madebroken": "raise OSError('libtorch.so: cannot open shared object file\\nsecond line')",
    "madehalf": "import no_such_part",
    "madesilent": "",
    "madedeadly": "import os; os._exit(3)",
    "madeexiting": "raise SystemExit('goodbye')",
    "madeendless": "import threading; open(__path__[0] + '/started', 'w'); "
    "threading.Event().wait()",
}
REQUIREMENTS = {name: f"{name}>=1.0" for name in (*PACKAGES, "madenowhere")}


class PackageCheckTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, text in PACKAGES.items():
            (self.folder / name).mkdir()
            (self.folder / name / "__init__.py").write_text(text)
        self.enterContext(mock.patch.dict(ALL, REQUIREMENTS))
        self.use(self.command)

    def use(self, command):
        self.enterContext(
            mock.patch.object(packages, "WorkerProcess", lambda: WorkerProcess(command))
        )

    def command(self):
        return sys.executable, [
            "-c",
            f"import sys; sys.path[:0] = [{str(self.folder)!r}, {LIBRARY_FOLDER!r}]; "
            f"from MRISuperResLib.worker import child, packages; "
            f"packages.ALL.update({REQUIREMENTS!r}); child.main()",
        ]

    def check(self, *names, while_checking=lambda check: None):
        """Return {name: PackageState}."""
        done = []
        check = PackageCheck(names, done.append)
        while_checking(check)
        wait_until(lambda: done, timeout=60)
        self.assertEqual((len(done), list(done[0])), (1, list(names)))
        return done[0]

    def test_states_distinguish_usable_missing_and_old_packages(self):
        states = self.check("madegood", "madenowhere", "madeold", "madetalkative")
        self.assertEqual(
            [state.text for state in states.values()],
            [
                "madegood 1.2.3",
                "madenowhere is not installed",
                "madeold 0.9.12 is too old",
                "madetalkative 7",
            ],
        )
        self.assertEqual([state.isUsable for state in states.values()], [True, False, False, True])

    def test_package_that_does_not_state_its_version_has_that_of_its_metadata(self):
        information = self.folder / "madesilent-1.5.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Name: madesilent\nVersion: 1.5\n")
        self.assertEqual(self.check("madesilent")["madesilent"].text, "madesilent 1.5")

    def test_broken_package_has_a_one_line_reason(self):
        states = self.check("madebroken", "madehalf")
        self.assertEqual(
            [state.text for state in states.values()],
            [
                "madebroken is broken (libtorch.so: cannot open shared object file)",
                "madehalf is broken (No module named 'no_such_part')",
            ],
        )

    def test_package_that_ends_python_is_broken_and_the_others_are_checked(self):
        states = self.check("madegood", "madedeadly", "madeexiting", "madeold")
        self.assertEqual(
            [state.state for state in states.values()], ["usable", "broken", "broken", "old"]
        )
        self.assertIn("ended unexpectedly (exit code 3)", states["madedeadly"].reason)

    def test_import_that_times_out_is_broken_and_the_others_are_checked(self):
        def let_time_pass(check):
            wait_until((self.folder / "madeendless" / "started").exists)
            check._timer.start(0)

        self.enterContext(mock.patch.object(client, "CANCEL_TIMEOUT", 10))
        states = self.check("madeendless", "madegood", while_checking=let_time_pass)
        self.assertEqual(states["madeendless"].text, "madeendless is broken (the import timed out)")
        self.assertTrue(states["madegood"].isUsable)

    def test_every_import_has_a_time_limit(self):
        def look(check):
            self.assertEqual(
                (check._timer.isActive(), check._timer.interval), (True, packages.IMPORT_TIMEOUT)
            )

        self.check("madegood", while_checking=look)

    def test_missing_python_makes_all_packages_broken(self):
        self.use(lambda: ("/no/such/python", []))
        self.assertIn("The worker process did not start", self.check("madegood")["madegood"].text)
        self.use(workerCommand)
        with (
            mock.patch("shutil.which", return_value=None),
            mock.patch.object(sys, "executable", "/opt/Slicer/bin/SlicerApp-real"),
        ):
            states = self.check("madegood", "madeold")
        for state in states.values():
            self.assertEqual(
                (state.state, state.reason),
                ("broken", "The Python of the application was not found"),
            )

    def test_stopped_check_has_no_callback_and_no_process(self):
        done = []
        check = PackageCheck(["madeendless", "madegood"], done.append)
        wait_until((self.folder / "madeendless" / "started").exists)
        pid = check._worker.pid
        check.stop()
        self.assertFalse(is_alive(pid))
        self.assertIs(check._worker.state, WorkerState.STOPPED)
        self.assertEqual(done, [])

    def test_finished_check_leaves_no_process(self):
        pids = []

        def keep_pid(check):
            wait_until(lambda: check._worker.pid)
            pids.append(check._worker.pid)

        self.check("madegood", while_checking=keep_pid)
        self.assertFalse(is_alive(pids[0]))

    def test_application_can_wait_for_the_check(self):
        self.assertTrue(checkPackages(["madegood"])["madegood"].isUsable)

    def test_installed_packages_of_the_worker_are_found_with_their_version(self):
        self.use(workerCommand)
        state = self.check("requests")["requests"]
        self.assertTrue(state.isUsable)
        self.assertRegex(state.version, r"^\d+\.\d+")


class TextsTest(unittest.TestCase):
    def test_version_of_pytorch_names_its_build(self):
        for version, text in (
            ("2.13.0+cpu", "PyTorch 2.13.0 (CPU)"),
            ("2.13.0+cu128", "PyTorch 2.13.0 (CUDA 12.8)"),
            ("2.13.0+rocm6.2", "PyTorch 2.13.0 (ROCM6.2)"),
            ("2.13.0", "PyTorch 2.13.0"),
        ):
            self.assertEqual(PackageState("torch", "usable", version).text, text)

    def test_packages_have_the_names_by_which_they_are_installed(self):
        self.assertEqual(PackageState("yaml", "missing").text, "pyyaml is not installed")

    def test_versions_are_compared_by_their_numbers(self):
        for version, minimum, older in (
            ("2.13.0+cpu", "2.2", False),
            ("2.1.2", "2.2", True),
            ("0.10", "0.4", False),
            ("5.0.0.93", "4.5", False),
            ("2", "2.0", True),
            ("2.2rc1", "2.2", False),
            ("", "1.0", False),
            ("unknown", "1.0", False),
        ):
            with self.subTest(version, minimum=minimum):
                self.assertEqual(is_older(version, minimum), older)


if __name__ == "__main__":
    unittest.main()
