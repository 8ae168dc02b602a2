"""A task over the frames of a sequence, with a worker double: output and playback."""

import json
import os
import tempfile
import unittest
import unittest.mock

import numpy as np
import slicer
from MRISuperResLib.core.intensity import common_intensity_range
from MRISuperResLib.core.messages import info, warning
from MRISuperResLib.scene.nodes import volumeFromNode
from MRISuperResLib.scene.tasks import TaskState
from MRISuperResLib.scene.sequences import framesOf, shownVolume
from scene_helpers import AXES, corners_ras
from sequence_helpers import SequenceTaskTestCase, make_browser, make_sequence


class OutputTest(SequenceTaskTestCase):
    def test_every_frame_is_upsampled_in_place_and_keeps_index_and_type(self):
        for name, axes in AXES.items():
            for dtype in (np.int16, np.uint8, np.float32):
                with self.subTest(axes=name, dtype=dtype.__name__):
                    self.setUp()
                    sequence = make_sequence(dtype=dtype, ijk_to_ras=axes)
                    output = self.run_to_the_end(sequence).result
                    self.assertEqual(
                        [output.GetNthIndexValue(n) for n in range(output.GetNumberOfDataNodes())],
                        ["0", "0.5", "1"],
                    )
                    self.assertEqual(
                        (output.GetIndexName(), output.GetIndexUnit(), output.GetIndexType()),
                        ("time", "s", sequence.GetIndexType()),
                    )
                    for before, after in zip(framesOf(sequence), framesOf(output), strict=True):
                        np.testing.assert_allclose(
                            corners_ras(after), corners_ras(before), atol=1e-9
                        )
                        self.assertEqual(
                            after.GetImageData().GetScalarType(),
                            before.GetImageData().GetScalarType(),
                        )
                        self.assertGreater(
                            np.corrcoef(
                                slicer.util.arrayFromVolume(after)[:, ::2, ::2].ravel(),
                                slicer.util.arrayFromVolume(before).ravel(),
                            )[0, 1],
                            0.8,
                        )

    def test_input_is_not_changed(self):
        sequence = make_sequence()
        before = [slicer.util.arrayFromVolume(frame).copy() for frame in framesOf(sequence)]
        self.run_to_the_end(sequence)
        for frame, array in zip(framesOf(sequence), before, strict=True):
            np.testing.assert_array_equal(slicer.util.arrayFromVolume(frame), array)
            self.assertEqual(frame.GetAttribute("MRISuperRes.Model"), None)

    def test_output_is_saved_and_loaded_with_the_scene(self):
        sequence = make_sequence()
        make_browser(sequence)
        output = self.run_to_the_end(sequence).result
        voxels = [slicer.util.arrayFromVolume(frame).copy() for frame in framesOf(output)]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear(0)
            slicer.util.loadScene(path)
        output = slicer.util.getFirstNodeByClassByName("vtkMRMLSequenceNode", "Cine SR x2 bicubic")
        self.assertIn("not for diagnosis", output.GetAttribute("MRISuperRes.Notice"))
        self.assertEqual([output.GetNthIndexValue(n) for n in range(3)], ["0", "0.5", "1"])
        for frame, array in zip(framesOf(output), voxels, strict=True):
            np.testing.assert_array_equal(slicer.util.arrayFromVolume(frame), array)

    def test_text_index_keeps_its_order(self):
        sequence = make_sequence()
        sequence.SetIndexType(slicer.vtkMRMLSequenceNode.TextIndex)
        for old, new in (("0", "rest"), ("0.5", "stress"), ("1", "after")):
            sequence.UpdateIndexValue(old, new)
        output = self.run_to_the_end(sequence).result
        self.assertEqual(
            [output.GetNthIndexValue(n) for n in range(3)], ["rest", "stress", "after"]
        )

    def test_all_frames_are_sent_with_one_intensity_range(self):
        sequence = make_sequence()
        task = self.start(sequence)
        ranges = set()
        while task.isRunning:
            ranges.add(tuple(self.worker.request["options"]["intensity_range"]))
            self.worker.finish()
        volumes = [volumeFromNode(frame) for frame in framesOf(sequence)]
        total = sum(volume.array.size for volume in volumes)
        self.assertEqual(ranges, {common_intensity_range(volumes, total)})

    def test_sequence_and_frames_have_notice_and_provenance(self):
        sequence = make_sequence()
        output = self.run_to_the_end(sequence).result
        self.assertEqual(output.GetName(), "Cine SR x2 bicubic")
        for node in (output, *framesOf(output)):
            self.assertEqual(node.GetAttribute("MRISuperRes.Model"), "bicubic")
            self.assertEqual(
                (
                    node.GetAttribute("MRISuperRes.InputName"),
                    node.GetAttribute("MRISuperRes.InputID"),
                ),
                ("Cine", sequence.GetID()),
            )
            self.assertIn("not for diagnosis", node.GetAttribute("MRISuperRes.Notice"))
            self.assertIn("not for diagnosis", node.GetDescription())
            self.assertEqual(
                json.loads(node.GetAttribute("MRISuperRes.Provenance"))["intensity"]["of"],
                "all frames of the sequence",
            )
        self.assertEqual(json.loads(output.GetAttribute("MRISuperRes.Provenance"))["frames"], 3)
        self.assertEqual(
            json.loads(framesOf(output)[1].GetAttribute("MRISuperRes.Provenance"))["frame"],
            "Frame 2 of 3 (time 0.5 s)",
        )

    def finish_frames(self, messages):
        """Finish a task of which every frame has a list of messages; return the merged ones."""
        task = self.start(make_sequence(len(messages)))
        for of_frame in messages:
            output = self.worker.request["output"]
            np.save(output, np.zeros((4, 12, 10), np.int16))
            self.worker.end(
                "result",
                output=output,
                ijkToRAS=np.eye(4).tolist(),
                provenance=_provenance(),
                messages=[message.to_dict() for message in of_frame],
            )
        self.assert_ended(task, TaskState.FINISHED)
        return [(message.level, message.code, message.text) for message in task.messages]

    def test_messages_of_one_code_in_all_frames_are_one_message(self):
        frames = [[info("precision", f"Differs by 0.{number} %.")] for number in range(3)]
        self.assertEqual(self.finish_frames(frames), [("info", "precision", "Differs by 0.0 %.")])

    def test_message_of_some_frames_says_where_it_occurred(self):
        one, two = warning("non-finite", "3 voxels are NaN."), warning("spacing", "Thick slices.")
        self.assertEqual(
            self.finish_frames([[], [one, two], [two]]),
            [
                ("warning", "non-finite", "Frame 2 of 3: 3 voxels are NaN."),
                ("warning", "spacing", "Frame 2 of 3 and 1 more: Thick slices."),
            ],
        )

    def test_messages_of_one_text_with_different_codes_or_levels_stay_apart(self):
        frame = [info("precision", "1 %."), warning("precision", "1 %."), info("spacing", "1 %.")]
        self.assertEqual(len(self.finish_frames([frame, frame])), 3)

    def test_two_messages_of_one_code_in_a_frame_are_both_kept(self):
        frame = [warning("spacing", "Model A."), warning("spacing", "Model B.")]
        self.assertEqual(
            [text for _level, _code, text in self.finish_frames([frame, frame])],
            ["Model A.", "Model B."],
        )


