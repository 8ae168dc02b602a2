"""Which packages are missing or broken, and by which of Slicer's ways they are installed; nothing is really installed."""

import importlib.metadata
import os
import subprocess
import sys
import tempfile
import types
import unittest
import urllib.parse
import urllib.request
from pathlib import Path
from unittest import mock

import slicer
from MRISuperResLib.widgets import packages
from MRISuperResLib.widgets.package_check import PackageState
from slicerhost.testing import answer_next, shown_dialogs


class PackagesTestCase(unittest.TestCase):
    """present: names of what is there; broken: {name: reason} of what of it can't be imported."""

    def setUp(self):
        self.installed, self.byPyTorchUtils, self.calls, self.constraints = [], [], [], None
        self.present, self.broken = set(), {}
        self.replace(packages, "_exists", lambda name: name in self.present)
        self.replace(packages, "checkPackages", self.check)
        self.replace(
            packages,
            "installed_version",
            lambda name: (
                importlib.metadata.version(name)
                if name in ("numpy", "scipy", "SimpleITK") or name in self.present
                else ""
            ),
        )
        self.replace(slicer.util, "pip_install", self.pipInstall)
        self.addCleanup(packages.setWheelFolder, "")

    def replace(self, owner, name, double):
        patch = mock.patch.dict(vars(owner), {name: double})
        patch.start()
        self.addCleanup(patch.stop)

    def provide(self, name, **members):
        """A module that is there, with these members."""
        module = types.ModuleType(name)
        vars(module).update(members)
        patch = mock.patch.dict(sys.modules, {name: module})
        patch.start()
        self.addCleanup(patch.stop)
        self.present.add(name)

    def check(self, wanted):
        """What the child process would find."""
        return {
            name: PackageState(
                name,
                "1.0",
                "missing"
                if name not in self.present
                else "broken"
                if name in self.broken
                else "usable",
                self.broken.get(name, ""),
            )
            for name in wanted
        }

    def pipInstall(self, arguments):
        """What pip would do: remembers the constraints, installs the rest, and mends what it installs by force."""
        place = arguments.index("--constraint")
        with open(arguments[place + 1]) as file:
            self.constraintFile, self.constraints = (
                file.name,
                dict(line.strip().split("==") for line in file),
            )
        self.calls.append(arguments[:place] + arguments[place + 2 :])
        requirements = [argument for argument in self.calls[-1] if ">=" in argument]
        self.installed += requirements
        names = [name for name, requirement in packages.ALL.items() if requirement in requirements]
        self.present.update(names)
        if "--force-reinstall" in arguments:
            for name in names:
                self.broken.pop(name, None)


