"""A result beside its input, and its consistency map, in the panel."""

import os
import tempfile
import time
import unittest
from unittest import mock

import numpy as np
import qt
import slicer
from module_helpers import AXES, click, make_volume, node_ids, upsample
from MRISuperResLib.scene.comparison.before_after import UpsampledPair
from MRISuperResLib.scene.comparison.layout import COMPARISON_LAYOUT_ID, mainViewNames
from MRISuperResLib.scene.comparison.slice_views import pixelSize, viewCenter
from MRISuperResLib.scene.tasks import TaskState
from panel_testing import expect_error, press_key, process_events, turn_wheel, wait_until
from PanelTest import PanelTestCase
from sequence_helpers import make_browser, make_sequence

FOUR_UP = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
UPPER_LEFT = 2
MAX_GAP = 0.3
"""Longest time, in s, in which the application may not respond."""


class BeforeAfterTestCase(PanelTestCase):
    def setUp(self):
        super().setUp()
        self.manager = slicer.app.layoutManager()
        self.manager.setLayout(FOUR_UP)
        self.manager.viewport().resize(900, 500)
        self.manager.viewport().setUpdatesEnabled(False)  # painting takes most of the time
        self.manager.viewport().show()
        self.addCleanup(self.part.cleanup)
        process_events()

    @property
    def part(self):
        return self.widget.upsampling.beforeAfter

    def open_for(self, volume, **options):
        """Upsample a volume by script, open the views by button, and return the output."""
        self.ui.inputSelector.setCurrentNode(volume)
        result = upsample(volume, **options)
        process_events()
        click(self.ui.beforeAfterButton)
        process_events()
        self.assertTrue(self.part.isOpen)
        return result

    def widgets(self):
        return [self.manager.sliceWidget(name) for name in mainViewNames(2)]

    def shown(self, layer="Background"):
        logics = [widget.sliceLogic() for widget in self.widgets()]
        return [getattr(logic, f"Get{layer}Layer")().GetVolumeNode() for logic in logics]

    def titles(self):
        return [
            widget.overlayCornerAnnotation().GetText(UPPER_LEFT).split("\n")[0]
            for widget in self.widgets()
        ]

    def places(self):
        """Return center and pixel size of both views."""
        nodes = [widget.mrmlSliceNode() for widget in self.widgets()]
        return np.array([[*viewCenter(node), pixelSize(node)] for node in nodes])

    def assert_closed(self, layout=FOUR_UP):
        self.assertFalse(self.part.isOpen)
        self.assertEqual(self.manager.layout, layout)
        self.assertFalse(self.ui.consistencyMapButton.checked)
        self.assertFalse(self.ui.consistencyLabel.visible)

    def show_map(self):
        click(self.ui.consistencyMapButton)
        wait_until(lambda: "Mean inconsistency" in self.ui.consistencyLabel.text)
        process_events()


