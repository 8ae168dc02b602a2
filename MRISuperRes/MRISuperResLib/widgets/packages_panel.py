"""Section of the panel that shows, installs and repairs the Python packages."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from . import packages
from .package_check import PackageCheck

NAME, VERSION, REQUIRED, STATE, PURPOSE = range(5)
"""Columns of the table."""


class PackagesPanel:
    """Table of packages with check marks, and the buttons to check and install them.

    Packages are checked when the section is opened for the first time.

    Args:
        ui: Widgets of the panel.
        isBusy: Returns whether the worker process is busy; nothing is installed meanwhile.
        onInstalled: Called after packages were installed or replaced.
    """

    def __init__(self, ui, isBusy: Callable[[], bool], onInstalled: Callable[[], None]) -> None:
        self._ui, self._isBusy, self._onInstalled = ui, isBusy, onInstalled
        self._check = None
        self._states = {}
        self._fillTable()
        ui.packagesCollapsibleButton.collapsed = True
        ui.wheelFolderLineEdit.currentPath = packages.wheelFolder()
        ui.wheelFolderLineEdit.connect("currentPathChanged(QString)", self._onFolderChanged)
        ui.packagesCollapsibleButton.connect("contentsCollapsed(bool)", self._onCollapsed)
        ui.packagesTable.connect("itemChanged(QTableWidgetItem*)", self._onItemChanged)
        ui.checkPackagesButton.connect("clicked(bool)", self.check)
        ui.installPackagesButton.connect("clicked(bool)", self._onInstall)
        self._update()

    @property
    def isChecking(self) -> bool:
        """True while packages are checked."""
        return self._check is not None

    @property
    def chosen(self) -> list[str]:
        """Names of the packages that are checked in the table."""
        return [
            name
            for row, name in enumerate(packages.ALL)
            if self._ui.packagesTable.item(row, NAME).checkState() == qt.Qt.Checked
        ]

    def cleanup(self) -> None:
        """End a check before the panel is deleted."""
        if self._check:
            self._check.stop()
            self._check = None

    def check(self, checked: bool = False) -> None:
        """Check all packages in the background."""
        if not self.isChecking:
            self._check = PackageCheck(packages.probes(packages.ALL), self._onChecked)
            self._update()

    def _onCollapsed(self, collapsed):
        if not collapsed and not self._states:
            self.check()

    def _onChecked(self, states):
        self._check, self._states = None, states
        blocked = self._ui.packagesTable.blockSignals(True)
        for row, (name, state) in enumerate((name, states[name]) for name in packages.ALL):
            self._set(row, VERSION, state.version or "–")
            self._set(row, STATE, state.word(), state.text())
            isChosen = name in packages.REQUIREMENTS and not state.isUsable
            self._ui.packagesTable.item(row, NAME).setCheckState(
                qt.Qt.Checked if isChosen else qt.Qt.Unchecked
            )
        self._ui.packagesTable.blockSignals(blocked)
        self._ui.packagesTable.resizeRowsToContents()
        self._update()

    def _onItemChanged(self, item):
        names = list(packages.ALL)
        if names[item.row()] == "pyiqa" and item.checkState() == qt.Qt.Checked:
            # pyiqa is installed without its dependencies
            for name in packages.PERCEPTUAL_REQUIREMENTS:
                if name in self._states and not self._states[name].isUsable:
                    self._ui.packagesTable.item(names.index(name), NAME).setCheckState(
                        qt.Qt.Checked
                    )
        self._update()

    def _onFolderChanged(self, folder):
        packages.setWheelFolder(folder.strip())

    def _onInstall(self, checked=False):
        with slicer.util.tryWithErrorDisplay(_("The packages could not be installed.")):
            if self._isBusy():
                raise RuntimeError(
                    _("The packages are in use. Cancel the running task, or wait for its end.")
                )
            try:
                if packages.installPackages(self.chosen):
                    self._onInstalled()
            finally:
                self.check()

    def _update(self):
        ui, table = self._ui, self._ui.packagesTable
        ui.checkPackagesButton.enabled = not self.isChecking
        table.enabled = not self.isChecking
        ui.installPackagesButton.enabled = bool(self.chosen) and not self.isChecking
        ui.installPackagesButton.toolTip = (
            _("Install the checked packages, after a question")
            if self.chosen
            else _("Check the packages to install or repair.")
        )
        ui.packagesStatusLabel.text = self._status()

    def _status(self):
        if self.isChecking:
            return _("Checking packages …")
        if not self._states:
            return _("Not checked yet.")
        unusable = [
            self._states[name] for name in packages.REQUIREMENTS if not self._states[name].isUsable
        ]
        if unusable:
            return _(
                "Networks cannot run: {states}. Press “Install or repair”. "
                "Interpolation needs no packages."
            ).format(
                states="; ".join(
                    _("{name} is {state}").format(name=state.name, state=state.text())
                    for state in unusable
                )
            )
        return _("Networks can run. The other packages are optional.")

    def _fillTable(self):
        table = self._ui.packagesTable
        table.setColumnCount(5)
        table.setHorizontalHeaderLabels(
            [_("Package"), _("Installed"), _("Required"), _("State"), _("Purpose")]
        )
        table.verticalHeader().visible = False
        table.wordWrap = False  # one line per package; tooltips show long texts
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setSectionResizeMode(PURPOSE, qt.QHeaderView.Stretch)
        table.setRowCount(len(packages.ALL))
        for row, (name, requirement) in enumerate(packages.ALL.items()):
            distribution, version = requirement.split(">=")
            for column, text in (
                (NAME, distribution),
                (VERSION, ""),
                (REQUIRED, _("≥ {version}").format(version=version)),
                (STATE, ""),
                (PURPOSE, packages.purposesOf(name)),
            ):
                self._set(row, column, text)
            table.item(row, NAME).setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
            table.item(row, NAME).setCheckState(qt.Qt.Unchecked)

    def _set(self, row, column, text, toolTip=""):
        item = self._ui.packagesTable.item(row, column)
        if item is None:
            item = qt.QTableWidgetItem()
            item.setFlags(qt.Qt.ItemIsEnabled)
            self._ui.packagesTable.setItem(row, column, item)
        item.setText(text)
        item.setToolTip(toolTip or text)
