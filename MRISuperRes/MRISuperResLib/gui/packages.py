"""The Python packages of the worker: which are missing, and their installation."""

import importlib
import importlib.metadata
import importlib.util
import os
import sys
import tempfile

import slicer
from slicer.i18n import tr as _

REQUIREMENTS = {"torch": "torch>=2.2", "safetensors": "safetensors>=0.4"}

PERCEPTUAL_REQUIREMENTS = {"torchvision": "torchvision>=0.17", "cv2": "opencv-python-headless>=4.5", "yaml": "pyyaml>=6.0", "requests": "requests>=2.28",
                           "tqdm": "tqdm>=4.60", "huggingface_hub": "huggingface_hub>=0.20", "pyiqa": "pyiqa>=0.1.13"}
"""For NIQE and PI: pyiqa, and what it imports for them. It asks for more than sixty other packages, which it does not need here."""

TRAINING_REQUIREMENTS = {"accelerate": "accelerate>=0.30", "nibabel": "nibabel>=5.0"}
"""Of the training, which also reads volumes from their files."""

CHECKPOINT_REQUIREMENTS = {"torchvision": "torchvision>=0.17", "spandrel": "spandrel>=0.4"}
"""For the import of checkpoints."""

KEPT = ("numpy", "scipy", "SimpleITK", "torch")
"""Never replaced by another version: the application, or another extension, relies on the one that it has."""


def missingPackages(perceptual=False, training=False, checkpoints=False):
    """Names, found without importing anything: the worker has the same packages as the application. perceptual: for NIQE and PI, too."""
    importlib.invalidate_caches()
    wanted = [*REQUIREMENTS, *(PERCEPTUAL_REQUIREMENTS if perceptual else ()), *(TRAINING_REQUIREMENTS if training else ()),
              *(CHECKPOINT_REQUIREMENTS if checkpoints else ())]
    return [name for name in wanted if not _exists(name)]


def _exists(name):
    # a module that the application has loaded by itself may have no spec, which find_spec does not forgive
    return name in sys.modules or importlib.util.find_spec(name) is not None


def installPackages(names):
    """Asks the user and installs. Returns False where the user declined. Raises an exception where the installation failed.

    Only on the main thread, and only when the packages are needed.
    """
    if not slicer.util.confirmOkCancelDisplay(_question(names), _("MRISuperRes")):
        return False
    rest = [name for name in names if name in REQUIREMENTS]
    if "torch" in rest and _exists("PyTorchUtils"):
        # the extension PyTorch finds the build that suits the graphics driver
        import PyTorchUtils

        PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=False, torchVersionRequirement=REQUIREMENTS["torch"].removeprefix("torch"))
        rest.remove("torch")
    if rest:
        _pipInstall([REQUIREMENTS[name] for name in rest])
    others = PERCEPTUAL_REQUIREMENTS | TRAINING_REQUIREMENTS | CHECKPOINT_REQUIREMENTS
    imports = [name for name in names if name in others and name != "pyiqa" and not _exists(name)]
    if imports:
        _installKeeping([others[name] for name in imports])
    if "pyiqa" in names:
        _pipInstall(["--no-deps", PERCEPTUAL_REQUIREMENTS["pyiqa"]])
    importlib.invalidate_caches()
    return all(_exists(name) for name in names)


def _question(names):
    text = _("MRISuperRes needs the Python packages {names}, which are not installed yet. They will be downloaded{size}. ").format(
        names=", ".join(names), size=_(" (PyTorch: up to several GB)") if "torch" in names else "")
    if "pyiqa" in names:
        text += _("NIQE and PI are computed by pyiqa, whose licence, PolyForm Noncommercial 1.0.0, allows no commercial use; "
                  "PSNR, SSIM and RMSE do without it. By installing it you accept that licence. ")
    return text + _("Install them now?")


def _installKeeping(requirements):
    """Installs packages that depend on others, of which KEPT stay as they are."""
    path = _writeConstraints()
    try:
        _pipInstall(["--constraint", path, *requirements])
    finally:
        os.remove(path)


def _writeConstraints():
    """A file that tells pip which packages must stay as they are."""
    with tempfile.NamedTemporaryFile("w", prefix="MRISuperRes-", suffix=".txt", dir=slicer.app.temporaryPath, delete=False) as file:
        for name in KEPT:
            try:
                file.write(f"{name}=={importlib.metadata.version(name)}\n")
            except importlib.metadata.PackageNotFoundError:
                pass  # not installed by pip, which will not touch it
    return file.name


def _pipInstall(arguments):
    if _exists("slicer.packaging"):  # Slicer 5.12: shows progress
        from slicer.packaging import pip_install
    else:
        from slicer.util import pip_install
    pip_install(arguments)
