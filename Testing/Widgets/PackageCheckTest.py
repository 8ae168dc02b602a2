"""Checks of packages by importing them in a child process."""

import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import slicer  # noqa: F401 - starts the host
from MRISuperResLib.worker import package_probe
from MRISuperResLib.widgets import package_check
from MRISuperResLib.widgets.package_check import (
    PackageCheck,
    PackageState,
    checkPackages,
    probeCommand,
)
from MRISuperResLib.worker.client import LIBRARY_FOLDER
from module_helpers import is_alive
from panel_testing import wait_until

PROBE = "from MRISuperResLib.worker.package_probe import main; main()"
PACKAGES = {
    "madegood": "__version__ = '1.2.3'",
    "madeold": "__version__ = '0.9.12'",
    "madetalkative": "import os; print('{}'); os.write(1, b'a C library\\n'); __version__ = '7'",
    "madebroken": "raise OSError('libtorch.so: cannot open shared object file\\nsecond line')",
    "madehalf": "import no_such_part",
    "madedeadly": "import os; os._exit(3)",
    "madeexiting": "raise SystemExit('goodbye')",
    "madeendless": "import threading; threading.Event().wait()",
}


class PackageCheckTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, text in PACKAGES.items():
            (self.folder / name).mkdir()
            (self.folder / name / "__init__.py").write_text(text)
        self.use(self.command)

    def use(self, command):
        self.enterContext(mock.patch.object(package_check, "probeCommand", command))

    def command(self, words):
        return sys.executable, [
            "-c",
            f"import sys; sys.path[:0] = [{str(self.folder)!r}, {LIBRARY_FOLDER!r}]; {PROBE}",
            *words,
        ]

    def check(self, *names, **options):
        """Return {name: PackageState}."""
        done = []
        check = PackageCheck(
            {name: (name, f"{name}>=1.0") for name in names}, done.append, **options
        )
        wait_until(lambda: done, timeout=60)
        self.assertEqual((len(done), list(done[0])), (1, list(names)))
        del check
        return done[0]

    def test_states_distinguish_usable_missing_and_old_packages(self):
        states = self.check("madegood", "madenowhere", "madeold", "madetalkative")
        self.assertEqual(
            list(states.values()),
            [
                PackageState("madegood", "1.2.3", "usable"),
                PackageState("madenowhere", "", "missing"),
                PackageState("madeold", "0.9.12", "old"),
                PackageState("madetalkative", "7", "usable"),
            ],
        )
        self.assertEqual([state.isUsable for state in states.values()], [True, False, False, True])
        self.assertEqual(
            [state.text() for state in states.values()],
            ["usable", "not installed", "too old", "usable"],
        )

    def test_broken_package_has_a_one_line_reason(self):
        states = self.check("madebroken", "madehalf")
        self.assertEqual(
            states["madebroken"].text(), "broken (libtorch.so: cannot open shared object file)"
        )
        self.assertEqual(states["madehalf"].text(), "broken (No module named 'no_such_part')")

    def test_package_that_ends_python_is_broken_and_the_others_are_checked(self):
        states = self.check("madegood", "madedeadly", "madeexiting", "madeold")
        self.assertEqual(
            [state.state for state in states.values()], ["usable", "broken", "broken", "old"]
        )
        self.assertEqual(states["madedeadly"].reason, "the import ends Python, exit code 3")

    def test_output_of_python_at_its_start_is_ignored(self):
        def command(words):
            program, (option, code, *rest) = self.command(words)
            return program, [option, "print('hello'); print([1]); print('{}'); " + code, *rest]

        self.use(command)
        self.assertTrue(self.check("madegood")["madegood"].isUsable)

    def test_import_that_times_out_is_broken(self):
        states = self.check("madeendless", "madegood", timeout=1500)
        self.assertEqual(states["madeendless"].text(), "broken (the import timed out)")
        self.assertTrue(states["madegood"].isUsable)

    def test_missing_python_makes_all_packages_broken(self):
        self.use(lambda words: ("/no/such/python", words))
        states = self.check("madegood")
        self.assertIn("broken (", states["madegood"].text())
        with (
            mock.patch("shutil.which", return_value=None),
            mock.patch.object(sys, "executable", "/opt/Slicer/bin/SlicerApp-real"),
        ):
            self.use(probeCommand)
            states = self.check("madegood")
        self.assertIn("The Python of the application was not found", states["madegood"].reason)

    def test_stopped_check_has_no_callback_and_no_process(self):
        done = []
        check = PackageCheck({"madeendless": ("madeendless", "madeendless>=1")}, done.append)
        check._process.waitForStarted()
        pid = check._process.processId()
        check.stop()
        self.assertFalse(is_alive(pid))
        self.assertEqual(done, [])

    def test_application_can_wait_for_the_check(self):
        self.assertTrue(
            checkPackages({"madegood": ("madegood", "madegood>=1.0")})["madegood"].isUsable
        )

    def test_installed_package_is_found_with_its_version(self):
        self.use(probeCommand)
        state = self.check("numpy")["numpy"]
        self.assertTrue(state.isUsable)
        self.assertRegex(state.version, r"^\d+\.\d+")


class VersionTest(unittest.TestCase):
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
                self.assertEqual(package_probe.is_older(version, minimum), older)

    def test_probe_needs_nothing_but_the_standard_library(self):
        import subprocess

        code = (
            f"import sys; sys.path.insert(0, {LIBRARY_FOLDER!r}); "
            f"sys.modules['numpy'] = None; {PROBE}"
        )
        run = subprocess.run(
            [sys.executable, "-c", code, "json", "json", "json", "1"],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ},
        )
        self.assertIn('"state": "usable"', run.stdout, run.stderr)


if __name__ == "__main__":
    unittest.main()
