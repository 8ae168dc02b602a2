"""Python packages of the worker process: checks in a child process, installation by Slicer."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from ..core.methods.registry import MIN_TORCH
from ..worker.client import EventLoop, WorkerProcess
from ..worker.packages import (
    ALL,
    BROKEN,
    CHECKPOINT_REQUIREMENTS,
    MISSING,
    OLD,
    PERCEPTUAL_REQUIREMENTS,
    REQUIREMENTS,
    TRAINING_REQUIREMENTS,
    USABLE,
    installed_version,
    is_older,
)

KEPT = ("numpy", "scipy", "SimpleITK", "torch")
"""Never replaced by another version, because the application or other extensions rely on them."""

IMPORT_TIMEOUT = 120000
"""Time for the import of one package, ms: the first import of torch may take a minute."""


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
        name for name, state in checkPackages(REQUIREMENTS).items() if not state.isUsable
    ]


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
    version = installed_version("torch")
    if "torch" in names and is_older(version, MIN_TORCH):
        raise RuntimeError(
            _(
                "PyTorch {version} is installed, but {minimum} or later is required. It is not "
                "replaced, because other extensions may use it. Uninstall it (module PyTorch "
                'Utils, or slicer.util.pip_uninstall("torch")) and try again.'
            ).format(version=version, minimum=MIN_TORCH)
        )
    if not slicer.util.confirmOkCancelDisplay(_question(names), _("MRISuperRes")):
        return False
    try:
        with _constraints(excluded=names):
            _install(names)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(
            _(
                "{names} could not be installed (pip exit code {code}). Check the network and the "
                "application log. Without a network, see Troubleshooting in the documentation."
            ).format(names=", ".join(names), code=error.returncode)
        ) from error
    importlib.invalidate_caches()
    unusable = [state.text for state in checkPackages(names).values() if not state.isUsable]
    if unusable:
        raise RuntimeError(
            _(
                "Installed, but not usable: {packages}. Restart the application and try again, "
                "or see the application log."
            ).format(packages="; ".join(unusable))
        )
    return True


def _question(names: list[str]) -> str:
    text = _(
        "MRISuperRes needs the Python packages {names}, which are missing or unusable. "
        "{kept} will keep their versions. "
    ).format(names=", ".join(names), kept=", ".join(name for name in KEPT if name not in names))
    if "torch" in names:
        text += _("PyTorch takes up to several GB. ")
    if "pyiqa" in names:
        text += _(
            "NIQE and PI are computed by pyiqa. Its license, PolyForm Noncommercial 1.0.0, allows "
            "no commercial use; installing it accepts the license. "
            "PSNR, SSIM and RMSE do not need it. "
        )
    return text + _("Install them now?")


def _install(names: list[str]) -> None:
    # the extension PyTorch selects the build for the graphics driver, on the network only
    if "torch" in names and _exists("PyTorchUtils") and not os.environ.get("PIP_NO_INDEX"):
        import PyTorchUtils

        logic = PyTorchUtils.PyTorchUtilsLogic()
        if _exists("torch"):
            logic.uninstallTorch()
        # it imports torch in this process, which proves nothing about the worker
        with suppress(ImportError, OSError):
            logic.installTorch(askConfirmation=False, torchVersionRequirement=f">={MIN_TORCH}")
        names = [name for name in names if name != "torch"]
    broken = [name for name in names if _exists(name)]
    for name in broken:
        # pip regards it as installed: replace it alone, then install what it depends on
        slicer.util.pip_install(["--no-deps", "--force-reinstall", ALL[name]])
        if name != "pyiqa":
            slicer.util.pip_install([ALL[name]])
    missing = [name for name in names if name not in broken]
    if "pyiqa" in missing:
        missing.remove("pyiqa")
        slicer.util.pip_install(["--no-deps", ALL["pyiqa"]])
    if missing:
        _pipInstall([ALL[name] for name in missing])


def _pipInstall(requirements: list[str]) -> None:
    if _exists("slicer.packaging"):  # Slicer 5.12 and later
        from slicer.packaging import pip_ensure

        pip_ensure(requirements, prompt_install=False, requester="MRISuperRes")
    else:
        slicer.util.pip_install(requirements)


@contextmanager
def _constraints(excluded: list[str]) -> Iterator[None]:
    """Make every pip that is started meanwhile keep the installed versions of `KEPT`."""
    versions = {name: installed_version(name) for name in KEPT if name not in excluded}
    before = os.environ.get("PIP_CONSTRAINT")
    os.makedirs(slicer.app.temporaryPath, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="MRISuperRes-", dir=slicer.app.temporaryPath) as folder:
        file = Path(folder, "constraints.txt")
        # pip leaves packages without metadata alone
        file.write_text("".join(f"{name}=={text}\n" for name, text in versions.items() if text))
        # PyTorchUtils starts pip itself, hence the variable; spaces separate its parts
        os.environ["PIP_CONSTRAINT"] = f"{before or ''} {file.resolve().as_uri()}".strip()
        try:
            yield
        finally:
            del os.environ["PIP_CONSTRAINT"]
            if before is not None:
                os.environ["PIP_CONSTRAINT"] = before


@dataclass(frozen=True)
class PackageState:
    """Result of the check of one package.

    Attributes:
        name: Name of the package.
        state: State, see `worker.packages`.
        version: Installed version; empty if unknown.
        reason: Why a broken package cannot be imported.
    """

    name: str
    state: str
    version: str = ""
    reason: str = ""

    @property
    def isUsable(self) -> bool:
        """True if the package can be imported and is recent enough."""
        return self.state == USABLE

    @property
    def text(self) -> str:
        """Name and state, such as "PyTorch 2.13.0 (CPU)" or "PyTorch is not installed"."""
        name = "PyTorch" if self.name == "torch" else ALL[self.name].partition(">=")[0]
        version, _plus, build = self.version.partition("+")
        build = re.sub(r"^CU(\d+)(\d)$", r"CUDA \1.\2", build.upper())
        return {
            USABLE: f"{name} {version} ({build})" if build else f"{name} {version}",
            MISSING: _("{name} is not installed"),
            OLD: _("{name} {version} is too old"),
            BROKEN: _("{name} is broken ({reason})"),
        }[self.state].format(name=name, version=version, reason=self.reason)


class PackageCheck:
    """Imports of packages in a process of their own, one after the other.

    A package that ends the process, or whose import does not end, counts as broken.

    Args:
        names: Names of the packages.
        onDone: Called at the end with {name: PackageState}, unless the check was stopped.
    """

    def __init__(
        self, names: Iterable[str], onDone: Callable[[dict[str, PackageState]], None]
    ) -> None:
        self._waiting, self._states, self._onDone = list(names), {}, onDone
        self._worker = WorkerProcess()
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._worker.cancel)
        self._checkNext()

    def stop(self) -> None:
        """End the process; `onDone` is not called any more."""
        self._onDone = None
        self._timer.stop()
        self._worker.cleanup()

    def _checkNext(self):
        name = self._waiting[0]
        self._timer.start(IMPORT_TIMEOUT)
        self._worker.run({"request": "check", "id": name, "name": name}, self._onEvent)

    def _onEvent(self, event):
        self._timer.stop()
        name = self._waiting.pop(0)
        if event["event"] == "result":
            state = PackageState(name, event["state"], event["version"], event["reason"])
        else:
            reason = event.get("message", _("the import timed out")).partition(". ")[0]
            state = PackageState(name, BROKEN, reason=reason)
        self._states[name] = state
        if self._waiting and self._onDone:
            self._checkNext()
        else:
            qt.QTimer.singleShot(0, self._finish)  # outside of the signals of the process

    def _finish(self):
        onDone = self._onDone
        self.stop()
        if onDone:
            onDone(self._states)


def checkPackages(names: Iterable[str]) -> dict[str, PackageState]:
    """Return the states of packages; the application repaints meanwhile but takes no input."""
    loop, states = EventLoop(), {}

    def take(result):
        states.update(result)
        loop.quit()

    check = PackageCheck(names, take)  # noqa: F841 - must live until the end
    loop.run(takesInput=False)
    return states
