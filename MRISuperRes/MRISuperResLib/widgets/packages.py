"""The Python packages of the worker: which are missing or broken, and their installation."""

import importlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from ..worker.package_probe import installed_version, is_older
from .package_check import checkPackages

REQUIREMENTS = {"torch": "torch>=2.2", "safetensors": "safetensors>=0.4"}

PERCEPTUAL_REQUIREMENTS = {
    "torchvision": "torchvision>=0.17",
    "cv2": "opencv-python-headless>=4.5",
    "yaml": "pyyaml>=6.0",
    "requests": "requests>=2.28",
    "tqdm": "tqdm>=4.60",
    "huggingface_hub": "huggingface_hub>=0.20",
    "pyiqa": "pyiqa>=0.1.13",
}
"""For NIQE and PI: pyiqa, and what it imports for them. It asks for more than sixty other packages, which it does not need here."""

TRAINING_REQUIREMENTS = {"accelerate": "accelerate>=0.30", "nibabel": "nibabel>=5.0"}
"""Of the training, which also reads volumes from their files."""

CHECKPOINT_REQUIREMENTS = {"torchvision": "torchvision>=0.17", "spandrel": "spandrel>=0.4"}
"""For the import of checkpoints."""

PURPOSES = (
    (_("networks"), REQUIREMENTS),
    (_("NIQE, PI"), PERCEPTUAL_REQUIREMENTS),
    (_("training"), TRAINING_REQUIREMENTS),
    (_("import"), CHECKPOINT_REQUIREMENTS),
)
ALL = {
    name: requirement
    for _purpose, requirements in PURPOSES
    for name, requirement in requirements.items()
}
USED_MODULES = {"pyiqa": "pyiqa.archs.niqe_arch"}
"""What is imported of a package, where that is not the package itself."""

KEPT = ("numpy", "scipy", "SimpleITK", "torch")
"""Never replaced by another version: the application, or another extension, relies on the one that it has."""

WHEELS_VARIABLE = "MRISUPERRES_WHEELS"
"""Environment variable: a folder of wheels, from which is installed instead of the network. The one that was chosen in the panel goes before."""
WHEELS_SETTING = "MRISuperRes/WheelFolder"


def missingPackages(perceptual=False, training=False, checkpoints=False):
    """Names, found without importing anything: the worker has the same packages as the application. perceptual: for NIQE and PI, too."""
    importlib.invalidate_caches()
    wanted = [
        *REQUIREMENTS,
        *(PERCEPTUAL_REQUIREMENTS if perceptual else ()),
        *(TRAINING_REQUIREMENTS if training else ()),
        *(CHECKPOINT_REQUIREMENTS if checkpoints else ()),
    ]
    return [name for name in wanted if not _exists(name)]


def unusablePackages():
    """Names of those for the networks that are missing, or, where none is, can't be imported. Takes seconds: for when a run has failed."""
    return missingPackages() or [
        name for name, state in checkPackages(toCheck(REQUIREMENTS)).items() if not state.isUsable
    ]


def purposesOf(name):
    """What a package is for, in a few words."""
    return ", ".join(purpose for purpose, requirements in PURPOSES if name in requirements)


def toCheck(names):
    """What PackageCheck asks for."""
    return {name: (USED_MODULES.get(name, name), ALL[name]) for name in names}


def wheelFolder():
    """The folder of wheels to install from; empty where they come from the network."""
    return qt.QSettings().value(WHEELS_SETTING, "") or os.environ.get(WHEELS_VARIABLE, "")


def setWheelFolder(folder):
    qt.QSettings().setValue(WHEELS_SETTING, folder)


def _exists(name):
    # a module that the application has loaded by itself may have no spec, which find_spec does not forgive
    return name in sys.modules or importlib.util.find_spec(name) is not None


def installPackages(names):
    """Asks the user, installs what is missing, repairs what is there, and looks whether it can be imported. Returns False where the user declined.

    Only on the main thread, and only when the packages are needed. Raises RuntimeError with a sentence where a package can't be used afterwards.
    """
    _checkThatTorchIsKept(names)
    arguments = _wheelArguments()
    if not slicer.util.confirmOkCancelDisplay(_question(names), _("MRISuperRes")):
        return False
    with _constraints(but=names) as constraints:
        try:
            _install(list(names), arguments + ["--constraint", constraints], bool(arguments))
        except subprocess.CalledProcessError as error:
            raise RuntimeError(_failure(names, error.returncode)) from error
    importlib.invalidate_caches()
    unusable = [
        f"{state.name}: {state.text()}"
        for state in checkPackages(toCheck(names)).values()
        if not state.isUsable
    ]
    if unusable:
        raise RuntimeError(
            _(
                "The installation has ended, but not everything can be used ({reasons}): restart the application and try again, or look into the "
                "application log."
            ).format(reasons="; ".join(unusable))
        )
    return True


