"""Python packages that the worker needs beyond those of the application, and their check."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import re

from ..core.methods.registry import MIN_TORCH
from ..core.progress import CancelCheck, ProgressCallback
from .protocol import Request

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

ALL = REQUIREMENTS | PERCEPTUAL_REQUIREMENTS | TRAINING_REQUIREMENTS | CHECKPOINT_REQUIREMENTS
IMPORTED_MODULES = {"pyiqa": "pyiqa.archs.niqe_arch"}
"""Module to import of a package, if it is not the package itself."""

USABLE, MISSING, OLD, BROKEN = ("usable", "missing", "old", "broken")
"""States of a package."""


def check_package(
    request: Request, on_progress: ProgressCallback, is_cancelled: CancelCheck
) -> dict[str, str]:
    """Import a package; result fields: state, version ("" if unknown), reason.

    The state is one of the above, and the reason says why a broken package cannot be imported.
    Metadata does not suffice, since it also lists broken installations.
    """
    name: str = request["name"]
    distribution, minimum = ALL[name].split(">=")
    version = installed_version(distribution)
    try:
        module = importlib.import_module(IMPORTED_MODULES.get(name, name))
    except Exception as error:  # a broken package may raise anything
        if isinstance(error, ModuleNotFoundError) and error.name == name:
            return {"state": MISSING, "version": version, "reason": ""}
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        return {"state": BROKEN, "version": version, "reason": reason}
    # a package states its build ("2.13.0+cpu") where its metadata may not
    version = str(getattr(module, "__version__", "")) or version
    state = OLD if is_older(version, minimum) else USABLE
    return {"state": state, "version": version, "reason": ""}


def installed_version(distribution: str) -> str:
    """Return the version in the package metadata, or an empty text."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(distribution) or ""
    return ""


def is_older(version: str, minimum: str) -> bool:
    """Compare the leading numbers of two versions; an unknown version is not older."""
    return bool(_numbers(version)) and _numbers(version) < _numbers(minimum)


def _numbers(version: str) -> list[int]:
    leading = re.match(r"\d+(?:\.\d+)*", version)
    return [int(part) for part in leading[0].split(".")] if leading else []
