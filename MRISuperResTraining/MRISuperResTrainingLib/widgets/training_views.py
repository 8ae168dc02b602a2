"""Curves and sample slices of a run in the views, updated while it trains."""

from __future__ import annotations

import os
from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from ..runs.record import SAMPLES, RunRecord
from ..scene.run_nodes import (
    LAYOUT_ID,
    PLOT_VIEWS,
    SLICE_VIEWS,
    Curves,
    SampleVolumes,
    describeLayout,
    lossLines,
    psnrLines,
    readSamples,
)


class TrainingViews:
    """Views of a run: open until `close`, another layout, or the end of the scene.

    Attributes:
        record: The run that was shown last.

    Args:
        onClosed: Called whenever the views are closed.
    """

    def __init__(self, onClosed: Callable[[], None]) -> None:
        self._onClosed = onClosed
        self._psnr = Curves("MRISuperRes training PSNR", _("PSNR (dB)"), markers=True)
        self._losses = Curves("MRISuperRes training losses", _("Loss (log10)"))
        self._samples, self._stamp = SampleVolumes(), None
        self._layoutManager, self._layoutBefore, self._observer = None, None, None
        self.record: RunRecord | None = None
        self._version: int | None = None  # version of the record in the charts

    @property
    def isOpen(self) -> bool:
        """True while the views are shown."""
        return self._layoutManager is not None

    def open(self, record: RunRecord) -> bool:
        """Show a run; return False without a main window."""
        layoutManager = slicer.app.layoutManager()
        if layoutManager is None:
            return False
        self.record, self._stamp, self._version = record, None, None
        if not self.isOpen:
            self._layoutManager = layoutManager
            layout = layoutManager.layout
            self._layoutBefore = (
                slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView if layout == LAYOUT_ID else layout
            )
            describeLayout(layoutManager.layoutLogic().GetLayoutNode())
            layoutManager.setLayout(LAYOUT_ID)
            layoutManager.connect("layoutChanged(int)", self._onLayoutChanged)
            self._observer = slicer.mrmlScene.AddObserver(
                slicer.mrmlScene.StartCloseEvent, self._onSceneClose
            )
        self.update()
        return True

    def update(self) -> None:
        """Show what is new of the run."""
        if not self.isOpen or slicer.mrmlScene.IsClosing() or slicer.mrmlScene.IsBatchProcessing():
            return
        charts = self._psnr.chart, self._losses.chart
        if self._version != self.record.version or not all(
            chart is not None and slicer.mrmlScene.IsNodePresent(chart) for chart in charts
        ):
            self._version = self.record.version
            self._psnr.show(psnrLines(self.record), self.record.total)
            self._losses.show(lossLines(self.record), self.record.total)
        for tag, curves in zip(PLOT_VIEWS, (self._psnr, self._losses)):
            view = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLPlotViewNode")
            if view is not None and view.GetPlotChartNodeID() != curves.chart.GetID():
                # otherwise another module that shows a chart would replace this one
                view.SetDoPropagatePlotChartSelection(False)
                view.SetPlotChartNodeID(curves.chart.GetID())
        self._updateSamples()

    def close(self) -> None:
        """Restore the previous layout and remove the nodes from the scene."""
        self._close(True)

    def _updateSamples(self):
        path = self.record.path / SAMPLES
        try:
            stamp = str(path), os.stat(path).st_mtime_ns
        except OSError:
            stamp = None
        if stamp is None:
            self._samples.remove()
        elif stamp != self._stamp or not self._areSamplesThere():
            samples = readSamples(path)
            if samples is not None:
                isNew = not self._areSamplesThere() or self._stamp is None
                self._samples.show(samples)
                if isNew:
                    self._showSamples()
        self._stamp = stamp

    def _areSamplesThere(self):
        nodes = self._samples.nodes
        return bool(nodes) and all(slicer.mrmlScene.IsNodePresent(node) for node in nodes.values())

    def _showSamples(self):
        for kind, tag in SLICE_VIEWS.items():
            widget = self._layoutManager.sliceWidget(tag)
            composite = widget.sliceLogic().GetSliceCompositeNode()
            composite.SetLinkedControl(True)
            composite.SetBackgroundVolumeID(self._samples.nodes[kind].GetID())
            for layer in (composite.SetForegroundVolumeID, composite.SetLabelVolumeID):
                layer(None)
        self._fit()
        qt.QTimer.singleShot(0, self._fit)  # the views do not have their sizes yet

    def _fit(self):
        if self.isOpen and self._areSamplesThere():
            count = self._samples.nodes["high"].GetImageData().GetDimensions()[2]
            middle = float(count // 2)  # the slice spacing is 1 mm
            for tag in SLICE_VIEWS.values():
                widget = self._layoutManager.sliceWidget(tag)
                widget.mrmlSliceNode().SetOrientationToAxial()
                widget.sliceLogic().FitSliceToAll()
                widget.sliceLogic().SetSliceOffset(middle)

    def _close(self, restoreLayout):
        if not self.isOpen:
            return
        layoutManager, self._layoutManager = self._layoutManager, None
        layoutManager.disconnect("layoutChanged(int)", self._onLayoutChanged)
        slicer.mrmlScene.RemoveObserver(self._observer)
        for tag in PLOT_VIEWS:
            view = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLPlotViewNode")
            if view is not None:
                view.SetPlotChartNodeID(None)
        for nodes in (self._psnr, self._losses, self._samples):
            nodes.remove()
        if restoreLayout:
            layoutManager.setLayout(self._layoutBefore)
        self._onClosed()

    def _onLayoutChanged(self, layout):
        # also called when a view of this layout is maximized
        if layout != LAYOUT_ID:
            self._close(False)

    def _onSceneClose(self, caller, event):
        self.close()
