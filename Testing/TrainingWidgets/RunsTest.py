"""What a script can do: start, stop, resume, delete and send runs, whose processes are doubles of the training."""

import json
import os
import unittest
from unittest import mock

import slicer
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResTrainingLib.data.sources import Source
from MRISuperResTrainingLib.data.sources import read_sources
from MRISuperResTrainingLib.runs import lock
from MRISuperResTrainingLib.runs.record import RunState
from MRISuperResTrainingLib.options.presets import PRESETS, preset
from MRISuperResTrainingLib.widgets import training_process
from MRISuperResTrainingLib.scene import dataset
from slicerhost.testing import process_events
from training_helpers import RunsTestCase, is_alive, make_volume

import MRISuperResTraining

STEPS = sum(PRESETS["quick"][stage]["steps"] for stage in ("psnr", "gan"))


class LogicTestCase(RunsTestCase):
    def setUp(self):
        super().setUp()
        self.logic = MRISuperResTraining.MRISuperResTrainingLogic(trainingRuns=self.runs)
        self.volume = make_volume()

    def start_and_wait(self, **arguments):
        record = self.logic.start([self.volume], **arguments)
        self.wait_for_half(record)
        return record

    def sources_of(self, record):
        return read_sources([record.path / "volumes.tsv"])[0]


class StartTest(LogicTestCase):
    def test_a_run_goes_from_start_to_end_by_itself(self):
        record = self.start_and_wait(settings="quick", name="first")
        self.assertEqual((record.name, record.state), ("first", RunState.RUNNING))
        self.open_gate()
        self.wait_for_state(record, RunState.FINISHED)
        self.assertEqual((record.done, record.total), (STEPS, STEPS))
        self.assertEqual(self.logic.runs(), [record])

    def test_settings_are_a_preset_or_settings_or_json_values(self):
        for settings, steps in (
            ("quick", PRESETS["quick"]["psnr"]["steps"]),
            (preset("quick", 4, psnr={"steps": 50}), 50),
            ({"preset": "quick", "scale": 8, "psnr": {"steps": 60}}, 60),
        ):
            record = self.logic.start([self.volume], settings)
            record.update()
            self.assertEqual(record.steps("psnr"), steps)

    def test_voxels_of_a_volume_that_no_file_has_are_written_into_the_run(self):
        dataset.setSubject(self.volume, "patient 7")
        dataset.setAnatomy(self.volume, "fetal")
        (source,) = self.sources_of(self.logic.start([self.volume]))
        self.assertEqual((source.subject, source.anatomy), ("patient 7", "fetal"))
        read = slicer.util.loadVolume(source.path)
        self.assertEqual(
            slicer.util.arrayFromVolume(read).tolist(),
            slicer.util.arrayFromVolume(self.volume).tolist(),
        )
        self.assertEqual(read.GetSpacing(), self.volume.GetSpacing())
        self.assertIsNone(self.volume.GetStorageNode())

    def test_the_file_of_a_volume_is_used_as_long_as_the_volume_is_as_it_was_loaded(self):
        path = str(self.folder / "sub-09_T1w.nrrd")
        slicer.util.saveNode(self.volume, path)
        loaded = slicer.util.loadVolume(path)
        self.assertEqual(self.sources_of(self.logic.start([loaded]))[0], Source(path, "sub-09"))
        slicer.util.arrayFromVolume(loaded)[:] += 1
        slicer.util.arrayFromVolumeModified(loaded)
        self.assertNotEqual(self.sources_of(self.logic.start([loaded]))[0].path, path)

    def test_volumes_of_one_name_have_files_of_their_own(self):
        paths = {
            source.path
            for source in self.sources_of(self.logic.start([self.volume, make_volume(seed=1)]))
        }
        self.assertEqual(
            {os.path.basename(path) for path in paths}, {"sub-01_T2w.nrrd", "sub-01_T2w-2.nrrd"}
        )

    def test_folders_and_sources_are_taken_too(self):
        for name in ("a.nii.gz", "b.nii.gz"):
            (self.folder / name).touch()
        record = self.logic.start([self.volume, self.folder, Source("/data/c.nii", "c")])
        self.assertEqual(
            {source.subject for source in self.sources_of(record)}
            | {path for path, _reason in read_sources([record.path / "volumes.tsv"])[1]},
            {"sub-01", "a", "b", "/data/c.nii"},
        )

    def test_two_runs_of_one_name_have_folders_of_their_own(self):
        first, second = (self.logic.start([self.volume], name="my run") for _ in range(2))
        self.assertEqual((first.name, second.name), ("my-run", "my-run-2"))

    def test_what_can_not_be_trained_leaves_no_folder_behind(self):
        for volumes, settings, words in (
            ([], "quick", "nothing to learn from"),
            ([self.volume], {"preset": "quick", "batch": 0}, "“batch” must be"),
            ([str(self.folder / "nowhere")], "quick", "no file or folder"),
            ([self.volume], "fast", "no preset “fast”"),
        ):
            with self.assertRaisesRegex(RuntimeError, words):
                self.logic.start(volumes, settings)
        self.assertEqual(self.logic.runs(), [])
        self.assertEqual(os.listdir(self.runs.folder), [])

    def test_a_folder_that_can_not_be_written_is_said_in_one_sentence(self):
        (self.folder / "file").touch()
        self.runs.folder = self.folder / "file" / "runs"
        with self.assertRaisesRegex(RuntimeError, "choose another folder for the runs"):
            self.logic.start([self.volume])

    def test_the_device_is_told_to_the_process_by_its_environment(self):
        for device, visible in (
            ("cpu", "-1"),
            ("cuda:1", "1"),
            ("auto", os.environ.get("CUDA_VISIBLE_DEVICES")),
        ):
            with mock.patch.object(training_process.subprocess, "Popen") as start:
                self.logic.start([self.volume], device=device)
            self.assertEqual(start.call_args.kwargs["env"].get("CUDA_VISIBLE_DEVICES"), visible)
            training_process._children.clear()


