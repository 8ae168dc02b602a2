"""Plot view of qMRML: a VTK chart, drawn off screen from real chart and series nodes."""

import vtk
from PySide6.QtCore import Signal
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QWidget
from vtk.util.numpy_support import vtk_to_numpy


class qMRMLPlotView(QWidget):
    cppName = "qMRMLPlotView"
    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = self._node = self._tag = None
        self._view = vtk.vtkContextView()
        self._view.GetRenderWindow().SetOffScreenRendering(1)
        self._chart = vtk.vtkChartXY()
        self._view.GetScene().AddItem(self._chart)
        self.setMinimumSize(64, 64)

    def setMRMLScene(self, scene):
        if scene is not self._scene:
            self._scene = scene
            if self._node is not None and self._node.GetScene() is not scene:
                self.setMRMLPlotViewNode(None)
            self._refill()
            self.mrmlSceneChanged.emit(scene)

    def setMRMLPlotViewNode(self, node):
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        if node is not None:
            self._tag = node.AddObserver(node.PlotChartNodeChangedEvent, lambda *_: self._refill())
        self._refill()

    def chart(self):
        return self._chart

    def fitToContent(self):
        self._chart.RecalculateBounds()
        self.update()

    def _refill(self):
        self._chart.ClearPlots()
        chartNode = self._node.GetPlotChartNode() if self._scene and self._node else None
        if chartNode is not None:
            for n in range(chartNode.GetNumberOfPlotSeriesNodes()):
                self._addPlot(chartNode.GetNthPlotSeriesNode(n))
            self._describe(chartNode)
        self.update()

    def _addPlot(self, series):
        """Add a series; skip columns that cannot be drawn, as Slicer does."""
        table = series.GetTableNode().GetTable() if series and series.GetTableNode() else None
        names = [series.GetXColumnName(), series.GetYColumnName()] if table else []
        columns = [table.GetColumnByName(name) for name in names if name]
        if len(columns) < 2 or any(
            column is None or column.GetDataType() == vtk.VTK_STRING for column in columns
        ):
            return
        plot = self._chart.AddPlot(vtk.vtkChart.LINE)
        plot.SetInputData(table, *names)
        plot.SetLabel(series.GetName())
        plot.SetColorF(*series.GetColor())
        plot.SetWidth(series.GetLineWidth())
        plot.SetMarkerStyle(
            vtk.vtkPlotPoints.CIRCLE
            if series.GetMarkerStyle() == series.MarkerStyleCircle
            else vtk.vtkPlotPoints.NONE
        )
        plot.SetMarkerSize(series.GetMarkerSize())

    def _describe(self, node):
        self._chart.SetTitle((node.GetTitle() or "") if node.GetTitleVisibility() else "")
        self._chart.SetShowLegend(node.GetLegendVisibility())
        self._chart.GetLegend().GetLabelProperties().SetFontSize(node.GetLegendFontSize())
        for axis, title, isAuto, limits in (
            (
                vtk.vtkAxis.BOTTOM,
                node.GetXAxisTitle(),
                node.GetXAxisRangeAuto(),
                node.GetXAxisRange(),
            ),
            (
                vtk.vtkAxis.LEFT,
                node.GetYAxisTitle(),
                node.GetYAxisRangeAuto(),
                node.GetYAxisRange(),
            ),
        ):
            self._chart.GetAxis(axis).SetTitle(title or "")
            self._chart.GetAxis(axis).SetBehavior(vtk.vtkAxis.AUTO if isAuto else vtk.vtkAxis.FIXED)
            if not isAuto:
                self._chart.GetAxis(axis).SetRange(*limits)
            self._chart.GetAxis(axis).GetTitleProperties().SetFontSize(node.GetAxisTitleFontSize())
            self._chart.GetAxis(axis).GetLabelProperties().SetFontSize(node.GetAxisLabelFontSize())

    def _pixels(self):
        window = self._view.GetRenderWindow()
        window.SetSize(self.width, self.height)
        self._view.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(window)
        grabber.ReadFrontBufferOff()
        grabber.Update()
        width, height, _ = grabber.GetOutput().GetDimensions()
        return (
            vtk_to_numpy(grabber.GetOutput().GetPointData().GetScalars())
            .reshape(height, width, -1)[::-1, :, :3]
            .copy()
        )

    def paintEvent(self, event):
        pixels = self._pixels()
        height, width = pixels.shape[:2]
        painter = QPainter(self)
        painter.drawImage(
            self.rect, QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format_RGB888)
        )
        painter.end()
