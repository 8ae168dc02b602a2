"""Slice views and layouts use real logic, displayable managers and pixels."""

import unittest

import numpy as np
import slicer
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from panel_testing import drag, gray_values, process_events, real_data, screenshot, turn_wheel

LAYOUT, GRID = 5011, 5012
BAR = 22  # the controller above each view
XML = """<layout type="horizontal">
 <item><view class="vtkMRMLSliceNode" singletontag="HostA">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">A</property>
  <property name="viewcolor" action="default">#F34A33</property>
  <property name="viewgroup" action="default">7</property></view></item>
 <item><view class="vtkMRMLSliceNode" singletontag="HostB">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">B</property>
  <property name="viewcolor" action="default">#4A50F3</property>
  <property name="viewgroup" action="default">7</property></view></item>
</layout>"""
GRID_XML = """<layout type="grid">
 <item row="0" column="0"><view class="vtkMRMLSliceNode" singletontag="GridA"
  horizontalStretch="1" verticalStretch="3"/></item>
 <item row="0" column="1"><view class="vtkMRMLSliceNode" singletontag="GridB"
  horizontalStretch="1" verticalStretch="3"/></item>
 <item row="1" column="0"><view class="vtkMRMLSliceNode" singletontag="GridC"
  horizontalStretch="1" verticalStretch="2"/></item>
</layout>"""


def volume_of_blocks():
    """Make a volume of 40×40×10 voxels of 1 mm: left half dark, right half bright."""
    voxels = np.zeros((10, 40, 40), "int16")
    voxels[:, :, 20:] = 1000
    ijk_to_ras = np.array([[-1, 0, 0, 20], [0, -1, 0, 20], [0, 0, 1, -5], [0, 0, 0, 1.0]])
    node = slicer.util.addVolumeFromArray(voxels, ijk_to_ras, "Blocks")
    node.GetDisplayNode().SetAutoWindowLevel(0)
    node.GetDisplayNode().SetWindowLevel(1000, 500)
    node.GetDisplayNode().SetInterpolate(0)
    return node


class ViewsTestCase(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.manager = slicer.app.layoutManager()
        self.manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)


