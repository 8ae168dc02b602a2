"""Which packages are missing, and by which of Slicer's ways they are installed; nothing is really installed."""

import sys
import types
import unittest
from unittest import mock

import slicer
from MRISuperResLib.gui import packages
from slicerhost.testing import answer_next, shown_dialogs


class PackagesTest(unittest.TestCase):
    def setUp(self):
        self.installed, self.byPyTorchUtils = [], []
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

    def pipInstall(self, requirements):
        self.installed += requirements
        self.present.update(requirement.split(">=")[0] for requirement in requirements)

    def test_missing_packages_are_named(self):
        self.present.add("safetensors")
        self.assertEqual(packages.missingPackages(), ["torch"])

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


if __name__ == "__main__":
    unittest.main()