class GoingOnTest(LogicTestCase):
    def test_a_run_that_is_stopped_goes_on_where_it_was(self):
        record = self.start_and_wait()
        self.logic.stop(record)
        self.wait_for_state(record, RunState.STOPPED)
        step = record.position[1]
        self.open_gate()
        self.assertIs(self.logic.resume(record.name), record)
        self.wait_for_state(record, RunState.FINISHED)
        starts = [event["step"] for event in record.events if event["event"] == "start"]
        self.assertEqual(starts, [0, step])

    def test_the_process_outlives_whoever_has_started_it(self):
        record = self.start_and_wait()
        pid = record.process["pid"]
        self.assertEqual(
            os.getsid(pid), training_process._children[str(record.path)][0].pid
        )  # of a session of its own
        later = self.make_runs()
        (found,) = later.list()
        self.assertIsNot(found, record)
        self.assertEqual(
            (found.name, found.state, found.process["pid"]), (record.name, RunState.RUNNING, pid)
        )
        self.assertTrue(is_alive(pid))

    def test_a_run_that_goes_on_is_neither_resumed_nor_deleted(self):
        record = self.start_and_wait()
        with self.assertRaisesRegex(RuntimeError, "going on already"):
            self.logic.resume(record)
        with self.assertRaisesRegex(RuntimeError, "stop it first"):
            self.logic.delete(record)
        self.assertTrue(record.path.is_dir())

    def test_several_runs_are_kept_apart(self):
        one, other = self.start_and_wait(name="one"), self.start_and_wait(name="other")
        self.logic.stop(one)
        self.wait_for_state(one, RunState.STOPPED)
        other.update()
        self.assertIs(other.state, RunState.RUNNING)

    def test_a_run_that_is_stopped_before_it_begins_was_stopped_and_begins_anew(self):
        with mock.patch.object(self, "mode", "gated"):
            record = self.logic.start([self.volume])
            self.logic.stop(record)
        self.wait_for_state(record, RunState.STOPPED)
        self.open_gate()
        self.logic.resume(record)
        self.wait_for_state(record, RunState.FINISHED)

    def test_a_killed_process_leaves_a_run_that_can_go_on(self):
        self.mode = "dying"
        record = self.logic.start([self.volume])
        self.wait_for_state(record, RunState.INTERRUPTED)
        self.mode = "gated"
        self.open_gate()
        self.logic.resume(record)
        self.wait_for_state(record, RunState.FINISHED)

    def test_a_failure_is_told_in_one_sentence_wherever_it_happens(self):
        for mode, words in (("failing", "VGG19"), ("refusing", "no room")):
            self.mode = mode
            record = self.logic.start([self.volume])
            self.wait_for_state(record, RunState.FAILED)
            self.assertIn(words, record.message)

    def test_a_process_that_does_not_answer_can_be_ended_by_force(self):
        self.mode = "deaf"
        record = self.start_and_wait()
        pid = record.process["pid"]
        self.runs.kill(record)
        self.wait_for_state(record, RunState.INTERRUPTED)
        self.assertIsNone(lock.process_of(record.path))
        process_events()
        self.assertFalse(is_alive(pid) and training_process.startTime(record.path))

    def test_an_unknown_run_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, "There is no run “x”"):
            self.logic.stop("x")

    def test_a_deleted_run_is_gone_with_all_that_is_in_it(self):
        record = self.start_and_wait()
        self.logic.stop(record)
        self.wait_for_state(record, RunState.STOPPED)
        self.logic.delete(record)
        self.assertEqual((self.logic.runs(), record.path.exists()), ([], False))


