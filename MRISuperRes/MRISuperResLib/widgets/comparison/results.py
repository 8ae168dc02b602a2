"""What came of a comparison: views, maps, table, plot and files."""

import re

import qt
import slicer
from slicer.i18n import tr as _

from ...scene.comparison.maps import ComparisonMaps, mapKinds
from ...scene.comparison.nodes import ComparisonNodes
from .plot import ComparisonPlot
from .views import ComparisonViews

DOTS = "dots"


class ComparisonResults:
    """Shows one of the comparisons of the scene, and lets the user choose among them.

    ui: the widgets of the panel. The views are opened on request only; everything else is shown at once.
    """

    def __init__(self, ui):
        self._ui = ui
        self._found = []  # the comparisons of the scene, as they are listed
        self.comparison = self.views = (
            None  # the ComparisonNodes that are shown; their ComparisonViews
        )
        self._maps = self._mapSteps = None  # ComparisonMaps; what makes the next map
        self._observer = None
        self._isCheckPending = False
        self._plot = ComparisonPlot(ui.plotContainer)
        self._tableView = slicer.qMRMLTableView()
        self._tableView.minimumHeight = 150
        self._tableView.verticalHeader().visible = False  # numbers of rows say nothing
        ui.tableContainer.layout().addWidget(self._tableView)
        ui.comparisonComboBox.connect("currentIndexChanged(int)", self._onComparisonChosen)
        ui.showViewsButton.connect("clicked(bool)", self._onShowOrCloseViews)
        ui.removeComparisonButton.connect("clicked(bool)", self._onRemove)
        ui.zoomCheckBox.connect("toggled(bool)", self._onZoomToggled)
        ui.mapComboBox.connect("currentIndexChanged(int)", self._onMapChosen)
        ui.tableComboBox.connect("currentIndexChanged(int)", self._onTableChosen)
        ui.plotComboBox.connect("currentIndexChanged(int)", self._onPlotChosen)
        ui.saveTableButton.connect("clicked(bool)", self._onSaveTable)
        ui.saveSlicesButton.connect("clicked(bool)", self._onSaveSlices)
        ui.comparisonResultsWidget.visible = False

    def refresh(self, chosen=None):
        """Lists the comparisons of the scene. chosen: the one to be shown; None: as before, else the newest."""
        self._found = [
            comparison for comparison in ComparisonNodes.inScene() if comparison.isPresent
        ]
        _fill(self._ui.comparisonComboBox, [(comparison.title, None) for comparison in self._found])
        chosen = chosen or self.comparison
        self._show(chosen if chosen in self._found else self._found[-1] if self._found else None)

    def clear(self):
        """Shows nothing, and lets go of the scene."""
        self._show(None)

    def openViews(self):
        """Shows the pictures side by side; the layout of before comes back when they are closed."""
        if self.views is not None and self.views.open():
            self.views.showZoom(self._ui.zoomCheckBox.checked)
            self._onMapChosen()
        self._updateButtons()

    def _show(self, comparison):
        isAnother = comparison != self.comparison
        if isAnother:
            self._leave()
            self.comparison = comparison
        self._ui.comparisonResultsWidget.visible = comparison is not None
        if comparison is not None:
            _choose(self._ui.comparisonComboBox, self._found.index(comparison))
            if isAnother:
                self._enter()
            self._showTable()
            self._updateButtons()

    def _enter(self):
        comparison, ui = self.comparison, self._ui
        self._observer = slicer.mrmlScene.AddObserver(
            slicer.mrmlScene.NodeRemovedEvent, self._onNodeRemoved
        )
        self.views, self._maps = (
            ComparisonViews(comparison, self._updateButtons),
            ComparisonMaps(comparison),
        )
        _fill(
            ui.mapComboBox,
            [(_("None"), None)] + [(kind.title, kind.key) for kind in mapKinds(comparison)],
        )
        _fill(ui.tableComboBox, _tables(comparison))
        _fill(
            ui.plotComboBox, [(metric.heading, metric.key) for metric in comparison.table.metrics]
        )
        self._explainMap("")
        self._tableView.setMRMLScene(slicer.mrmlScene)
        self._plot.show(comparison)
        self._onPlotChosen()

    def _leave(self):
        self._mapSteps = None
        if self.views is not None:
            self.views.close()
        if self._observer is not None:
            slicer.mrmlScene.RemoveObserver(self._observer)
        self._tableView.setMRMLTableNode(None)
        self._plot.show(None)
        self.comparison = self.views = self._maps = self._observer = None

    def _updateButtons(self):
        isOpen = self.views is not None and self.views.isOpen
        ui = self._ui
        ui.showViewsButton.text = _("Close, keep results") if isOpen else _("Show again")
        ui.showViewsButton.toolTip = (
            _("Back to the layout of before; volumes, tables and plot stay in the scene")
            if isOpen
            else _("Show the pictures side by side")
        )
        ui.removeComparisonButton.text = (
            _("Close, remove results") if isOpen else _("Remove results")
        )
        ui.removeComparisonButton.toolTip = _(
            "Takes all volumes, tables, maps and the plot of this comparison out of the scene; the input volume stays"
        )
        for widget in (ui.mapComboBox, ui.zoomCheckBox):
            widget.enabled = isOpen

    def _onComparisonChosen(self, index):
        isOpen = self.views.isOpen
        self._show(self._found[index])
        if isOpen:
            self.openViews()

    def _onShowOrCloseViews(self, checked=False):
        if self.views.isOpen:
            self.views.close()
        else:
            self.openViews()

    def _onRemove(self, checked=False):
        comparison = self.comparison
        self._leave()
        comparison.remove()
        self.refresh()

    def _onZoomToggled(self, checked):
        if self.views is not None:
            self.views.showZoom(checked)

    # maps

    def _onMapChosen(self, index=None):
        """Makes what is missing of the maps, one after the other between other events."""
        kind = self._ui.mapComboBox.currentData
        self._mapSteps = None
        self._explainMap("")
        if kind is None:
            self._showMaps({})
        else:
            self._mapSteps = self._maps.steps(kind)
            self._makeMap(self._mapSteps, kind)

    def _makeMap(self, steps, kind):
        if steps is not self._mapSteps:
            return  # the user has chosen something else meanwhile
        with slicer.util.tryWithErrorDisplay(_("The maps could not be made.")):
            try:
                done, total = next(steps)
            except Exception as error:
                self._mapSteps = None
                self._explainMap("")
                if isinstance(error, MemoryError):
                    raise RuntimeError(
                        _(
                            "There is not enough memory for them: close other programs, or remove other volumes from the scene."
                        )
                    ) from error
                raise
            if done < total:
                self._explainMap(
                    _("Map {number} of {total} …").format(number=done + 1, total=total)
                )
                qt.QTimer.singleShot(0, lambda: self._makeMap(steps, kind))
            else:
                self._explainMap(
                    next(
                        (known.help for known in mapKinds(self.comparison) if known.key == kind), ""
                    )
                )
                self._showMaps(self._maps.found(kind))

    def _explainMap(self, text):
        self._ui.mapHelpLabel.text = text
        self._ui.mapHelpLabel.visible = bool(text)

    def _showMaps(self, maps):
        self.views.showMaps(maps)
        self._maps.updateLegends()

    # numbers

    def _onTableChosen(self, index=None):
        self._showTable()

    def _showTable(self):
        chosen = self._ui.tableComboBox.currentData
        isDots = chosen == DOTS
        self._tableView.setMRMLTableNode(
            self.comparison.dotsTableNode if isDots else self.comparison.tableNode
        )
        for column, metric in enumerate(self.comparison.table.metrics, start=1):
            self._tableView.setColumnHidden(column, not isDots and metric.region != chosen)
        self._tableView.resizeColumnsToContents()

    def _onPlotChosen(self, index=None):
        self.comparison.showMetric(self._ui.plotComboBox.currentData)

    def _onSaveTable(self, checked=False):
        self._save(self.comparison.table.csv(), _("{title}.csv"))

    def _onSaveSlices(self, checked=False):
        self._save(self.comparison.table.slice_csv(), _("{title}, slice by slice.csv"))

    def _save(self, text, pattern):
        name = re.sub(r'[\\/:*?"<>|]', "_", pattern.format(title=self.comparison.title))
        path = qt.QFileDialog.getSaveFileName(
            self._ui.comparisonResultsWidget, _("Save as CSV"), name, _("CSV files (*.csv)")
        )
        if path:
            with slicer.util.tryWithErrorDisplay(_("The numbers could not be saved.")):
                _write(path, text)

    # the scene

    def _onNodeRemoved(self, caller, event):
        """Looked at later: the user may be deleting many nodes."""
        if not self._isCheckPending:
            self._isCheckPending = True
            qt.QTimer.singleShot(0, self._checkNodes)

    def _checkNodes(self):
        self._isCheckPending = False
        if self.comparison is not None:
            self.refresh()


def _tables(comparison):
    """[(text, data)] of the parts of the table that can be shown."""
    regions = [
        (_("Whole image"), "image"),
        (_("Foreground, without the air"), "foreground"),
        (_("Without a reference"), ""),
    ]
    shown = {metric.region for metric in comparison.table.metrics}
    return [(text, region) for text, region in regions if region in shown] + (
        [(_("Planted bright dots"), DOTS)] if comparison.dots else []
    )


def _fill(comboBox, items):
    """items: (text, data); nobody is told."""
    blocked = comboBox.blockSignals(True)
    comboBox.clear()
    for text, data in items:
        comboBox.addItem(text, data)
    comboBox.blockSignals(blocked)


def _choose(comboBox, index):
    blocked = comboBox.blockSignals(True)
    comboBox.setCurrentIndex(index)
    comboBox.blockSignals(blocked)


def _write(path, text):
    try:
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise RuntimeError(
            _("“{path}” cannot be written ({reason}): choose another folder.").format(
                path=path, reason=error.strerror
            )
        ) from error