class OpeningTest(BeforeAfterTestCase):
    def test_result_of_a_run_is_shown_beside_its_input(self):
        self.assertFalse(self.ui.beforeAfterWidget.visible)
        task = self.apply()
        self.assert_idle(task, TaskState.FINISHED, "Done in")
        self.assertEqual(self.manager.layout, COMPARISON_LAYOUT_ID)
        self.assertEqual(self.shown(), [self.input, task.result])
        self.assertEqual(self.titles(), ["input", "output: bicubic ×2"])
        self.assertTrue(self.ui.beforeAfterWidget.visible)
        self.assertEqual(self.ui.beforeAfterButton.text, "Back to previous layout")

    def test_all_frames_of_a_sequence_are_shown_beside_the_input(self):
        sequence = make_sequence()
        browser, volume = make_browser(sequence)
        self.ui.inputSelector.setCurrentNode(volume)
        click(self.ui.allFramesCheckBox)
        self.addCleanup(setattr, self.ui.allFramesCheckBox, "checked", False)
        task = self.apply()
        self.assert_idle(task, TaskState.FINISHED, "Done in")
        self.assertEqual(self.shown(), [volume, browser.GetProxyNode(task.result)])

    def test_views_are_linked_fitted_and_parallel_to_the_slices(self):
        for axis, name in ((axis, name) for axis in "ijk" for name in AXES):
            with self.subTest(name, axis=axis):
                volume = make_volume(ijk_to_ras=AXES[name], size=(20, 24, 16))
                self.open_for(volume, slice_axis=axis)
                inPlane = np.delete(np.array(AXES[name]), ["ijk".index(axis), 3], 1)[:3]
                for widget in self.widgets():
                    sliceToRAS = widget.mrmlSliceNode().GetSliceToRAS()
                    normal = slicer.util.arrayFromVTKMatrix(sliceToRAS)[:3, 2]
                    np.testing.assert_allclose(normal @ inPlane, 0, atol=1e-9)
                before = self.places()
                # Slicer finds no slice spacing in views of an upsampled sheared volume
                turn_wheel(self.widgets()[name != "sheared"].sliceView(), 1)
                after = self.places()
                np.testing.assert_allclose(after[0], after[1])
                self.assertGreater(np.abs(after - before).max(), 0.1)
                self.part.cleanup()

    def test_layout_stays_when_a_run_ends_while_another_module_is_shown(self):
        self.apply()
        self.ui.tabs.hide()
        self.addCleanup(self.ui.tabs.show)
        self.assert_idle(self.widget.upsampling.task, TaskState.FINISHED, "Done in")
        self.assert_closed()
        self.ui.tabs.show()
        click(self.ui.beforeAfterButton)
        self.assertTrue(self.part.isOpen)

    def test_window_is_shared_and_nothing_is_interpolated(self):
        output = self.open_for(self.input)
        displays = [node.GetDisplayNode() for node in (self.input, output)]
        displays[1].SetWindowLevel(12, 34)
        self.assertEqual((displays[0].GetWindow(), displays[0].GetLevel()), (12, 34))
        self.assertEqual([display.GetInterpolate() for display in displays], [0, 0])

    def test_output_of_another_session_can_be_shown(self):
        other = make_volume(name="Other")
        result = upsample(other)
        process_events()
        self.assertFalse(self.ui.beforeAfterWidget.visible)
        self.ui.inputSelector.setCurrentNode(other)
        self.assertTrue(self.ui.beforeAfterWidget.visible)
        self.assertFalse(self.ui.holdInputButton.enabled)
        click(self.ui.beforeAfterButton)
        self.assertEqual(self.shown(), [other, result])

    def test_nothing_happens_without_a_layout_manager(self):
        with mock.patch.object(type(slicer.app), "layoutManager", lambda app: None):
            self.assert_idle(self.apply(), TaskState.FINISHED, "Done in")
            self.assertFalse(self.part.isOpen or self.ui.beforeAfterWidget.visible)

    def test_controls_fit_a_narrow_panel(self):
        self.open_for(self.input)
        self.show_map()
        self.assertLessEqual(self.ui.beforeAfterWidget.minimumSizeHint.width(), 330)


class BackTest(BeforeAfterTestCase):
    def state(self):
        """Return layout, views and displays as the user has set them."""
        names = ("Red", "Yellow", "Green")
        nodes = [self.manager.sliceWidget(name).mrmlSliceNode() for name in names]
        composites = [self.manager.sliceWidget(name).mrmlSliceCompositeNode() for name in names]
        displays = [node.GetDisplayNode() for node in self.volumes()]
        return (
            self.manager.layout,
            [slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()).tolist() for node in nodes],
            [(node.GetFieldOfView(), node.GetXYZOrigin()) for node in nodes],
            [
                (
                    node.GetBackgroundVolumeID(),
                    node.GetForegroundVolumeID(),
                    node.GetForegroundOpacity(),
                    node.GetLinkedControl(),
                )
                for node in composites
            ],
            [
                (display.GetWindow(), display.GetLevel(), display.GetInterpolate())
                for display in displays
            ],
        )

    def test_back_restores_the_layout_and_what_its_views_showed(self):
        other = make_volume(name="Other")
        slicer.util.setSliceViewerLayers(background=self.input, foreground=other, fit=True)
        self.manager.sliceWidget("Red").mrmlSliceNode().SetFieldOfView(33, 22, 1)
        upsample(self.input)
        process_events()
        before = self.state()
        click(self.ui.beforeAfterButton)
        turn_wheel(self.widgets()[0].sliceView(), 2)
        self.input.GetDisplayNode().SetWindowLevel(12, 34)
        self.show_map()
        click(self.ui.beforeAfterButton)
        process_events()
        self.assertEqual(self.state(), before)
        self.assert_closed()
        self.assertEqual(self.ui.beforeAfterButton.text, "Show beside input")

    def test_outputs_of_runs_with_open_views_are_displayed_like_the_input_afterwards(self):
        self.input.GetDisplayNode().SetInterpolate(True)
        self.assert_idle(self.apply(), TaskState.FINISHED, "Done in")
        self.assert_idle(self.apply(), TaskState.FINISHED, "Done in")
        click(self.ui.beforeAfterButton)
        displays = [node.GetDisplayNode() for node in self.volumes()]
        self.assertEqual([display.GetInterpolate() for display in displays], [1] * 3)

    def test_layout_that_the_user_selects_stays(self):
        self.open_for(self.input)
        self.show_map()
        self.manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        self.assert_closed(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)

    def test_deleted_volume_closes_the_views(self):
        for part in ("input", "output"):
            with self.subTest(part):
                volume = make_volume()
                self.open_for(volume)
                self.show_map()
                slicer.mrmlScene.RemoveNode(getattr(UpsampledPair.newestOf(volume), part))
                process_events()
                self.assert_closed()
                self.assertFalse(self.ui.beforeAfterWidget.visible)

    def test_closed_scene_closes_the_views(self):
        self.open_for(self.input)
        click(self.ui.consistencyMapButton)  # its computation has only begun
        slicer.mrmlScene.Clear(0)
        process_events()
        self.assert_closed()
        self.assertFalse(self.ui.beforeAfterWidget.visible)

    def test_scene_saved_with_open_views_is_loaded_without_their_layout(self):
        self.open_for(self.input)
        self.show_map()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear(0)
            slicer.util.loadScene(path)
        process_events()
        self.assert_closed()
        self.assertEqual(len(self.volumes()), 2)  # the map was temporary
        click(self.ui.beforeAfterButton)
        process_events()
        self.assertEqual(self.titles(), ["input", "output: nearest ×2"])


