"""Section of the panel that shows and installs the Python packages."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from ..worker.packages import ALL, MISSING, REQUIREMENTS
from .packages import PackageCheck, installPackages


class PackagesPanel:
    """Status of the packages, and a button that installs them if they are unusable, or checks them.

    Packages are checked when the tab is opened, until they are usable. Missing optional packages
    are offered by the tasks that need them.

    Args:
        ui: Widgets of the panel.
        isBusy: Returns whether the worker process is busy; nothing is installed meanwhile.
        onInstalled: Called after packages were installed or replaced.
    """

    def __init__(self, ui, isBusy: Callable[[], bool], onInstalled: Callable[[], None]) -> None:
        self._button, self._label = ui.packagesButton, ui.packagesLabel
        self._isBusy, self._onInstalled = isBusy, onInstalled
        self._check, self._states = None, {}
        self._tab = ui.tabs.indexOf(ui.modelsTab)
        ui.tabs.connect("currentChanged(int)", self._onTabChanged)
        self._button.connect("clicked(bool)", self._onButton)
        self._update()

    @property
    def isChecking(self) -> bool:
        """True while packages are checked."""
        return self._check is not None

    @property
    def unusable(self) -> list[str]:
        """Names of the packages to install or repair."""
        return [
            name
            for name, state in self._states.items()
            if not state.isUsable and (name in REQUIREMENTS or state.state != MISSING)
        ]

    def cleanup(self) -> None:
        """End a check before the panel is deleted."""
        if self._check:
            self._check.stop()
            self._check = None

    def check(self) -> None:
        """Check all packages in the background."""
        if not self.isChecking:
            self._check = PackageCheck(ALL, self._onChecked)
            self._update()

    def _onTabChanged(self, current):
        if current == self._tab and (self.unusable or not self._states):
            self.check()

    def _onChecked(self, states):
        self._check, self._states = None, states
        self._update()

    def _onButton(self, checked=False):
        if not self.unusable:
            self.check()
            return
        with slicer.util.tryWithErrorDisplay(_("The packages could not be installed.")):
            if self._isBusy():
                raise RuntimeError(
                    _("The packages are in use. Cancel the running task, or wait for its end.")
                )
            try:
                if installPackages(self.unusable):
                    self._onInstalled()
            finally:
                self.check()

    def _update(self):
        self._label.text = self._status()
        self._button.enabled = not self.isChecking
        self._button.text = _("Install packages") if self.unusable else _("Check packages")
        self._button.toolTip = (
            _("Install or repair the packages, after a question")
            if self.unusable
            else _("Check that the packages can be imported")
        )

    def _status(self):
        if self.isChecking or not self._states:
            return _("Checking packages …")
        if self.unusable:
            problems = "; ".join(self._states[name].text for name in self.unusable)
            if set(self.unusable).isdisjoint(REQUIREMENTS):
                return _("{problems}. Upsampling with the shipped models is not affected.").format(
                    problems=problems
                )
            return _("{problems}. Upsampling with networks needs PyTorch and safetensors.").format(
                problems=problems
            )
        packages = ", ".join(self._states[name].text for name in REQUIREMENTS)
        if all(state.isUsable for state in self._states.values()):
            return _("All packages are installed: {packages} and {count} optional ones.").format(
                packages=packages, count=len(self._states) - len(REQUIREMENTS)
            )
        return _("Networks can run: {packages}. Other packages are offered when needed.").format(
            packages=packages
        )