class BrowserTest(SequenceTaskTestCase):
    def test_output_is_played_by_the_browser_of_the_input(self):
        sequence = make_sequence()
        browser, volume = make_browser(sequence)
        task = self.run_to_the_end(sequence)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode"), 1)
        for number in (2, 0, 1):
            browser.SetSelectedItemNumber(number)
            np.testing.assert_array_equal(
                slicer.util.arrayFromVolume(shownVolume(task.result)),
                slicer.util.arrayFromVolume(framesOf(task.result)[number]),
            )
            np.testing.assert_allclose(
                corners_ras(shownVolume(task.result)), corners_ras(volume), atol=1e-9
            )
        self.assertIs(shownVolume(task.inputNode), volume)

    def test_browser_does_not_change_the_output(self):
        sequence = make_sequence()
        browser, _volume = make_browser(sequence)
        output = self.run_to_the_end(sequence).result
        self.assertFalse(browser.GetSaveChanges(output) or browser.GetRecording(output))
        self.assertTrue(browser.GetPlayback(output))

    def test_output_of_a_sequence_without_browser_gets_a_new_browser(self):
        task = self.run_to_the_end(make_sequence())
        (browser,) = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
        self.assertIs(browser.GetMasterSequenceNode(), task.result)
        self.assertIs(browser.GetProxyNode(task.result), shownVolume(task.result))
        self.assertIsNone(shownVolume(task.inputNode))

    def test_proxy_copies_display_transform_and_folder_of_the_input(self):
        sequence = make_sequence()
        _browser, volume = make_browser(sequence)
        volume.GetDisplayNode().SetAutoWindowLevel(False)
        volume.GetDisplayNode().SetWindowLevel(321, 123)
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        volume.SetAndObserveTransformNodeID(transform.GetID())
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
        hierarchy.SetItemParent(
            hierarchy.GetItemByDataNode(volume) or hierarchy.CreateItem(study, volume), study
        )
        shown = shownVolume(self.run_to_the_end(sequence).result)
        self.assertEqual(
            (shown.GetDisplayNode().GetWindow(), shown.GetDisplayNode().GetLevel()), (321, 123)
        )
        self.assertIs(shown.GetParentTransformNode(), transform)
        self.assertEqual(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(shown)), study)

    def test_output_that_cannot_be_shown_leaves_the_scene_unchanged(self):
        for hasBrowser in (True, False):
            with self.subTest(hasBrowser=hasBrowser):
                self.setUp()
                sequence = make_sequence()
                if hasBrowser:
                    browser, _volume = make_browser(sequence)
                task = self.start(sequence)
                with (
                    unittest.mock.patch(
                        "MRISuperResLib.scene.sequences._copyAppearance", side_effect=MemoryError
                    ),
                    self.assertLogs(level="ERROR"),
                ):
                    while task.isRunning:
                        self.worker.finish()
                self.assert_ended(task, TaskState.FAILED, "could not be added to the scene")
                self.assert_nothing_was_added()
                if hasBrowser:
                    self.assertEqual(browser.GetNumberOfSynchronizedSequenceNodes(True), 1)