class PackagesTest(PackagesTestCase):
    def test_missing_packages_are_named(self):
        self.present.add("safetensors")
        self.assertEqual(packages.missingPackages(), ["torch"])

    def test_import_of_checkpoints_needs_more(self):
        self.present |= {"torch", "safetensors", "torchvision"}
        self.assertEqual(
            (packages.missingPackages(), packages.missingPackages(checkpoints=True)),
            ([], ["spandrel"]),
        )
        answer_next(True)
        self.assertTrue(packages.installPackages(["spandrel"]))
        self.assertIn("torch", self.constraints)

    def test_packages_are_looked_for_without_importing_them(self):
        before = set(sys.modules)
        self.doCleanups()
        packages.missingPackages()
        self.assertFalse({"torch", "safetensors"} & (set(sys.modules) - before))

    def test_user_is_told_what_is_installed(self):
        answer_next(True)
        self.assertTrue(packages.installPackages(["torch", "safetensors"]))
        self.assertEqual(
            [dialog.kind for dialog in shown_dialogs("torch, safetensors")], ["question"]
        )

    def test_nothing_is_installed_where_the_user_declines(self):
        answer_next(False)
        self.assertFalse(packages.installPackages(["torch"]))
        self.assertEqual(self.installed, [])

    def test_only_lower_bounds_are_asked_for(self):
        answer_next(True)
        packages.installPackages(["torch", "safetensors"])
        for requirement in self.installed:
            self.assertRegex(requirement, r"^\w+>=[\d.]+$")
        self.assertEqual(len(self.installed), 2)

    def test_torch_comes_through_the_extension_pytorch_where_it_is_there(self):
        test = self

        class PyTorchUtilsLogic:
            def installTorch(self, askConfirmation, torchVersionRequirement):
                test.byPyTorchUtils.append(("install", askConfirmation, torchVersionRequirement))
                with open(
                    urllib.request.url2pathname(
                        urllib.parse.urlsplit(os.environ["PIP_CONSTRAINT"]).path
                    )
                ) as file:
                    test.byPyTorchUtils.append(file.read())
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
        self.assertEqual(self.byPyTorchUtils[0], ("install", False, ">=2.2"))
        self.assertIn(f"numpy=={importlib.metadata.version('numpy')}", self.byPyTorchUtils[1])
        self.assertNotIn("torch", self.byPyTorchUtils[1])
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

    def test_newer_slicer_installs_through_its_packaging_module(self):
        newer = []
        self.provide("slicer.packaging", pip_install=newer.extend)
        answer_next(True)
        with self.assertRaisesRegex(RuntimeError, "not installed"):  # this double installs nothing
            packages.installPackages(["safetensors"])
        self.assertEqual((newer[-1], self.installed), ("safetensors>=0.4", []))

    def test_installation_that_brings_nothing_is_no_success(self):
        self.replace(slicer.util, "pip_install", lambda requirements: None)
        answer_next(True)
        with self.assertRaisesRegex(
            RuntimeError,
            "not everything can be used .*torch: not installed.*: restart the application",
        ):
            packages.installPackages(["torch"])

    def test_what_can_not_be_imported_afterwards_is_no_success_whatever_pip_says(self):
        self.broken["safetensors"] = "DLL load failed"
        answer_next(True)
        with self.assertRaisesRegex(RuntimeError, "safetensors: broken, DLL load failed"):
            packages.installPackages(["safetensors"])

    def test_failure_of_pip_is_told_in_a_sentence_that_says_what_to_do(self):
        self.replace(
            slicer.util,
            "pip_install",
            mock.Mock(side_effect=subprocess.CalledProcessError(1, ["pip"])),
        )
        answer_next(True)
        with self.assertRaisesRegex(
            RuntimeError,
            r"safetensors could not be installed \(pip has ended with code 1\): check the network, or choose a folder of wheels",
        ):
            packages.installPackages(["safetensors"])

    def test_no_file_is_left_whatever_happens(self):
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

    def test_nothing_that_the_application_relies_on_is_replaced(self):
        answer_next(True)
        packages.installPackages(["torch", "safetensors"])
        self.assertEqual(
            self.constraints,
            {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "SimpleITK")},
        )
        self.present.add("torch")
        answer_next(True)
        packages.installPackages(["safetensors"])
        self.assertEqual(self.constraints["torch"], importlib.metadata.version("torch"))
        self.assertIn(
            "no other version of numpy, scipy, SimpleITK, torch replaces", shown_dialogs()[-1].text
        )

    def test_torch_is_announced_as_large_and_nothing_else_is(self):
        for names, isLarge in ((["torch"], True), (["safetensors"], False)):
            answer_next(False)
            packages.installPackages(names)
            self.assertEqual("GB" in shown_dialogs()[-1].text, isLarge)

    def test_where_none_is_missing_those_that_can_not_be_imported_are_unusable(self):
        self.assertEqual(packages.unusablePackages(), ["torch", "safetensors"])
        self.present.update(("torch", "safetensors"))
        self.assertEqual(packages.unusablePackages(), [])
        self.broken["torch"] = "no c10.dll"
        self.assertEqual(packages.unusablePackages(), ["torch"])

    def test_what_is_there_and_broken_is_replaced_alone_and_then_completed(self):
        self.present.update(("torch", "safetensors"))
        self.broken["torch"] = "no c10.dll"
        answer_next(True)
        self.assertTrue(packages.installPackages(["torch"]))
        self.assertEqual(
            self.calls, [["--no-deps", "--force-reinstall", "torch>=2.2"], ["torch>=2.2"]]
        )
        self.assertNotIn("torch", self.constraints)

    def test_older_torch_is_not_replaced_and_the_user_is_told_how_to(self):
        self.replace(packages, "installed_version", lambda name: "2.1.2+cu118")
        with self.assertRaisesRegex(
            RuntimeError,
            r"PyTorch 2\.1\.2\+cu118 is installed, but 2\.2 or later is needed\. It is not replaced",
        ):
            packages.installPackages(["torch"])
        self.assertEqual((shown_dialogs(), self.calls), ([], []))