class SliceViewTest(ViewsTestCase):
    def setUp(self):
        super().setUp()
        self.node = volume_of_blocks()
        self.manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        self.manager.viewport().resize(200, 200 + BAR)
        self.manager.viewport().show()
        slicer.util.setSliceViewerLayers(background=self.node, fit=True)
        self.widget = self.manager.sliceWidget("Red")
        process_events()

    def test_a_volume_is_rendered_at_its_position(self):
        shown = gray_values(self.widget.sliceView())
        self.assertEqual(shown.shape, (200, 200))
        self.assertLess(shown[100, 50], 5)
        self.assertGreater(shown[100, 150], 250)

    def test_the_picture_follows_window_and_level(self):
        self.node.GetDisplayNode().SetWindowLevel(4000, 2000)
        process_events()
        shown = gray_values(self.widget.sliceView())
        self.assertTrue(50 < shown[100, 150] < 80, shown[100, 150])

    def test_pixels_map_to_patient_space_and_back(self):
        view = self.widget.sliceView()
        ras = view.convertXYZToRAS([100, 100, 0])
        np.testing.assert_allclose(view.convertRASToXYZ(ras), [100, 100, 0], atol=1e-9)
        np.testing.assert_allclose(ras[:2], [0.5, 0.5], atol=0.51)

    def test_annotations_are_drawn(self):
        before = gray_values(self.widget.sliceView())
        self.widget.sliceView().cornerAnnotation().SetText(7, "synthetic, not for diagnosis")
        self.widget.sliceView().scheduleRender()
        self.assertTrue((before != gray_values(self.widget.sliceView())).any())

    def test_the_wheel_moves_the_slice_through_the_real_interactor(self):
        logic = self.widget.sliceLogic()
        logic.SetSliceOffset(0)
        turn_wheel(self.widget.sliceView(), 2)
        self.assertEqual(logic.GetSliceOffset(), 2)
        turn_wheel(self.widget.sliceView(), -1)
        self.assertEqual(logic.GetSliceOffset(), 1)

    def test_dragging_with_the_right_button_zooms(self):
        before = self.fieldOfView()
        drag(self.widget.sliceView(), (100, 100), (100, 150), Qt.RightButton)
        self.assertLess(self.fieldOfView(), before)

    def test_dragging_with_the_middle_button_pans(self):
        drag(self.widget.sliceView(), (100, 100), (120, 100), Qt.MiddleButton)
        self.assertLess(gray_values(self.widget.sliceView())[100, 110], 5)
        self.assertGreater(gray_values(self.widget.sliceView())[100, 130], 250)

    def test_dragging_adjusts_window_and_level_in_that_mouse_mode(self):
        mode = slicer.app.applicationLogic().GetInteractionNode()
        mode.SetCurrentInteractionMode(mode.AdjustWindowLevel)
        self.addCleanup(mode.SetCurrentInteractionMode, mode.ViewTransform)
        drag(self.widget.sliceView(), (100, 100), (140, 80))
        self.assertGreater(self.node.GetDisplayNode().GetWindow(), 1000)
        self.assertGreater(self.node.GetDisplayNode().GetLevel(), 500)

    def test_double_clicks_maximize_and_restore_a_view(self):
        self.manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        for expected in (False, True):
            QTest.mouseDClick(self.widget.sliceView(), Qt.LeftButton)
            self.assertTrue(self.widget.isVisibleTo(self.manager.viewport()))
            self.assertEqual(
                self.manager.sliceWidget("Green").isVisibleTo(self.manager.viewport()), expected
            )

    def test_the_bar_above_the_view_shows_and_changes_the_offset(self):
        controller, logic = self.widget.sliceController(), self.widget.sliceLogic()
        logic.SetSliceOffset(2)
        slider = slicer.util.findChildren(controller, className="QSlider")[0]
        self.assertEqual(slider.value / slider.maximum, 2 / 4)
        slider.setValue(slider.minimum)
        self.assertEqual(logic.GetSliceOffset(), -5)

    def test_fitting_shows_the_whole_volume_again(self):
        drag(self.widget.sliceView(), (100, 100), (100, 150), Qt.RightButton)
        self.widget.sliceController().fitSliceToBackground()
        self.assertAlmostEqual(self.fieldOfView(), 40)

    def fieldOfView(self):
        return self.widget.mrmlSliceNode().GetFieldOfView()[0]

    def test_a_real_volume_is_rendered(self):
        node = slicer.util.loadVolume(str(real_data("brain", "openms_p01_study1_T2W.nii.gz")))
        slicer.util.setSliceViewerLayers(background=node, fit=True)
        process_events()
        self.assertGreater(gray_values(self.widget.sliceView()).std(), 10)