class SecondRunTest(BeforeAfterTestCase):
    def run_again(self, output=None):
        """Apply again after scrolling; return the result, shown in the same place."""
        turn_wheel(self.widgets()[0].sliceView(), 2)
        self.input.GetDisplayNode().SetWindowLevel(12, 34)
        before = self.places()
        self.ui.outputSelector.setCurrentNode(output)
        self.ui.outputComboBox.setCurrentIndex(1)
        self.addCleanup(self.ui.outputComboBox.setCurrentIndex, 0)
        self.choose("bicubic")
        task = self.apply()
        self.assert_idle(task, TaskState.FINISHED, "Done in")
        np.testing.assert_array_equal(self.places(), before)
        self.assertEqual(self.shown(), [self.input, task.result])
        self.assertEqual(self.titles(), ["input", "output: bicubic ×4"])
        self.assertEqual(task.result.GetDisplayNode().GetWindow(), 12)
        return task.result

    def test_new_output_is_shown_in_the_same_place(self):
        first = self.open_for(self.input)
        self.show_map()
        self.assertIsNot(self.run_again(), first)
        wait_until(lambda: "Mean" in self.ui.consistencyLabel.text)
        self.assertIn("x4", self.shown("Foreground")[1].GetName())
        click(self.ui.beforeAfterButton)
        self.assert_closed()

    def test_replaced_output_stays_and_its_map_is_renewed(self):
        first = self.open_for(self.input)
        self.show_map()
        text = self.ui.consistencyLabel.text
        self.assertIs(self.run_again(first), first)
        wait_until(lambda: "Mean" in self.ui.consistencyLabel.text)
        self.assertNotEqual(self.ui.consistencyLabel.text, text)
        self.assertIsNotNone(self.shown("Foreground")[1])

    def test_run_on_another_volume_shows_that_one(self):
        self.open_for(self.input)
        other = make_volume(name="Other")
        self.ui.inputSelector.setCurrentNode(other)
        self.choose("bicubic")
        task = self.apply()
        self.assert_idle(task, TaskState.FINISHED, "Done in")
        self.assertEqual(self.shown(), [other, task.result])
        click(self.ui.beforeAfterButton)
        self.assert_closed()


