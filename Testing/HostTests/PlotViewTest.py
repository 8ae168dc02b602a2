"""The plot view draws chart and series nodes."""

import unittest

import numpy as np
import slicer
from vtk.util.numpy_support import numpy_to_vtk


class PlotViewTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode")
        self.series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", "line")
        self.series.SetAndObserveTableNodeID(self.table().GetID())
        self.series.SetPlotType(self.series.PlotTypeScatter)
        self.series.SetXColumnName("x")
        self.series.SetYColumnName("y")
        self.series.SetColor(1, 0, 0)
        self.chart.AddAndObservePlotSeriesNodeID(self.series.GetID())
        self.viewNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotViewNode")
        self.viewNode.SetPlotChartNodeID(self.chart.GetID())
        self.view = slicer.qMRMLPlotView()
        self.view.setMRMLScene(slicer.mrmlScene)
        self.view.setMRMLPlotViewNode(self.viewNode)

    def table(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        for name, values in (
            ("x", [0, 1, 2, 3]),
            ("y", [1, np.nan, 3, 2]),
            ("z", [10, 20, 30, 40]),
        ):
            column = numpy_to_vtk(np.array(values, float), deep=True)
            column.SetName(name)
            node.AddColumn(column)
        return node

    def red_pixels(self):
        pixels = self.view._pixels().astype(int)
        return int(((pixels[..., 0] > 200) & (pixels[..., 1] < 80)).sum())

    def test_a_line_with_a_missing_point_is_drawn(self):
        self.view.resize(300, 200)
        self.assertGreater(self.red_pixels(), 50)
        self.assertEqual(self.view.chart().GetNumberOfPlots(), 1)

    def test_the_view_follows_the_series_and_the_chart(self):
        self.series.SetYColumnName("z")
        self.chart.SetYAxisTitle("height")
        self.view._pixels()
        self.assertEqual(self.view.chart().GetAxis(0).GetTitle(), "height")
        self.assertGreaterEqual(self.view.chart().GetAxis(0).GetMaximum(), 40)

    def test_a_missing_column_is_not_drawn(self):
        self.series.SetYColumnName("nothing")
        self.assertEqual(self.view.chart().GetNumberOfPlots(), 0)

    def test_a_view_without_a_node_is_empty(self):
        self.view.setMRMLPlotViewNode(None)
        self.assertEqual(self.red_pixels(), 0)


if __name__ == "__main__":
    unittest.main()
