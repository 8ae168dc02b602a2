"""Which packages are missing, and by which of Slicer's ways they are installed; nothing is really installed."""

import importlib.metadata
import os
import sys
import types
import unittest
from unittest import mock

import slicer
from MRISuperResLib.gui import packages
from slicerhost.testing import answer_next, shown_dialogs


class PackagesTestCase(unittest.TestCase):
    def setUp(self):
        self.installed, self.byPyTorchUtils, self.calls, self.constraints = [], [], [], None
        self.present = set()
        self.replace(packages, "_exists", lambda name: name in self.present)
        self.replace(slicer.util, "pip_install", self.pipInstall)

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

    def pipInstall(self, arguments):
        """What pip would do: remembers the constraints, installs the rest."""
        self.calls.append(list(arguments))
        if arguments[0] == "--constraint":
            with open(arguments[1]) as file:
                self.constraints = dict(line.strip().split("==") for line in file)
            arguments = arguments[2:]
        requirements = [argument for argument in arguments if not argument.startswith("--")]
        self.installed += requirements
        imports = {requirement: name for name, requirement in (packages.PERCEPTUAL_REQUIREMENTS | packages.TRAINING_REQUIREMENTS).items()}
        self.present.update(imports.get(requirement) or requirement.split(">=")[0] for requirement in requirements)


class PackagesTest(PackagesTestCase):
    def test_missing_packages_are_named(self):
        self.present.add("safetensors")
        self.assertEqual(packages.missingPackages(), ["torch"])

    def test_import_of_checkpoints_needs_more(self):
        self.present |= {"torch", "safetensors", "torchvision"}
        self.assertEqual((packages.missingPackages(), packages.missingPackages(checkpoints=True)), ([], ["spandrel"]))
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
        self.assertEqual([dialog.kind for dialog in shown_dialogs("torch, safetensors")], ["question"])

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
                test.byPyTorchUtils.append((askConfirmation, torchVersionRequirement))
                test.present.add("torch")

        self.provide("PyTorchUtils", PyTorchUtilsLogic=PyTorchUtilsLogic)
        answer_next(True)
        self.assertTrue(packages.installPackages(["torch", "safetensors"]))
        self.assertEqual(len(self.byPyTorchUtils), 1)
        self.assertRegex(self.byPyTorchUtils[0][1], r"^>=[\d.]+$")
        self.assertEqual([requirement.split(">=")[0] for requirement in self.installed], ["safetensors"])

    def test_newer_slicer_installs_through_its_packaging_module(self):
        newer = []
        self.provide("slicer.packaging", pip_install=newer.extend)
        answer_next(True)
        packages.installPackages(["safetensors"])
        self.assertEqual((len(newer), self.installed), (1, []))

    def test_installation_that_brings_nothing_is_no_success(self):
        self.replace(slicer.util, "pip_install", lambda requirements: None)
        answer_next(True)
        self.assertFalse(packages.installPackages(["torch"]))

    def test_torch_is_announced_as_large_and_nothing_else_is(self):
        for names, isLarge in ((["torch"], True), (["safetensors"], False)):
            answer_next(False)
            packages.installPackages(names)
            self.assertEqual("GB" in shown_dialogs()[-1].text, isLarge)


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
        self.assertEqual(packages.missingPackages(perceptual=True), list(packages.PERCEPTUAL_REQUIREMENTS))

    def test_licence_is_shown_in_the_one_question_that_is_asked(self):
        answer_next(True)
        self.assertTrue(packages.installPackages(packages.missingPackages(perceptual=True)))
        question, = shown_dialogs()
        self.assertIn("PolyForm Noncommercial 1.0.0, allows no commercial use", question.text)
        self.assertNotIn("GB", question.text)

    def test_licence_is_not_mentioned_where_pyiqa_is_not_needed(self):
        answer_next(False)
        packages.installPackages(["safetensors"])
        self.assertNotIn("PolyForm", shown_dialogs()[0].text)

    def test_pyiqa_is_installed_without_its_dependencies(self):
        answer_next(True)
        packages.installPackages(packages.missingPackages(perceptual=True))
        self.assertEqual(self.calls[-1], ["--no-deps", packages.PERCEPTUAL_REQUIREMENTS["pyiqa"]])
        self.assertNotIn("pyiqa", " ".join(self.calls[0]))

    def test_nothing_that_the_application_relies_on_is_replaced(self):
        answer_next(True)
        packages.installPackages(packages.missingPackages(perceptual=True))
        self.assertEqual(self.constraints["numpy"], importlib.metadata.version("numpy"))
        self.assertEqual(self.constraints["SimpleITK"], importlib.metadata.version("SimpleITK"))
        self.assertFalse(os.path.exists(self.calls[0][1]))

    def test_package_that_pip_does_not_know_needs_no_constraint(self):
        with mock.patch.object(packages, "KEPT", ("no-such-package", "numpy")):
            answer_next(True)
            packages.installPackages(packages.missingPackages(perceptual=True))
        self.assertEqual(list(self.constraints), ["numpy"])

    def test_only_what_is_missing_is_installed(self):
        self.present.update(set(packages.PERCEPTUAL_REQUIREMENTS) - {"pyiqa"})
        answer_next(True)
        self.assertTrue(packages.installPackages(packages.missingPackages(perceptual=True)))
        self.assertEqual(self.calls, [["--no-deps", packages.PERCEPTUAL_REQUIREMENTS["pyiqa"]]])

    def test_torch_is_installed_first_where_it_is_missing_too(self):
        self.present.clear()
        answer_next(True)
        self.assertTrue(packages.installPackages(packages.missingPackages(perceptual=True)))
        self.assertTrue(self.calls[0][0].startswith("torch>="))
        self.assertEqual(len(shown_dialogs()), 1)

    def test_nothing_is_installed_where_the_user_declines_the_licence(self):
        answer_next(False)
        self.assertFalse(packages.installPackages(packages.missingPackages(perceptual=True)))
        self.assertEqual(self.calls, [])


if __name__ == "__main__":
    unittest.main()