class HoldTest(BeforeAfterTestCase):
    def test_input_replaces_the_output_while_the_button_is_pressed(self):
        output = self.open_for(self.input)
        self.show_map()
        maps = self.shown("Foreground")
        states = []
        note = lambda: states.append((self.shown(), self.titles(), self.shown("Foreground")))  # noqa: E731
        self.ui.holdInputButton.connect("pressed()", note)
        self.addCleanup(self.ui.holdInputButton.disconnect, "pressed()", note)
        for press in (click, lambda button: press_key(button, qt.Qt.Key_Space)):
            press(self.ui.holdInputButton)
            self.assertEqual(
                states.pop(), ([self.input, self.input], ["input", "input"], [None, None])
            )
            self.assertEqual(self.shown(), [self.input, output])
            self.assertEqual(self.titles()[1], "output: nearest ×2")
            self.assertEqual(self.shown("Foreground"), maps)

    def test_map_that_is_ready_while_the_button_is_pressed_stays_hidden(self):
        self.open_for(self.input)
        ready = []

        def showMap():
            self.show_map()
            ready.append(self.shown("Foreground"))

        self.ui.holdInputButton.connect("pressed()", showMap)
        self.addCleanup(self.ui.holdInputButton.disconnect, "pressed()", showMap)
        click(self.ui.holdInputButton)
        self.assertEqual(ready, [[None, None]])
        self.assertIsNotNone(self.shown("Foreground")[1])


class MapTest(BeforeAfterTestCase):
    def test_map_covers_the_output_and_its_mean_is_told_in_one_line(self):
        self.open_for(self.input, model="nearest")
        self.show_map()
        before, after = self.shown("Foreground")
        self.assertIsNone(before)
        mean = slicer.util.arrayFromVolume(after).mean()
        text = self.ui.consistencyLabel.text
        self.assertIn(f"{mean:.2f} % of the intensity range", text)
        self.assertLessEqual(len(text.split()), 15)

    def test_unchecked_button_and_closed_views_leave_no_nodes(self):
        self.open_for(self.input)
        before = node_ids()
        self.show_map()
        self.assertNotEqual(node_ids(), before)
        click(self.ui.consistencyMapButton)
        self.assertEqual(node_ids(), before)
        self.assertEqual(self.shown("Foreground"), [None, None])
        self.assertFalse(self.ui.consistencyLabel.visible)
        self.show_map()
        click(self.ui.beforeAfterButton)
        self.assertEqual(node_ids(), before)

    def test_map_that_fails_is_an_error_and_the_button_is_unchecked(self):
        self.open_for(self.input)
        patch = mock.patch(
            "MRISuperResLib.scene.comparison.before_after.addMap", side_effect=MemoryError
        )
        before = node_ids()
        with patch, expect_error("Out of memory"):
            click(self.ui.consistencyMapButton)
            wait_until(lambda: not self.ui.consistencyMapButton.checked)
        self.assertFalse(self.ui.consistencyLabel.visible)
        self.part.cleanup()
        self.assertEqual(node_ids(), before)

    def test_map_is_one_click_away_from_closed_views(self):
        upsample(self.input)
        process_events()
        self.show_map()
        self.assertTrue(self.part.isOpen)
        self.assertIsNotNone(self.shown("Foreground")[1])

    def test_map_follows_the_frame_of_a_sequence(self):
        sequence = make_sequence()
        browser, volume = make_browser(sequence)
        self.ui.inputSelector.setCurrentNode(volume)
        upsample(sequence)
        process_events()
        self.show_map()
        texts = [self.ui.consistencyLabel.text]
        for number in (1, 2):
            browser.SetSelectedItemNumber(number)
            wait_until(lambda: "Mean" in self.ui.consistencyLabel.text)
            process_events()
            pair = UpsampledPair.newestOf(volume)
            self.assertEqual(self.shown(), [pair.input, pair.output])
            shown = slicer.util.arrayFromVolume(self.shown("Foreground")[1])
            self.assertIn(f"{shown.mean():.2f} %", self.ui.consistencyLabel.text)
            texts.append(self.ui.consistencyLabel.text)
        self.assertEqual(len(set(texts)), 3)

    def test_application_responds_while_a_large_map_is_made(self):
        slices = np.arange(512 * 512, dtype=np.int32).reshape(512, 512) % 1000
        array = np.tile(slices.astype(np.int16), (60, 1, 1))
        volume = slicer.util.addVolumeFromArray(array, np.diag([0.5, 0.5, 3, 1]), "Large")
        self.open_for(volume, model="nearest")
        gaps, timer = [], qt.QTimer()
        # of the processor, since other processes of the computer take time, too
        timer.connect("timeout()", lambda: gaps.append(time.thread_time()))
        timer.start(0)
        self.show_map()
        timer.stop()
        self.assertGreater(len(gaps), 20)
        self.assertLess(np.diff(gaps).max(), MAX_GAP)


if __name__ == "__main__":
    unittest.main()