class OfflineTest(PackagesTestCase):
    """From a folder of wheels, without the network."""

    def setUp(self):
        super().setUp()
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="wheels of mine "))
        Path(self.folder, "safetensors-0.5-py3-none-any.whl").touch()

    def test_pip_is_kept_from_the_network(self):
        packages.setWheelFolder(self.folder)
        answer_next(True)
        packages.installPackages(["torch", "safetensors"])
        self.assertEqual(
            self.calls,
            [["--no-index", "--find-links", self.folder, "torch>=2.2", "safetensors>=0.4"]],
        )
        self.assertIn(
            f"They will be installed from the folder {self.folder};", shown_dialogs()[0].text
        )

    def test_the_extension_pytorch_is_not_asked_because_it_needs_the_network(self):
        self.provide("PyTorchUtils")
        packages.setWheelFolder(self.folder)
        answer_next(True)
        self.assertTrue(packages.installPackages(["torch"]))

    def test_folder_of_the_environment_counts_where_none_was_chosen(self):
        with mock.patch.dict(os.environ, {packages.WHEELS_VARIABLE: self.folder}):
            self.assertEqual(packages.wheelFolder(), self.folder)
            packages.setWheelFolder("/elsewhere")
            self.assertEqual(packages.wheelFolder(), "/elsewhere")
        packages.setWheelFolder("")
        self.assertEqual(packages.wheelFolder(), "")

    def test_folder_without_wheels_is_told_before_the_question(self):
        for folder in (
            os.path.join(self.folder, "gone"),
            self.enterContext(tempfile.TemporaryDirectory()),
        ):
            packages.setWheelFolder(folder)
            with self.assertRaisesRegex(
                RuntimeError, f"There is no wheel .* in the folder {folder}: choose another one"
            ):
                packages.installPackages(["safetensors"])
        self.assertEqual(shown_dialogs(), [])

    def test_failure_of_pip_says_what_the_folder_lacks(self):
        packages.setWheelFolder(self.folder)
        self.replace(
            slicer.util,
            "pip_install",
            mock.Mock(side_effect=subprocess.CalledProcessError(1, ["pip"])),
        )
        answer_next(True)
        with self.assertRaisesRegex(
            RuntimeError, f"put their wheels, and those of what they need, into {self.folder}"
        ):
            packages.installPackages(["torch"])


class TrainingTest(PackagesTestCase):
    def setUp(self):
        super().setUp()
        self.present.update({"torch", "safetensors"})

    def test_packages_of_the_training_are_missing_only_for_whom_trains(self):
        self.assertEqual(packages.missingPackages(), [])
        self.assertEqual(packages.missingPackages(training=True), ["accelerate", "nibabel"])

    def test_packages_of_the_training_replace_nothing_that_is_there(self):
        answer_next(True)
        self.assertTrue(packages.installPackages(packages.missingPackages(training=True)))
        self.assertIn("numpy", self.constraints)
        self.assertNotIn("PolyForm", shown_dialogs()[0].text)


class PerceptualTest(PackagesTestCase):
    """pyiqa, for NIQE and PI, beside an installed PyTorch."""

    def setUp(self):
        super().setUp()
        self.present.update({"torch", "safetensors"})

    def test_packages_of_niqe_are_missing_only_for_whom_asks_for_niqe(self):
        self.assertEqual(packages.missingPackages(), [])
        self.assertEqual(
            packages.missingPackages(perceptual=True), list(packages.PERCEPTUAL_REQUIREMENTS)
        )

    def test_license_is_shown_in_the_one_question_that_is_asked(self):
        answer_next(True)
        self.assertTrue(packages.installPackages(packages.missingPackages(perceptual=True)))
        (question,) = shown_dialogs()
        self.assertIn("PolyForm Noncommercial 1.0.0, allows no commercial use", question.text)
        self.assertNotIn("GB", question.text)

    def test_license_is_not_mentioned_where_pyiqa_is_not_needed(self):
        answer_next(False)
        packages.installPackages(["safetensors"])
        self.assertNotIn("PolyForm", shown_dialogs()[0].text)

    def test_pyiqa_is_installed_without_its_dependencies(self):
        answer_next(True)
        packages.installPackages(packages.missingPackages(perceptual=True))
        self.assertEqual(self.calls[0], ["--no-deps", packages.PERCEPTUAL_REQUIREMENTS["pyiqa"]])
        self.assertNotIn("pyiqa", " ".join(self.calls[1]))

    def test_package_that_pip_does_not_know_needs_no_constraint(self):
        with mock.patch.object(packages, "KEPT", ("no-such-package", "numpy")):
            answer_next(True)
            packages.installPackages(packages.missingPackages(perceptual=True))
        self.assertEqual(list(self.constraints), ["numpy"])
        self.assertFalse(os.path.exists(self.constraintFile))

    def test_only_what_is_missing_is_installed(self):
        self.present.update(set(packages.PERCEPTUAL_REQUIREMENTS) - {"pyiqa"})
        answer_next(True)
        self.assertTrue(packages.installPackages(packages.missingPackages(perceptual=True)))
        self.assertEqual(self.calls, [["--no-deps", packages.PERCEPTUAL_REQUIREMENTS["pyiqa"]]])

    def test_torch_is_installed_along_where_it_is_missing_too(self):
        self.present.clear()
        answer_next(True)
        self.assertTrue(packages.installPackages(packages.missingPackages(perceptual=True)))
        self.assertIn("torch>=2.2", self.installed)
        self.assertEqual(len(shown_dialogs()), 1)

    def test_nothing_is_installed_where_the_user_declines_the_license(self):
        answer_next(False)
        self.assertFalse(packages.installPackages(packages.missingPackages(perceptual=True)))
        self.assertEqual(self.calls, [])


if __name__ == "__main__":
    unittest.main()
