"""Missing and broken packages, and their installation by Slicer; pip is a double."""

import os
import subprocess
import sys
import tomllib
import types
import unittest
import urllib.parse
import urllib.request
from pathlib import Path
from unittest import mock

import slicer
from MRISuperResLib.widgets import packages
from MRISuperResLib.widgets.packages import PackageState
from MRISuperResLib.worker.packages import (
    ALL,
    CHECKPOINT_REQUIREMENTS,
    PERCEPTUAL_REQUIREMENTS,
    REQUIREMENTS,
    TRAINING_REQUIREMENTS,
)
from panel_testing import answer_next, shown_dialogs

PROJECT = Path(__file__).resolve().parents[2]
VERSIONS = {"numpy": "2.4.6", "scipy": "1.17.1", "SimpleITK": "2.5.7", "torch": "2.13.0+cpu"}


class PackagesTestCase(unittest.TestCase):
    """present: installed packages; broken: {name: reason} of those that fail to import."""

    def setUp(self):
        self.installed, self.byPyTorchUtils, self.calls, self.constraints = [], [], [], None
        self.present, self.broken = set(), {}
        self.replace(packages, "_exists", lambda name: name in self.present)
        self.replace(packages, "checkPackages", self.check)
        self.replace(
            packages,
            "installed_version",
            lambda name: VERSIONS.get(name, "") if name != "torch" or name in self.present else "",
        )
        self.replace(slicer.util, "pip_install", self.pipInstall)
        self.use_variables()

    def use_variables(self, **variables):
        """Set the variables of pip."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        patch = mock.patch.dict(os.environ, kept | variables, clear=True)
        patch.start()
        self.addCleanup(patch.stop)

    def replace(self, owner, name, double):
        patch = mock.patch.dict(vars(owner), {name: double})
        patch.start()
        self.addCleanup(patch.stop)

    def provide(self, name, **members):
        """Provide a module with these members."""
        module = types.ModuleType(name)
        vars(module).update(members)
        patch = mock.patch.dict(sys.modules, {name: module})
        patch.start()
        self.addCleanup(patch.stop)
        self.present.add(name)

    def check(self, names):
        """Return the states that a child process would find."""
        return {
            name: PackageState(
                name,
                "missing"
                if name not in self.present
                else "broken"
                if name in self.broken
                else "usable",
                "1.0",
                self.broken.get(name, ""),
            )
            for name in names
        }

    def read_constraints(self):
        """Keep the {package: version} that pip would read."""
        self.constraint_file = Path(
            urllib.request.url2pathname(
                urllib.parse.urlsplit(os.environ["PIP_CONSTRAINT"].split()[-1]).path
            )
        )
        self.constraints = dict(
            line.split("==") for line in self.constraint_file.read_text().splitlines()
        )

    def pipInstall(self, arguments):
        """Mark the packages as installed and repaired."""
        self.read_constraints()
        self.calls.append(arguments)
        requirements = [argument for argument in arguments if ">=" in argument]
        self.installed += requirements
        names = [name for name, requirement in ALL.items() if requirement in requirements]
        self.present.update(names)
        if "--force-reinstall" in arguments:
            for name in names:
                self.broken.pop(name, None)


class PackagesTest(PackagesTestCase):
    def test_missing_packages_are_named(self):
        self.present.add("safetensors")
        self.assertEqual(packages.missingPackages(), ["torch"])

    def test_import_of_checkpoints_needs_spandrel(self):
        self.present |= {"torch", "safetensors", "torchvision"}
        self.assertEqual(
            (packages.missingPackages(), packages.missingPackages(checkpoints=True)),
            ([], ["spandrel"]),
        )
        answer_next(True)
        self.assertTrue(packages.installPackages(["spandrel"]))
        self.assertIn("torch", self.constraints)

    def test_packages_are_found_without_importing_them(self):
        before = set(sys.modules)
        self.doCleanups()
        packages.missingPackages()
        self.assertFalse({"torch", "safetensors"} & (set(sys.modules) - before))

    def test_question_lists_the_packages(self):
        answer_next(True)
        self.assertTrue(packages.installPackages(["torch", "safetensors"]))
        self.assertEqual(
            [dialog.kind for dialog in shown_dialogs("torch, safetensors")], ["question"]
        )

    def test_declined_question_installs_nothing(self):
        answer_next(False)
        self.assertFalse(packages.installPackages(["torch"]))
        self.assertEqual(self.installed, [])

    def test_requirements_have_only_lower_bounds(self):
        answer_next(True)
        packages.installPackages(["torch", "safetensors"])
        for requirement in self.installed:
            self.assertRegex(requirement, r"^\w+>=[\d.]+$")
        self.assertEqual(len(self.installed), 2)

    def test_torch_is_installed_by_the_extension_pytorch_if_present(self):
        test = self

        class PyTorchUtilsLogic:
            def installTorch(self, askConfirmation, torchVersionRequirement):
                test.byPyTorchUtils.append(("install", askConfirmation, torchVersionRequirement))
                test.read_constraints()
                test.present.add("torch")
                test.broken.pop("torch", None)
                raise ImportError(
                    "torch can't be imported into the application, which it need not be"
                )

            def uninstallTorch(self):
                test.byPyTorchUtils.append(("uninstall",))
                test.present.remove("torch")

        self.provide("PyTorchUtils", PyTorchUtilsLogic=PyTorchUtilsLogic)
        answer_next(True)
        self.assertTrue(packages.installPackages(["torch", "safetensors"]))
        self.assertEqual(self.byPyTorchUtils[0], ("install", False, ">=2.3"))
        self.assertEqual(self.constraints["numpy"], VERSIONS["numpy"])
        self.assertNotIn("torch", self.constraints)
        self.assertEqual(
            [requirement.split(">=")[0] for requirement in self.installed], ["safetensors"]
        )
        self.assertNotIn("PIP_CONSTRAINT", os.environ)

        self.broken["torch"] = "no c10.dll"
        self.byPyTorchUtils.clear()
        answer_next(True)
        self.assertTrue(packages.installPackages(["torch"]))
        self.assertEqual(
            [call[0] for call in self.byPyTorchUtils if isinstance(call, tuple)],
            ["uninstall", "install"],
        )

    def test_pytorch_utils_is_not_used_without_a_network(self):
        self.provide("PyTorchUtils")
        self.use_variables(PIP_NO_INDEX="1", PIP_FIND_LINKS="/wheels")
        answer_next(True)
        self.assertTrue(packages.installPackages(["torch"]))
        self.assertEqual(self.calls, [["torch>=2.3"]])

    def test_newer_slicer_installs_by_its_packaging_module_after_the_one_question(self):
        calls = []

        def pip_ensure(requirements, **options):
            self.read_constraints()
            calls.append((requirements, options))
            self.present.update(("torch", "safetensors"))

        self.provide("slicer.packaging", pip_ensure=pip_ensure)
        answer_next(True)
        self.assertTrue(packages.installPackages(["torch", "safetensors"]))
        ((requirements, options),) = calls
        self.assertEqual(requirements, ["torch>=2.3", "safetensors>=0.4"])
        self.assertEqual(options, {"prompt_install": False, "requester": "MRISuperRes"})
        self.assertIn("numpy", self.constraints)
        self.assertEqual(self.calls, [])

    def test_newer_slicer_repairs_packages_that_its_packaging_module_regards_as_installed(self):
        self.provide("slicer.packaging")
        self.present.add("safetensors")
        self.broken["safetensors"] = "DLL load failed"
        answer_next(True)
        self.assertTrue(packages.installPackages(["safetensors"]))
        self.assertIn("--force-reinstall", self.calls[0])

    def test_packages_are_those_of_the_python_package(self):
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = project["optional-dependencies"]
        self.assertLessEqual(set(REQUIREMENTS.values()), set(project["dependencies"]))
        self.assertLessEqual(
            set(TRAINING_REQUIREMENTS.values()), {*project["dependencies"], *extras["train"]}
        )
        self.assertEqual(set(CHECKPOINT_REQUIREMENTS.values()), set(extras["import"]))

    def test_installation_without_effect_is_an_error(self):
        self.replace(slicer.util, "pip_install", lambda requirements: None)
        answer_next(True)
        with self.assertRaisesRegex(
            RuntimeError,
            "Installed, but not usable: PyTorch is not installed. Restart the application",
        ):
            packages.installPackages(["torch"])

    def test_package_that_fails_to_import_after_installation_is_an_error(self):
        self.broken["safetensors"] = "DLL load failed"
        answer_next(True)
        with self.assertRaisesRegex(RuntimeError, "safetensors is broken \\(DLL load failed"):
            packages.installPackages(["safetensors"])

    def test_failure_of_pip_names_cause_and_action(self):
        self.replace(
            slicer.util,
            "pip_install",
            mock.Mock(side_effect=subprocess.CalledProcessError(1, ["pip"])),
        )
        answer_next(True)
        with self.assertRaisesRegex(
            RuntimeError,
            r"safetensors could not be installed \(pip exit code 1\)\. Check the network and ",
        ):
            packages.installPackages(["safetensors"])

    def test_installation_leaves_no_temporary_file(self):
        before = set(os.listdir(slicer.app.temporaryPath))
        answer_next(True)
        packages.installPackages(["safetensors"])
        self.replace(
            slicer.util,
            "pip_install",
            mock.Mock(side_effect=subprocess.CalledProcessError(1, ["pip"])),
        )
        answer_next(True)
        with self.assertRaises(RuntimeError):
            packages.installPackages(["torch"])
        self.assertEqual(set(os.listdir(slicer.app.temporaryPath)), before)

    def test_packages_of_the_application_keep_their_versions(self):
        answer_next(True)
        packages.installPackages(["torch", "safetensors"])
        self.assertEqual(
            self.constraints,
            {name: VERSIONS[name] for name in ("numpy", "scipy", "SimpleITK")},
        )
        self.present.add("torch")
        answer_next(True)
        packages.installPackages(["safetensors"])
        self.assertEqual(self.constraints["torch"], VERSIONS["torch"])
        self.assertIn(
            "numpy, scipy, SimpleITK, torch will keep their versions", shown_dialogs()[-1].text
        )

    def test_constraints_of_the_user_are_kept(self):
        ours = "https://example.org/ours.txt"
        self.use_variables(PIP_CONSTRAINT=ours)
        self.replace(
            slicer.util,
            "pip_install",
            lambda arguments: self.present.update(os.environ["PIP_CONSTRAINT"].split()),
        )
        answer_next(True)
        with self.assertRaises(RuntimeError):  # this double installs nothing
            packages.installPackages(["safetensors"])
        self.assertIn(ours, self.present)
        self.assertEqual((len(self.present), os.environ["PIP_CONSTRAINT"]), (2, ours))

    def test_only_torch_is_announced_as_large(self):
        for names, isLarge in ((["torch"], True), (["safetensors"], False)):
            answer_next(False)
            packages.installPackages(names)
            self.assertEqual("GB" in shown_dialogs()[-1].text, isLarge)

    def test_packages_that_fail_to_import_are_unusable_if_none_is_missing(self):
        self.assertEqual(packages.unusablePackages(), ["torch", "safetensors"])
        self.present.update(("torch", "safetensors"))
        self.assertEqual(packages.unusablePackages(), [])
        self.broken["torch"] = "no c10.dll"
        self.assertEqual(packages.unusablePackages(), ["torch"])

    def test_broken_package_is_replaced_alone_before_its_dependencies(self):
        self.present.update(("torch", "safetensors"))
        self.broken["torch"] = "no c10.dll"
        answer_next(True)
        self.assertTrue(packages.installPackages(["torch"]))
        self.assertEqual(
            self.calls, [["--no-deps", "--force-reinstall", "torch>=2.3"], ["torch>=2.3"]]
        )
        self.assertNotIn("torch", self.constraints)

    def test_older_torch_is_kept_and_the_error_explains_the_upgrade(self):
        self.replace(packages, "installed_version", lambda name: "2.1.2+cu118")
        with self.assertRaisesRegex(
            RuntimeError,
            r"PyTorch 2\.1\.2\+cu118 is installed, but 2\.3 or later is required\. It is not ",
        ):
            packages.installPackages(["torch"])
        self.assertEqual((shown_dialogs(), self.calls), ([], []))


class TrainingTest(PackagesTestCase):
    def setUp(self):
        super().setUp()
        self.present.update({"torch", "safetensors"})

    def test_packages_of_training_are_required_for_training_only(self):
        self.assertEqual(packages.missingPackages(), [])
        self.assertEqual(
            packages.missingPackages(training=True),
            ["accelerate", "matplotlib", "nibabel", "psutil"],
        )

    def test_packages_of_training_keep_installed_versions(self):
        answer_next(True)
        self.assertTrue(packages.installPackages(packages.missingPackages(training=True)))
        self.assertIn("numpy", self.constraints)
        self.assertNotIn("PolyForm", shown_dialogs()[0].text)


class PerceptualTest(PackagesTestCase):
    """Packages for NIQE and PI, with PyTorch installed."""

    def setUp(self):
        super().setUp()
        self.present.update({"torch", "safetensors"})

    def test_packages_of_niqe_are_required_for_niqe_only(self):
        self.assertEqual(packages.missingPackages(), [])
        self.assertEqual(packages.missingPackages(perceptual=True), list(PERCEPTUAL_REQUIREMENTS))

    def test_question_shows_the_license_of_pyiqa(self):
        answer_next(True)
        self.assertTrue(packages.installPackages(packages.missingPackages(perceptual=True)))
        (question,) = shown_dialogs()
        self.assertIn("PolyForm Noncommercial 1.0.0, allows no commercial use", question.text)
        self.assertNotIn("GB", question.text)

    def test_question_without_pyiqa_shows_no_license(self):
        answer_next(False)
        packages.installPackages(["safetensors"])
        self.assertNotIn("PolyForm", shown_dialogs()[0].text)

    def test_pyiqa_is_installed_without_its_dependencies(self):
        answer_next(True)
        packages.installPackages(packages.missingPackages(perceptual=True))
        self.assertEqual(self.calls[0], ["--no-deps", PERCEPTUAL_REQUIREMENTS["pyiqa"]])
        self.assertNotIn("pyiqa", " ".join(self.calls[1]))

    def test_package_without_metadata_has_no_constraint(self):
        with mock.patch.object(packages, "KEPT", ("no-such-package", "numpy")):
            answer_next(True)
            packages.installPackages(packages.missingPackages(perceptual=True))
        self.assertEqual(list(self.constraints), ["numpy"])
        self.assertFalse(self.constraint_file.exists())

    def test_only_missing_packages_are_installed(self):
        self.present.update(set(PERCEPTUAL_REQUIREMENTS) - {"pyiqa"})
        answer_next(True)
        self.assertTrue(packages.installPackages(packages.missingPackages(perceptual=True)))
        self.assertEqual(self.calls, [["--no-deps", PERCEPTUAL_REQUIREMENTS["pyiqa"]]])

    def test_missing_torch_is_installed_with_pyiqa(self):
        self.present.clear()
        answer_next(True)
        self.assertTrue(packages.installPackages(packages.missingPackages(perceptual=True)))
        self.assertIn("torch>=2.3", self.installed)
        self.assertEqual(len(shown_dialogs()), 1)

    def test_declined_license_installs_nothing(self):
        answer_next(False)
        self.assertFalse(packages.installPackages(packages.missingPackages(perceptual=True)))
        self.assertEqual(self.calls, [])


if __name__ == "__main__":
    unittest.main()
