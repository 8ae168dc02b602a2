"""Python packages of the worker process: which are missing or broken, and their installation."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from ..core.methods.registry import MIN_TORCH
from ..worker.package_probe import installed_version, is_older
from .package_check import checkPackages

REQUIREMENTS = {"torch": f"torch>={MIN_TORCH}", "safetensors": "safetensors>=0.4"}

PERCEPTUAL_REQUIREMENTS = {
    "torchvision": "torchvision>=0.18",
    "cv2": "opencv-python-headless>=4.5",
    "yaml": "pyyaml>=6.0",
    "requests": "requests>=2.28",
    "tqdm": "tqdm>=4.60",
    "huggingface_hub": "huggingface_hub>=0.20",
    "pyiqa": "pyiqa>=0.1.13",
}
"""For NIQE and PI: pyiqa and what it imports for them. Its other 60 dependencies are not used."""

TRAINING_REQUIREMENTS = {
    "accelerate": "accelerate>=1.0",
    "matplotlib": "matplotlib>=3.8",
    "nibabel": "nibabel>=5.2",
    "psutil": "psutil>=5.9",
}

CHECKPOINT_REQUIREMENTS = {"torchvision": "torchvision>=0.18", "spandrel": "spandrel>=0.4"}

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
IMPORTED_MODULES = {"pyiqa": "pyiqa.archs.niqe_arch"}
"""Module to import of a package, if it is not the package itself."""

KEPT = ("numpy", "scipy", "SimpleITK", "torch")
"""Never replaced by another version, because the application or other extensions rely on them."""

WHEELS_VARIABLE = "MRISUPERRES_WHEELS"
"""Environment variable: folder of wheels to install from. The folder set in the panel has priority.
"""
WHEELS_SETTING = "MRISuperRes/WheelFolder"


def missingPackages(
    perceptual: bool = False, training: bool = False, checkpoints: bool = False
) -> list[str]:
    """Return the names of the packages that are not installed, without importing any.

    Application and worker process share their packages.

    Args:
        perceptual: Include the packages for NIQE and PI.
        training: Include the packages for training.
        checkpoints: Include the packages for the import of checkpoints.
    """
    importlib.invalidate_caches()
    required = [
        *REQUIREMENTS,
        *(PERCEPTUAL_REQUIREMENTS if perceptual else ()),
        *(TRAINING_REQUIREMENTS if training else ()),
        *(CHECKPOINT_REQUIREMENTS if checkpoints else ()),
    ]
    return [name for name in dict.fromkeys(required) if not _exists(name)]


def unusablePackages() -> list[str]:
    """Return the packages of the networks that are missing or, if none is, fail to import.

    Takes seconds, so it is called only after a task has failed.
    """
    return missingPackages() or [
        name for name, state in checkPackages(probes(REQUIREMENTS)).items() if not state.isUsable
    ]


def purposesOf(name: str) -> str:
    """Return what a package is for, such as "NIQE, PI"."""
    return ", ".join(purpose for purpose, requirements in PURPOSES if name in requirements)


def probes(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return {package: (module to import, requirement)} for a PackageCheck."""
    return {name: (IMPORTED_MODULES.get(name, name), ALL[name]) for name in names}


def wheelFolder() -> str:
    """Return the folder of wheels to install from; empty for an installation from the network."""
    return qt.QSettings().value(WHEELS_SETTING, "") or os.environ.get(WHEELS_VARIABLE, "")


def setWheelFolder(folder: str) -> None:
    """Set the folder of wheels to install from; empty to install from the network."""
    qt.QSettings().setValue(WHEELS_SETTING, folder)


def _exists(name: str) -> bool:
    # find_spec raises an error for a loaded module without a spec
    return name in sys.modules or importlib.util.find_spec(name) is not None


def installPackages(names: Iterable[str]) -> bool:
    """Install or repair packages after a question, and check that they can be imported.

    Call it on the main thread only, and only when the packages are needed.

    Returns:
        False if the user declines.

    Raises:
        RuntimeError: A package cannot be installed or imported.
    """
    names = list(names)
    _checkTorchVersion(names)
    arguments = _wheelArguments()
    if not slicer.util.confirmOkCancelDisplay(_question(names), _("MRISuperRes")):
        return False
    with _constraints(excluded=names) as constraints:
        try:
            _install(list(names), [*arguments, "--constraint", constraints], bool(arguments))
        except subprocess.CalledProcessError as error:
            raise RuntimeError(_failure(names, error.returncode)) from error
    importlib.invalidate_caches()
    unusable = [
        f"{state.name} {state.text()}"
        for state in checkPackages(probes(names)).values()
        if not state.isUsable
    ]
    if unusable:
        raise RuntimeError(
            _(
                "Installed, but not usable: {packages}. Restart the application and try again, "
                "or see the application log."
            ).format(packages="; ".join(unusable))
        )
    return True


