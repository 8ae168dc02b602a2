"""The Python packages of the worker: which are missing, and their installation."""

import importlib
import importlib.util
import sys

import slicer
from slicer.i18n import tr as _

REQUIREMENTS = {"torch": "torch>=2.2", "safetensors": "safetensors>=0.4"}


def missingPackages():
    """Names, found without importing anything: the worker has the same packages as the application."""
    importlib.invalidate_caches()
    return [name for name in REQUIREMENTS if not _exists(name)]


def _exists(name):
    # a module that the application has loaded by itself may have no spec, which find_spec does not forgive
    return name in sys.modules or importlib.util.find_spec(name) is not None


def installPackages(names):
    """Asks the user and installs. Returns False where the user declined. Raises an exception where the installation failed.

    Only on the main thread, and only when the packages are needed.
    """
    if not slicer.util.confirmOkCancelDisplay(
            _("MRISuperRes needs the Python packages {names}, which are not installed yet. They will be downloaded (PyTorch: up to several GB). "
              "Install them now?").format(names=", ".join(names)), _("MRISuperRes")):
        return False
    rest = list(names)
    if "torch" in rest and _exists("PyTorchUtils"):
        # the extension PyTorch finds the build that suits the graphics driver
        import PyTorchUtils

        PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=False, torchVersionRequirement=REQUIREMENTS["torch"].removeprefix("torch"))
        rest.remove("torch")
    if rest:
        _pipInstall([REQUIREMENTS[name] for name in rest])
    return not missingPackages()


def _pipInstall(requirements):
    if _exists("slicer.packaging"):  # Slicer 5.12: shows progress
        from slicer.packaging import pip_install
    else:
        from slicer.util import pip_install
    pip_install(requirements)
