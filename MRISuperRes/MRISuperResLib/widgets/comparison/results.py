"""Results of a comparison: views, maps, score table, plot and CSV files."""

from __future__ import annotations

import re

import qt
import slicer
from slicer.i18n import tr as _

from ...scene.comparison.layout import COMPARISON_LAYOUT_ID, volumesInViews
from ...scene.comparison.maps import ComparisonMaps, mapKinds
from ...scene.comparison.nodes import ComparisonNodes
from ..appearance import showText
from ..idle_steps import IdleSteps
from .views import ComparisonViews, LinkedViews

LESIONS = "lesions"
"""Item data of the table of synthetic lesions."""
PLOT_VIEW_NAME = "MRISuperResPlot"


class ComparisonResults:
    """The comparisons of the scene, one of which is shown.

    The views are opened on request; table and plot are always shown.

    Args:
        ui: Widgets of the panel.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._found = []  # the comparisons in the order of the combo box
        self.comparison: ComparisonNodes | None = None
        self.views: ComparisonViews | None = None
        self._maps = self._observer = None
        self._mapSteps = IdleSteps(_("The maps could not be made."))
        self._openingSteps = IdleSteps(_("The views could not be opened."))
        self._isCheckPending = False
        self._plot = ComparisonPlot(ui.plotContainer)
        self._tableView = slicer.qMRMLTableView()
        self._tableView.minimumHeight = 150
        self._tableView.verticalHeader().visible = False
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

    def refresh(self, chosen: ComparisonNodes | None = None) -> None:
        """List the comparisons of the scene and show one.

        Args:
            chosen: Comparison to show; None: the same as before, or else the newest.
        """
        self._found = [
            comparison for comparison in ComparisonNodes.inScene() if comparison.isPresent
        ]
        _fill(self._ui.comparisonComboBox, [(comparison.title, None) for comparison in self._found])
        chosen = chosen or self.comparison
        self._show(chosen if chosen in self._found else self._found[-1] if self._found else None)

    def restore(self) -> None:
        """List the comparisons of another scene, and fill its views if it was saved with them."""
        self.refresh()
        qt.QTimer.singleShot(0, self._restoreViews)  # a scene has no views before it is loaded

    def clear(self) -> None:
        """Hide the results and release the scene."""
        self._found = []
        self._show(None)

    def openViews(self) -> None:
        """Show the images side by side until the views are closed."""
        if self.views is not None:
            self._openingSteps.start(self.views.prepare(), self._onPrepared)

    def _onPrepared(self):
        if self.views.open():
            self.views.showZoom(self._ui.zoomCheckBox.checked)
            self._onMapChosen()
        self._updateButtons()

    def _restoreViews(self):
        """Fill the views of a loaded scene, or leave their layout if the volumes are missing."""
        layoutManager = slicer.app.layoutManager()
        if layoutManager is None or layoutManager.layout != COMPARISON_LAYOUT_ID:
            return
        shown = volumesInViews()
        for comparison in self._found:
            if not LinkedViews.areShown() and not shown.isdisjoint(comparison.outputs.values()):
                self._show(comparison)
                self.openViews()
        if not LinkedViews.areShown():
            layoutManager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

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
        self.views = ComparisonViews(comparison, self._updateButtons)
        self._maps = ComparisonMaps(comparison)
        kinds = [(kind.title, kind.key) for kind in mapKinds(comparison)]
        _fill(ui.mapComboBox, [(_("None"), None), *kinds])
        _fill(ui.tableComboBox, _tables(comparison))
        _fill(
            ui.plotComboBox, [(metric.heading, metric.key) for metric in comparison.table.metrics]
        )
        self._explainMap("")
        self._tableView.setMRMLScene(slicer.mrmlScene)
        self._plot.show(comparison)
        self._onPlotChosen()

    def _leave(self):
        self._mapSteps.stop()
        self._openingSteps.stop()
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
        ui.showViewsButton.text = _("Close views") if isOpen else _("Show views")
        ui.showViewsButton.toolTip = (
            _("Restore the layout; the results stay in the scene")
            if isOpen
            else _("Show the images side by side")
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

    def _onMapChosen(self, index=None):
        """Make the missing maps one after the other, between other events."""
        kind = self._ui.mapComboBox.currentData
        self._mapSteps.stop()
        self._explainMap("")
        if kind is None:
            self.views.showMaps({})
        else:
            self._mapSteps.start(
                self._maps.steps(kind),
                lambda: self._onMapsMade(kind),
                self._onMapStep,
                lambda: self._explainMap(""),
            )

    def _onMapStep(self, step):
        done, total = step
        if done < total:
            self._explainMap(_("Map {number} of {total} …").format(number=done + 1, total=total))

    def _onMapsMade(self, kind):
        helps = {known.key: known.help for known in mapKinds(self.comparison)}
        self._explainMap(helps.get(kind, ""))
        self.views.showMaps(self._maps.found(kind))

    def _explainMap(self, text):
        showText(self._ui.mapHelpLabel, text)

    def _onTableChosen(self, index=None):
        self._showTable()

    def _showTable(self):
        chosen = self._ui.tableComboBox.currentData
        isLesions = chosen == LESIONS
        self._tableView.setMRMLTableNode(
            self.comparison.lesionTableNode if isLesions else self.comparison.tableNode
        )
        for column, metric in enumerate(self.comparison.table.metrics, start=1):
            self._tableView.setColumnHidden(column, not isLesions and metric.region != chosen)
        self._tableView.resizeColumnsToContents()

    def _onPlotChosen(self, index=None):
        self.comparison.showMetric(self._ui.plotComboBox.currentData)

    def _onSaveTable(self, checked=False):
        self._save(self.comparison.table.csv(), _("{title}.csv"))

    def _onSaveSlices(self, checked=False):
        self._save(self.comparison.table.slice_csv(), _("{title}, slices.csv"))

    def _save(self, text, pattern):
        name = re.sub(r'[\\/:*?"<>|]', "_", pattern.format(title=self.comparison.title))
        path = qt.QFileDialog.getSaveFileName(
            self._ui.comparisonResultsWidget, _("Save as CSV"), name, _("CSV files (*.csv)")
        )
        if path:
            with slicer.util.tryWithErrorDisplay(_("The scores could not be saved.")):
                _write(path, text)

    def _onNodeRemoved(self, caller, event):
        """Check once, after all nodes that are removed together are gone."""
        if not self._isCheckPending:
            self._isCheckPending = True
            qt.QTimer.singleShot(0, self._checkNodes)

    def _checkNodes(self):
        self._isCheckPending = False
        if self.comparison is not None:
            self.refresh()


class ComparisonPlot:
    """A plot view in the panel, so that the slice views keep their place.

    Args:
        container: QWidget with a layout. The plot view, which needs OpenGL, is made with the first
            chart.
    """

    def __init__(self, container) -> None:
        self._container = container
        self._view = self._viewNode = None

    def show(self, comparison: ComparisonNodes | None) -> None:
        """Show the chart of a comparison; None empties the plot."""
        self._forget()
        if comparison is None or comparison.plotChartNode is None:
            return
        if self._view is None:
            self._view = slicer.qMRMLPlotView()
            self._view.minimumHeight = 240
            self._container.layout().addWidget(self._view)
        self._view.setMRMLScene(slicer.mrmlScene)
        viewNode = slicer.vtkMRMLPlotViewNode()
        viewNode.SetName(PLOT_VIEW_NAME)
        viewNode.SetSingletonTag(PLOT_VIEW_NAME)
        viewNode.SetSaveWithScene(False)
        # the layout manager ignores views with another parent
        viewNode.SetAndObserveParentLayoutNodeID(comparison.hub.GetID())
        viewNode.SetDoPropagatePlotChartSelection(False)  # charts of other modules stay out
        self._viewNode = slicer.mrmlScene.AddNode(viewNode)
        self._viewNode.SetPlotChartNodeID(comparison.plotChartNode.GetID())
        self._view.setMRMLPlotViewNode(self._viewNode)

    def _forget(self):
        if self._viewNode is not None:
            self._view.setMRMLPlotViewNode(None)
            if slicer.mrmlScene.IsNodePresent(self._viewNode):
                slicer.mrmlScene.RemoveNode(self._viewNode)
            self._viewNode = None


def _tables(comparison):
    """Return [(text, item data)] of the tables that can be shown."""
    regions = [
        (_("Whole image"), "image"),
        (_("Foreground"), "foreground"),
        (_("No reference"), ""),
    ]
    available = {metric.region for metric in comparison.table.metrics}
    tables = [(text, region) for text, region in regions if region in available]
    return tables + ([(_("Synthetic lesions"), LESIONS)] if comparison.lesions else [])


def _fill(comboBox, items):
    """Fill a combo box with (text, item data) without signals."""
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
            _("“{path}” cannot be written ({reason}). Choose another folder.").format(
                path=path, reason=error.strerror
            )
        ) from error