def _install(names, options, isOffline):
    if "torch" in names and not isOffline and _exists("PyTorchUtils"):
        # the extension PyTorch finds the build that suits the graphics driver
        import PyTorchUtils

        logic = PyTorchUtils.PyTorchUtilsLogic()
        if _exists("torch"):
            logic.uninstallTorch()
        # it starts pip by itself, which takes a space for the end of a path; and it imports torch here, which says nothing of the worker
        with (
            _environment(PIP_CONSTRAINT=Path(options[-1]).as_uri()),
            suppress(ImportError, OSError),
        ):
            logic.installTorch(
                askConfirmation=False, torchVersionRequirement=ALL["torch"].removeprefix("torch")
            )
        names.remove("torch")
    alone = [name for name in names if name == "pyiqa" or _exists(name)]
    for name in alone:  # what is there, and broken, is replaced by itself, and then completed
        _pipInstall(
            [*options, "--no-deps", *(["--force-reinstall"] if _exists(name) else []), ALL[name]]
        )
    rest = [ALL[name] for name in names if name != "pyiqa"]
    if rest:
        _pipInstall([*options, *rest])


def _checkThatTorchIsKept(names):
    version, minimum = installed_version("torch"), REQUIREMENTS["torch"].split(">=")[1]
    if "torch" in names and is_older(version, minimum):
        raise RuntimeError(
            _(
                "PyTorch {version} is installed, but {minimum} or later is needed. It is not replaced, because other extensions may rely on it: "
                'uninstall it (in the module PyTorch Utils, or by slicer.util.pip_uninstall("torch")), and try again.'
            ).format(version=version, minimum=minimum)
        )


def _question(names):
    folder = wheelFolder()
    source = (
        _("from the folder {folder}").format(folder=folder)
        if folder
        else _("from the network") + (_(" (PyTorch: up to several GB)") if "torch" in names else "")
    )
    text = _(
        "MRISuperRes needs the Python packages {names}, which are not installed yet, or can't be used. They will be installed {source}; "
        "no other version of {kept} replaces the one that is there. "
    ).format(
        names=", ".join(names),
        source=source,
        kept=", ".join(name for name in KEPT if name not in names),
    )
    if "pyiqa" in names:
        text += _(
            "NIQE and PI are computed by pyiqa, whose license, PolyForm Noncommercial 1.0.0, allows no commercial use; "
            "PSNR, SSIM and RMSE do without it. By installing it you accept that license. "
        )
    return text + _("Install them now?")


def _failure(names, code):
    where = (
        _("put their wheels, and those of what they need, into {folder}").format(
            folder=wheelFolder()
        )
        if wheelFolder()
        else _(
            "check the network, or choose a folder of wheels in the section Packages of the panel"
        )
    )
    return _(
        "{names} could not be installed (pip has ended with code {code}): {where}; the application log has pip's own words."
    ).format(names=", ".join(names), code=code, where=where)


def _wheelArguments():
    """What keeps pip from the network. Raises RuntimeError where the chosen folder holds no wheel."""
    folder = wheelFolder()
    if not folder:
        return []
    if not any(Path(folder).glob("*.whl")):
        raise RuntimeError(
            _(
                "There is no wheel (.whl) in the folder {folder}: choose another one, or none to install from the network."
            ).format(folder=folder)
        )
    return ["--no-index", "--find-links", folder]


@contextmanager
def _constraints(but):
    """The path of a file that tells pip which packages must stay as they are: KEPT, but for those that are broken and to be installed."""
    os.makedirs(slicer.app.temporaryPath, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", prefix="MRISuperRes-", suffix=".txt", dir=slicer.app.temporaryPath, delete=False
    ) as file:
        versions = {name: installed_version(name) for name in KEPT if name not in but}
        file.writelines(
            f"{name}=={version}\n" for name, version in versions.items() if version
        )  # what pip does not know it will not touch
    try:
        yield file.name
    finally:
        os.remove(file.name)


@contextmanager
def _environment(**variables):
    """Environment variables for the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _pipInstall(arguments):
    if _exists("slicer.packaging"):  # Slicer 5.12: shows progress
        from slicer.packaging import pip_install
    else:
        from slicer.util import pip_install
    pip_install(arguments)