class LayoutTest(ViewsTestCase):
    def test_the_default_layout_has_the_three_slice_views(self):
        self.assertLessEqual({"Red", "Green", "Yellow"}, set(self.manager.sliceViewNames()))
        self.assertEqual(
            {
                name
                for name in self.manager.sliceViewNames()
                if self.manager.sliceWidget(name).isVisibleTo(self.manager.viewport())
            },
            {"Red", "Green", "Yellow"},
        )
        self.assertEqual(self.manager.sliceWidget("Red").mrmlSliceNode().GetOrientation(), "Axial")
        self.assertIsNone(self.manager.sliceWidget("Purple"))

    def test_a_custom_layout_makes_its_views(self):
        emitted = []
        self.manager.connect("layoutChanged(int)", emitted.append)
        self.show_custom_layout()
        self.assertLessEqual({"HostA", "HostB"}, set(self.manager.sliceViewNames()))
        self.assertEqual((self.manager.layout, emitted[-1]), (LAYOUT, LAYOUT))
        self.assertEqual(self.manager.sliceWidget("HostA").mrmlSliceNode().GetViewGroup(), 7)

    def test_names_of_hidden_views_remain_listed(self):
        self.show_custom_layout()
        self.assertIn("Red", self.manager.sliceViewNames())
        self.assertFalse(self.manager.sliceWidget("Red").isVisibleTo(self.manager.viewport()))

    def test_every_change_of_the_layout_node_is_signaled(self):
        emitted = []
        self.manager.connect("layoutChanged(int)", emitted.append)
        self.manager.layoutLogic().GetLayoutNode().Modified()
        self.assertEqual(emitted, [slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView])

    def test_an_unknown_layout_becomes_the_conventional_one(self):
        self.manager.setLayout(9999)
        self.assertEqual(self.manager.layout, slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)

    def test_a_grid_has_equal_columns_and_rows_in_proportion_to_their_stretch(self):
        self.show_custom_layout(GRID, GRID_XML)
        self.manager.viewport().resize(401, 501)
        self.manager.viewport().show()
        process_events()
        a, b, c = (self.manager.sliceWidget(name) for name in ("GridA", "GridB", "GridC"))
        self.assertEqual((a.width, b.width, c.width), (200, 200, 200))
        self.assertEqual((a.height, b.height, c.height), (300, 300, 200))
        self.assertEqual((c.x, c.y), (0, 301))

    def test_a_new_description_rebuilds_the_layout(self):
        node = self.manager.layoutLogic().GetLayoutNode()
        self.show_custom_layout()
        node.SetLayoutDescription(LAYOUT, XML.replace("HostB", "HostC"))
        self.addCleanup(node.SetLayoutDescription, LAYOUT, XML)
        self.assertTrue(self.manager.sliceWidget("HostC").isVisibleTo(self.manager.viewport()))
        self.assertFalse(self.manager.sliceWidget("HostB").isVisibleTo(self.manager.viewport()))

    def test_closing_the_scene_keeps_the_layout(self):
        self.show_custom_layout()
        slicer.mrmlScene.Clear(0)
        self.assertEqual(self.manager.layout, LAYOUT)
        self.assertTrue(self.manager.sliceWidget("HostA").isVisibleTo(self.manager.viewport()))

    def test_views_are_shown_side_by_side(self):
        self.show_custom_layout()
        path = screenshot(self.manager.viewport(), "host_layout", (400, 200))
        self.assertTrue(path.is_file())
        a, b = (self.manager.sliceWidget(name) for name in ("HostA", "HostB"))
        self.assertAlmostEqual(a.width, b.width, delta=4)
        self.assertGreater(a.width, 150)

    def test_linked_views_share_their_offset(self):
        self.show_custom_layout()
        node = volume_of_blocks()
        logics = [self.manager.sliceWidget(name).sliceLogic() for name in ("HostA", "HostB")]
        for logic in logics:
            logic.GetSliceCompositeNode().SetBackgroundVolumeID(node.GetID())
            logic.GetSliceCompositeNode().SetLinkedControl(True)
            logic.FitSliceToBackground()
        logics[0].StartSliceOffsetInteraction()
        logics[0].SetSliceOffset(3)
        logics[0].EndSliceOffsetInteraction()
        self.assertEqual(logics[1].GetSliceOffset(), 3)

    def test_a_change_of_the_layout_keeps_the_views(self):
        red = self.manager.sliceWidget("Red")
        self.show_custom_layout()
        self.manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self.assertIs(self.manager.sliceWidget("Red"), red)

    def test_views_work_after_closing_the_scene(self):
        slicer.util.setSliceViewerLayers(background=volume_of_blocks(), fit=True)
        slicer.mrmlScene.Clear(0)
        slicer.util.resetSliceViews()
        self.assertIsNone(
            self.manager.sliceWidget("Red").sliceLogic().GetBackgroundLayer().GetVolumeNode()
        )

    def show_custom_layout(self, layout=LAYOUT, xml=XML):
        node = self.manager.layoutLogic().GetLayoutNode()
        if not node.IsLayoutDescription(layout):
            node.AddLayoutDescription(layout, xml)
        self.manager.setLayout(layout)
