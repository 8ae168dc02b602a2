"""The plot of a comparison inside the panel, so that the slice views stay as they are."""

import slicer

NAME = "MRISuperResPlot"


class ComparisonPlot:
    """container: a QWidget with a layout. The plot view is made with the first chart, because it needs OpenGL."""

    def __init__(self, container):
        self._container = container
        self._view = self._viewNode = None

    def show(self, comparison):
        """comparison: ComparisonNodes, or None for an empty plot."""
        self._forget()
        if comparison is None or comparison.plotChartNode is None:
            return
        if self._view is None:
            self._view = slicer.qMRMLPlotView()
            self._view.minimumHeight = 240
            self._container.layout().addWidget(self._view)
        self._view.setMRMLScene(slicer.mrmlScene)
        viewNode = slicer.vtkMRMLPlotViewNode()
        viewNode.SetName(NAME)
        viewNode.SetSingletonTag(NAME)
        viewNode.SetSaveWithScene(False)
        viewNode.SetAndObserveParentLayoutNodeID(
            comparison.hub.GetID()
        )  # the layout manager leaves the views of others alone
        viewNode.SetDoPropagatePlotChartSelection(
            False
        )  # a chart that is chosen in another module is not shown here
        self._viewNode = slicer.mrmlScene.AddNode(viewNode)
        self._viewNode.SetPlotChartNodeID(comparison.plotChartNode.GetID())
        self._view.setMRMLPlotViewNode(self._viewNode)

    def _forget(self):
        if self._viewNode is not None:
            self._view.setMRMLPlotViewNode(None)
            if slicer.mrmlScene.IsNodePresent(self._viewNode):
                slicer.mrmlScene.RemoveNode(self._viewNode)
            self._viewNode = None