class SendTest(LogicTestCase):
    def setUp(self):
        super().setUp()
        patch = mock.patch.dict(
            os.environ,
            XDG_DATA_HOME=str(self.folder / "share"),
            APPDATA=str(self.folder / "share"),
            HOME=str(self.folder),
        )
        patch.start()
        self.addCleanup(patch.stop)
        self.open_gate()
        self.record = self.logic.start([self.volume], name="My run (2)")
        self.wait_for_state(self.record, RunState.FINISHED)

    def test_the_models_of_a_run_are_found_by_mrisuperres(self):
        self.assertEqual(self.logic.send(self.record), "My-run-2")
        self.assertLess(
            {"My-run-2-psnr", "My-run-2-gan"}, {card.name for card in ModelStore().cards(2)}
        )

    def test_a_reason_why_they_could_not_be_written_is_told(self):
        with self.assertRaisesRegex(RuntimeError, "The run has no models."):
            self.logic.send(self.record, "impossible")

    def test_an_evaluation_is_waited_for_and_replaces_the_one_before(self):
        for _time in range(2):
            folder = self.logic.evaluate(self.record)
            self.assertTrue((folder / "summary.csv").is_file())
        self.assertEqual(self.runs.tasks, [])

    def test_a_name_that_no_model_can_have_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, "letters, digits"):
            self.logic.send(self.record, "a/b")


class DatasetTest(LogicTestCase):
    def test_subjects_come_from_the_patients_of_the_subject_hierarchy(self):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Jane Doe")
        study = hierarchy.CreateStudyItem(patient, "Study")
        hierarchy.CreateItem(study, self.volume)
        self.assertEqual(dataset.subjectOf(self.volume), "Jane Doe")

    def test_subjects_come_from_the_names_where_nothing_else_says_them(self):
        self.assertEqual(
            [dataset.subjectOf(make_volume(name)) for name in ("sub-03_run-1_T2w", "Fetus")],
            ["sub-03", "Fetus"],
        )

    def test_what_the_user_says_of_a_volume_is_saved_with_the_scene(self):
        dataset.choose(self.volume, True)
        dataset.setSubject(self.volume, "A")
        path = str(self.folder / "scene.mrb")
        slicer.util.saveScene(path)
        slicer.mrmlScene.Clear(0)
        slicer.util.loadScene(path)
        (node,) = dataset.chosenNodes()
        self.assertEqual(dataset.subjectOf(node), "A")

    def test_made_images_and_label_maps_are_not_learnt_from(self):
        make_volume().SetAttribute("MRISuperRes.Notice", "synthetic, not for diagnosis")
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
        self.assertEqual(dataset.trainableNodes(), [self.volume])

    def test_json_of_a_run_can_be_read_by_people(self):
        record = self.logic.start([self.volume])
        self.assertEqual(json.loads((record.path / "settings.json").read_text())["preset"], "quick")


if __name__ == "__main__":
    unittest.main()
