"""The section of the panel that shows the Python packages, installs and repairs them."""

import qt
import slicer
from slicer.i18n import tr as _

from . import packages
from .package_check import PackageCheck

NAME, VERSION, NEEDED, STATE, PURPOSE = range(5)  # columns


class PackagesPanel:
    """Nothing is looked at before the section is opened.

    ui: the widgets of the panel; isBusy(): whether a run is going on, whose worker would be ended; onInstalled(): packages have come, or were replaced.
    """

    def __init__(self, ui, isBusy, onInstalled):
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
    def isChecking(self):
        return self._check is not None

    @property
    def chosen(self):
        """Names of the packages that are checked in the table."""
        return [
            name
            for row, name in enumerate(packages.ALL)
            if self._ui.packagesTable.item(row, NAME).checkState() == qt.Qt.Checked
        ]

    def cleanup(self):
        """The panel is going away."""
        if self._check:
            self._check.stop()
            self._check = None

    def check(self, checked=False):
        """Looks at all packages; the panel stays alive meanwhile."""
        if not self.isChecking:
            self._check = PackageCheck(packages.toCheck(packages.ALL), self._onChecked)
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
            isChosen = (
                name in packages.REQUIREMENTS and not state.isUsable
            )  # what is optional is the user's choice
            self._ui.packagesTable.item(row, NAME).setCheckState(
                qt.Qt.Checked if isChosen else qt.Qt.Unchecked
            )
        self._ui.packagesTable.blockSignals(blocked)
        self._ui.packagesTable.resizeRowsToContents()
        self._update()

    def _onItemChanged(self, item):
        names = list(packages.ALL)
        if names[item.row()] == "pyiqa" and item.checkState() == qt.Qt.Checked:
            for (
                name
            ) in packages.PERCEPTUAL_REQUIREMENTS:  # which it does not ask for itself, see there
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
                    _(
                        "A volume is being processed with them: wait until it is finished, or cancel it."
                    )
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
            _("Installs what is checked, after a question")
            if self.chosen
            else _("Check the packages that are to be installed or repaired")
        )
        ui.packagesStatusLabel.text = self._status()

    def _status(self):
        if self.isChecking:
            return _("Looking at the packages …")
        if not self._states:
            return _("Press Check to see whether the packages can be used.")
        unusable = [
            self._states[name] for name in packages.REQUIREMENTS if not self._states[name].isUsable
        ]
        if unusable:
            return _(
                "The networks can't be used: {states}. Press Install / repair; interpolation needs none of them."
            ).format(
                states="; ".join(
                    _("{name} is {state}").format(name=state.name, state=state.text())
                    for state in unusable
                )
            )
        return _(
            "The networks have all that they need. The other packages are for what the table says."
        )

    def _fillTable(self):
        table = self._ui.packagesTable
        table.setColumnCount(5)
        table.setHorizontalHeaderLabels(
            [_("Package"), _("Installed"), _("Needed"), _("State"), _("For")]
        )
        table.verticalHeader().visible = False
        table.wordWrap = False  # a line for each; the tool tips have what is too long
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setSectionResizeMode(PURPOSE, qt.QHeaderView.Stretch)
        table.setRowCount(len(packages.ALL))
        for row, (name, requirement) in enumerate(packages.ALL.items()):
            distribution, version = requirement.split(">=")
            for column, text in (
                (NAME, distribution),
                (VERSION, ""),
                (NEEDED, _("≥ {version}").format(version=version)),
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
