"""Slice views and layouts: real logic, real displayable managers, real pixels."""
import unittest

import numpy as np
import qt
import slicer
from slicerhost.testing import process_events, real_data, screenshot

LAYOUT = 5011
XML = """<layout type="horizontal">
 <item><view class="vtkMRMLSliceNode" singletontag="HostA"><property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">A</property><property name="viewcolor" action="default">#F34A33</property>
  <property name="viewgroup" action="default">7</property></view></item>
 <item><view class="vtkMRMLSliceNode" singletontag="HostB"><property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">B</property><property name="viewcolor" action="default">#4A50F3</property>
  <property name="viewgroup" action="default">7</property></view></item>
</layout>"""


def volume_of_blocks():
    """40×40×10 voxels of 1 mm: left half dark, right half bright."""
    voxels = np.zeros((10, 40, 40), "int16")
    voxels[:, :, 20:] = 1000
    ijk_to_ras = np.array([[-1, 0, 0, 20], [0, -1, 0, 20], [0, 0, 1, -5], [0, 0, 0, 1.0]])
    node = slicer.util.addVolumeFromArray(voxels, ijk_to_ras, "Blocks")
    node.GetDisplayNode().SetAutoWindowLevel(0)
    node.GetDisplayNode().SetWindowLevel(1000, 500)
    node.GetDisplayNode().SetInterpolate(0)
    return node


def pixels(widget):
    """The grey values that a widget shows, (height, width)."""
    image = widget.grab().toImage().convertToFormat(qt.QImage.Format_Grayscale8)
    return np.frombuffer(bytes(image.constBits()), np.uint8).reshape(image.height(), image.bytesPerLine())[:, :image.width()]


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
        self.manager.viewport().resize(200, 200)
        self.manager.viewport().show()
        slicer.util.setSliceViewerLayers(background=self.node, fit=True)
        self.widget = self.manager.sliceWidget("Red")
        process_events()

    def test_a_volume_is_rendered_where_it_lies(self):
        shown = pixels(self.widget.sliceView())
        self.assertEqual(shown.shape, (200, 200))
        self.assertLess(shown[100, 50], 5)
        self.assertGreater(shown[100, 150], 250)

    def test_the_picture_follows_window_and_level(self):
        self.node.GetDisplayNode().SetWindowLevel(4000, 2000)
        process_events()
        shown = pixels(self.widget.sliceView())
        self.assertTrue(50 < shown[100, 150] < 80, shown[100, 150])

    def test_pixels_and_patient_space_correspond(self):
        view = self.widget.sliceView()
        ras = view.convertXYZToRAS([100, 100, 0])
        np.testing.assert_allclose(view.convertRASToXYZ(ras), [100, 100, 0], atol=1e-9)
        np.testing.assert_allclose(ras[:2], [0.5, 0.5], atol=0.51)

    def test_annotations_are_drawn(self):
        before = pixels(self.widget.sliceView())
        self.widget.sliceView().cornerAnnotation().SetText(7, "synthetic, not for diagnosis")
        self.widget.sliceView().scheduleRender()
        self.assertTrue((before != pixels(self.widget.sliceView())).any())

    def test_the_mouse_wheel_moves_the_slice_through_the_real_interactor(self):
        view, logic = self.widget.sliceView(), self.widget.sliceLogic()
        before = logic.GetSliceOffset()
        view.interactor().SetEventInformation(100, 100)
        view.interactor().InvokeEvent("EnterEvent")
        view.interactor().InvokeEvent("MouseWheelForwardEvent")
        self.assertNotEqual(logic.GetSliceOffset(), before)

    def test_a_real_volume_is_rendered(self):
        node = slicer.util.loadVolume(str(real_data("brain", "openms_p01_study1_T2W.nii.gz")))
        slicer.util.setSliceViewerLayers(background=node, fit=True)
        process_events()
        self.assertGreater(pixels(self.widget.sliceView()).std(), 10)


class LayoutTest(ViewsTestCase):
    def test_the_default_layout_has_the_three_slice_views(self):
        self.assertEqual(set(self.manager.sliceViewNames()), {"Red", "Green", "Yellow"})
        self.assertEqual(self.manager.sliceWidget("Red").mrmlSliceNode().GetOrientation(), "Axial")
        self.assertIsNone(self.manager.sliceWidget("Purple"))

    def test_an_own_layout_makes_its_views(self):
        said = []
        self.manager.connect("layoutChanged(int)", said.append)
        self.show_own_layout()
        self.assertEqual(self.manager.sliceViewNames(), ("HostA", "HostB"))
        self.assertEqual((self.manager.layout, said), (LAYOUT, [LAYOUT]))
        self.assertEqual(self.manager.sliceWidget("HostA").mrmlSliceNode().GetViewGroup(), 7)

    def test_views_are_shown_side_by_side(self):
        self.show_own_layout()
        path = screenshot(self.manager.viewport(), "host_layout", (400, 200))
        self.assertTrue(path.is_file())
        a, b = (self.manager.sliceWidget(name) for name in self.manager.sliceViewNames())
        self.assertAlmostEqual(a.width, b.width, delta=4)
        self.assertGreater(a.width, 150)

    def test_linked_views_follow_each_other(self):
        self.show_own_layout()
        node = volume_of_blocks()
        logics = [self.manager.sliceWidget(name).sliceLogic() for name in self.manager.sliceViewNames()]
        for logic in logics:
            logic.GetSliceCompositeNode().SetBackgroundVolumeID(node.GetID())
            logic.GetSliceCompositeNode().SetLinkedControl(True)
            logic.FitSliceToBackground()
        logics[0].StartSliceOffsetInteraction()
        logics[0].SetSliceOffset(3)
        logics[0].EndSliceOffsetInteraction()
        self.assertEqual(logics[1].GetSliceOffset(), 3)

    def test_a_view_survives_the_change_of_the_layout(self):
        red = self.manager.sliceWidget("Red")
        self.show_own_layout()
        self.manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self.assertIs(self.manager.sliceWidget("Red"), red)

    def test_closing_the_scene_leaves_the_views(self):
        slicer.util.setSliceViewerLayers(background=volume_of_blocks(), fit=True)
        slicer.mrmlScene.Clear(0)
        slicer.util.resetSliceViews()
        self.assertIsNone(self.manager.sliceWidget("Red").sliceLogic().GetBackgroundLayer().GetVolumeNode())

    def show_own_layout(self):
        node = self.manager.layoutLogic().GetLayoutNode()
        if not node.IsLayoutDescription(LAYOUT):
            node.AddLayoutDescription(LAYOUT, XML)
        self.manager.setLayout(LAYOUT)
