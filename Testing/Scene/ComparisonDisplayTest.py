"""The same window and level in all images of a comparison."""

import unittest

import numpy as np
import slicer
from MRISuperResLib.scene.comparison.layout import ComparisonDisplay
from scene_helpers import make_volume


class ComparisonDisplayTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.volumes = [
            make_volume(name=name, dtype=dtype)
            for name, dtype in (("a", np.int16), ("b", np.float32), ("c", np.uint8))
        ]
        self.displays = [volume.GetDisplayNode() for volume in self.volumes]
        for display, window in zip(self.displays, (100, 200, 300)):
            display.SetAutoWindowLevel(False)
            display.SetWindowLevel(window, window / 2)
            display.SetInterpolate(True)

    def windows(self):
        return [(display.GetWindow(), display.GetLevel()) for display in self.displays]

    def test_first_volume_gives_window_and_level(self):
        ComparisonDisplay(self.volumes)
        self.assertEqual(self.windows(), [(100, 50)] * 3)

    def test_change_in_one_volume_is_copied_to_the_others(self):
        ComparisonDisplay(self.volumes)
        for n, display in enumerate(self.displays):
            display.SetWindowLevel(40 + n, 30 + n)
            self.assertEqual(self.windows(), [(40 + n, 30 + n)] * 3)

    def test_automatic_window_of_one_volume_is_copied_to_the_others(self):
        ComparisonDisplay(self.volumes)
        self.displays[1].SetAutoWindowLevel(True)
        self.assertNotEqual(self.windows()[1], (100, 50))
        self.assertEqual(self.windows(), [self.windows()[1]] * 3)

    def test_interpolation_is_off(self):
        ComparisonDisplay(self.volumes)
        self.assertEqual([display.GetInterpolate() for display in self.displays], [0, 0, 0])

    def test_closing_restores_the_previous_display(self):
        self.displays[2].SetAutoWindowLevel(True)
        before = self.windows()
        display = ComparisonDisplay(self.volumes)
        self.displays[0].SetWindowLevel(7, 7)
        display.close()
        self.assertEqual(self.windows(), before)
        self.assertEqual([d.GetAutoWindowLevel() for d in self.displays], [0, 0, 1])
        self.assertEqual([d.GetInterpolate() for d in self.displays], [1, 1, 1])

    def test_volume_added_later_is_displayed_like_the_others(self):
        display = ComparisonDisplay(self.volumes[:2])
        display.add(self.volumes[2])
        self.assertEqual(self.windows(), [(100, 50)] * 3)
        self.displays[2].SetWindowLevel(7, 7)
        self.assertEqual(self.windows(), [(7, 7)] * 3)
        display.close()
        self.assertEqual(self.windows(), [(100, 50), (200, 100), (300, 150)])

    def test_copy_of_a_volume_gets_the_display_that_the_volume_had_before(self):
        display = ComparisonDisplay(self.volumes[:2])
        self.displays[2].SetInterpolate(False)
        display.add(self.volumes[2], source=self.volumes[1])
        display.close()
        self.assertEqual((self.windows()[2], self.displays[2].GetInterpolate()), ((200, 100), 1))

    def test_closing_unlinks_the_volumes(self):
        ComparisonDisplay(self.volumes).close()
        self.displays[0].SetWindowLevel(7, 7)
        self.assertEqual(self.windows()[1:], [(200, 100), (300, 150)])

    def test_deleted_volumes_are_ignored(self):
        display = ComparisonDisplay(self.volumes)
        slicer.mrmlScene.RemoveNode(self.volumes[0])
        self.displays[1].SetWindowLevel(7, 7)
        self.assertEqual(self.windows()[2], (7, 7))
        slicer.mrmlScene.Clear(0)
        display.close()

    def test_volume_without_display_node_gets_one(self):
        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        ComparisonDisplay([self.volumes[0], volume])
        self.assertEqual(volume.GetDisplayNode().GetWindow(), 100)


if __name__ == "__main__":
    unittest.main()