def _install(names: list[str], options: list[str], isOffline: bool) -> None:
    if "torch" in names and not isOffline and _exists("PyTorchUtils"):
        # the extension PyTorch selects the build for the graphics driver
        import PyTorchUtils

        logic = PyTorchUtils.PyTorchUtilsLogic()
        if _exists("torch"):
            logic.uninstallTorch()
        # It starts pip itself, hence the variable, whose paths must not contain spaces. It imports
        # torch in this process, which proves nothing about the worker.
        with (
            _environment(PIP_CONSTRAINT=Path(options[-1]).as_uri()),
            suppress(ImportError, OSError),
        ):
            logic.installTorch(
                askConfirmation=False, torchVersionRequirement=ALL["torch"].removeprefix("torch")
            )
        names.remove("torch")
    alone = [name for name in names if name == "pyiqa" or _exists(name)]
    for name in alone:  # a broken package is replaced alone, its dependencies follow
        repair = ["--force-reinstall"] if _exists(name) else []
        _pipInstall([*options, "--no-deps", *repair, ALL[name]])
    rest = [ALL[name] for name in names if name != "pyiqa"]
    if rest:
        _pipInstall([*options, *rest])


def _checkTorchVersion(names: list[str]) -> None:
    version, minimum = installed_version("torch"), REQUIREMENTS["torch"].split(">=")[1]
    if "torch" in names and is_older(version, minimum):
        raise RuntimeError(
            _(
                "PyTorch {version} is installed, but {minimum} or later is required. It is not "
                "replaced, because other extensions may use it. Uninstall it (module PyTorch "
                'Utils, or slicer.util.pip_uninstall("torch")) and try again.'
            ).format(version=version, minimum=minimum)
        )


def _question(names: list[str]) -> str:
    folder = wheelFolder()
    if folder:
        source = _("from the folder {folder}").format(folder=folder)
    elif "torch" in names:
        source = _("from the network (PyTorch: up to several GB)")
    else:
        source = _("from the network")
    text = _(
        "MRISuperRes needs the Python packages {names}, which are missing or unusable. "
        "They will be installed {source}. {kept} will keep their versions. "
    ).format(
        names=", ".join(names),
        source=source,
        kept=", ".join(name for name in KEPT if name not in names),
    )
    if "pyiqa" in names:
        text += _(
            "NIQE and PI are computed by pyiqa. Its license, PolyForm Noncommercial 1.0.0, allows "
            "no commercial use; installing it accepts the license. "
            "PSNR, SSIM and RMSE do not need it. "
        )
    return text + _("Install them now?")


def _failure(names: list[str], code: int) -> str:
    if wheelFolder():
        action = _("Add their wheels and those of their dependencies to {folder}").format(
            folder=wheelFolder()
        )
    else:
        action = _("Check the network, or set a wheel folder in the section Packages")
    return _(
        "{names} could not be installed (pip exit code {code}). {action}. "
        "See the application log for details."
    ).format(names=", ".join(names), code=code, action=action)


def _wheelArguments() -> list[str]:
    """Return the arguments of pip for an installation from the wheel folder."""
    folder = wheelFolder()
    if not folder:
        return []
    if not any(Path(folder).glob("*.whl")):
        raise RuntimeError(
            _(
                "No wheel (.whl) in the folder {folder}. "
                "Choose another folder, or none to install from the network."
            ).format(folder=folder)
        )
    return ["--no-index", "--find-links", folder]


@contextmanager
def _constraints(excluded: list[str]) -> Iterator[str]:
    """Yield the path of a pip constraints file that pins the installed versions of `KEPT`."""
    os.makedirs(slicer.app.temporaryPath, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", prefix="MRISuperRes-", suffix=".txt", dir=slicer.app.temporaryPath, delete=False
    ) as file:
        versions = {name: installed_version(name) for name in KEPT if name not in excluded}
        # pip leaves packages without metadata alone
        file.writelines(f"{name}=={version}\n" for name, version in versions.items() if version)
    try:
        yield file.name
    finally:
        os.remove(file.name)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set environment variables for the child processes started meanwhile."""
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


def _pipInstall(arguments: list[str]) -> None:
    if _exists("slicer.packaging"):  # Slicer 5.12: shows progress
        from slicer.packaging import pip_install
    else:
        from slicer.util import pip_install
    pip_install(arguments)
