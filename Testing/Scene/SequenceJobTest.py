"""A run over the frames of a sequence, with a worker that does what the test says: what comes out, and how it is played."""

import json
import os
import tempfile
import unittest
import unittest.mock

import numpy as np
import slicer
from MRISuperResLib.core.intensity import common_intensity_range
from MRISuperResLib.scene.tasks import TaskState
from MRISuperResLib.scene.sequence_nodes import framesOf
from scene_helpers import AXES, corners_ras
from sequence_helpers import SequenceJobTestCase, make_browser, make_sequence


class OutputTest(SequenceJobTestCase):
    def test_every_frame_is_upsampled_in_place_and_keeps_index_and_type(self):
        for name, axes in AXES.items():
            for dtype in (np.int16, np.uint8, np.float32):
                with self.subTest(axes=name, dtype=dtype.__name__):
                    self.setUp()
                    sequence = make_sequence(dtype=dtype, ijk_to_ras=axes)
                    output = self.run_to_the_end(sequence).outputNode
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

    def test_the_input_is_not_changed(self):
        sequence = make_sequence()
        before = [slicer.util.arrayFromVolume(frame).copy() for frame in framesOf(sequence)]
        self.run_to_the_end(sequence)
        for frame, array in zip(framesOf(sequence), before, strict=True):
            np.testing.assert_array_equal(slicer.util.arrayFromVolume(frame), array)
            self.assertEqual(frame.GetAttribute("MRISuperRes.Model"), None)

    def test_output_is_saved_with_the_scene_and_comes_back(self):
        sequence = make_sequence()
        make_browser(sequence)
        output = self.run_to_the_end(sequence).outputNode
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
        output = self.run_to_the_end(sequence).outputNode
        self.assertEqual(
            [output.GetNthIndexValue(n) for n in range(3)], ["rest", "stress", "after"]
        )

    def test_all_frames_are_sent_with_one_intensity_range(self):
        sequence = make_sequence()
        job = self.start(sequence)
        ranges = set()
        while job.isRunning:
            ranges.add(tuple(self.worker.request["job"]["intensity_range"]))
            self.worker.finish()
        self.assertEqual(
            ranges,
            {
                common_intensity_range(
                    [slicer.util.arrayFromVolume(frame) for frame in framesOf(sequence)]
                )
            },
        )

    def test_sequence_and_frames_say_what_they_are_and_how_they_were_made(self):
        sequence = make_sequence()
        output = self.run_to_the_end(sequence).outputNode
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

    def test_what_is_said_of_all_frames_is_said_once_and_of_one_with_its_number(self):
        job = self.start(make_sequence(3))
        for number in range(3):
            result = {
                "ijkToRAS": np.eye(4).tolist(),
                "provenance": _provenance(),
                "output": self.worker.request["output"],
            }
            np.save(result["output"], np.zeros((4, 12, 10), np.int16))
            self.worker.end(
                "result",
                messages=[f"Differs by {number / 10} %."] + ["Half of it is NaN."] * (number == 1),
                **result,
            )
        self.assertEqual(job.messages, ["Differs by 0.0 %.", "Frame 2: Half of it is NaN."])


class BrowserTest(SequenceJobTestCase):
    def test_output_is_played_by_the_browser_of_the_input(self):
        sequence = make_sequence()
        browser, volume = make_browser(sequence)
        job = self.run_to_the_end(sequence)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode"), 1)
        for number in (2, 0, 1):
            browser.SetSelectedItemNumber(number)
            np.testing.assert_array_equal(
                slicer.util.arrayFromVolume(job.shownNode),
                slicer.util.arrayFromVolume(framesOf(job.outputNode)[number]),
            )
            np.testing.assert_allclose(corners_ras(job.shownNode), corners_ras(volume), atol=1e-9)
        self.assertIs(job.shownInput, volume)

    def test_browser_does_not_write_into_the_output(self):
        sequence = make_sequence()
        browser, _volume = make_browser(sequence)
        output = self.run_to_the_end(sequence).outputNode
        self.assertFalse(browser.GetSaveChanges(output) or browser.GetRecording(output))
        self.assertTrue(browser.GetPlayback(output))

    def test_output_of_a_sequence_without_a_browser_gets_its_own(self):
        job = self.run_to_the_end(make_sequence())
        (browser,) = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
        self.assertIs(browser.GetMasterSequenceNode(), job.outputNode)
        self.assertIs(browser.GetProxyNode(job.outputNode), job.shownNode)
        self.assertIsNone(job.shownInput)

    def test_shown_volume_looks_like_that_of_the_input_and_lies_under_its_transform_beside_it(self):
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
        shown = self.run_to_the_end(sequence).shownNode
        self.assertEqual(
            (shown.GetDisplayNode().GetWindow(), shown.GetDisplayNode().GetLevel()), (321, 123)
        )
        self.assertIs(shown.GetParentTransformNode(), transform)
        self.assertEqual(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(shown)), study)

    def test_output_that_cannot_be_shown_leaves_the_scene_as_it_was(self):
        for hasBrowser in (True, False):
            with self.subTest(hasBrowser=hasBrowser):
                self.setUp()
                sequence = make_sequence()
                if hasBrowser:
                    browser, _volume = make_browser(sequence)
                job = self.start(sequence)
                with (
                    unittest.mock.patch(
                        "MRISuperResLib.scene.sequence_output._showAs", side_effect=MemoryError
                    ),
                    self.assertLogs(level="ERROR"),
                ):
                    while job.isRunning:
                        self.worker.finish()
                self.assert_ended(job, TaskState.FAILED, "could not be put into the scene")
                self.assert_nothing_was_added()
                if hasBrowser:
                    self.assertEqual(browser.GetNumberOfSynchronizedSequenceNodes(True), 1)


class ProgressTest(SequenceJobTestCase):
    def test_progress_counts_the_slices_of_all_frames(self):
        self.start(make_sequence(3, size=(5, 6, 4)))
        self.worker.progress(0, 4)
        self.worker.finish()
        self.worker.progress(3, 4)
        self.assertEqual([report[:2] for report in self.progress], [(0, 12), (7, 12)])
        self.assertIsNone(self.progress[0][2])
        self.assertGreater(self.progress[1][3], 0)

    def test_frames_of_different_sizes_are_counted_as_they_are(self):
        sequence = make_sequence(2, size=(5, 6, 4))
        slicer.util.updateVolumeFromArray(framesOf(sequence)[1], np.ones((7, 6, 5), np.int16))
        job = self.start(sequence)
        self.worker.finish()
        self.worker.progress(7, 7)
        self.assertEqual(self.progress[-1][:2], (11, 11))
        self.worker.finish()
        self.assert_ended(job, TaskState.FINISHED)
        self.assertEqual(
            [frame.GetImageData().GetDimensions() for frame in framesOf(job.outputNode)],
            [(10, 12, 4), (10, 12, 7)],
        )


def _provenance():
    return {
        "notice": "synthetic",
        "date": "",
        "model": {"name": "m", "sha256": None},
        "scale": 2,
        "job": {},
        "versions": {},
        "intensity": {"low": 0, "high": 1},
    }


if __name__ == "__main__":
    unittest.main()