class ProgressTest(SequenceTaskTestCase):
    def test_progress_counts_the_slices_of_all_frames(self):
        self.start(make_sequence(3, size=(5, 6, 4)))
        self.worker.progress(0, 4)
        self.worker.finish()
        self.worker.progress(3, 4)
        self.assertEqual(
            [(report.done, report.total) for report in self.progress], [(0, 12), (7, 12)]
        )
        self.assertIsNone(self.progress[0].rate)
        self.assertGreater(self.progress[1].remaining, 0)

    def test_progress_counts_frames_of_different_sizes(self):
        sequence = make_sequence(2, size=(5, 6, 4))
        slicer.util.updateVolumeFromArray(framesOf(sequence)[1], np.ones((7, 6, 5), np.int16))
        task = self.start(sequence)
        self.worker.finish()
        self.worker.progress(7, 7)
        self.assertEqual((self.progress[-1].done, self.progress[-1].total), (11, 11))
        self.worker.finish()
        self.assert_ended(task, TaskState.FINISHED)
        self.assertEqual(
            [frame.GetImageData().GetDimensions() for frame in framesOf(task.result)],
            [(10, 12, 4), (10, 12, 7)],
        )


def _provenance():
    return {
        "notice": "synthetic",
        "date": "",
        "model": {"name": "m", "sha256": None},
        "scale": 2,
        "options": {},
        "versions": {},
        "intensity": {"low": 0, "high": 1},
    }


if __name__ == "__main__":
    unittest.main()
