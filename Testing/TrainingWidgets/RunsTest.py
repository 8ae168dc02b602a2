"""Functions for scripts: start, stop, resume, delete, evaluate and send runs.

The training is a double.
"""

import json
import os
import unittest
from types import SimpleNamespace
from unittest import mock

import slicer
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResTrainingLib.data.sources import Source, read_sources
from MRISuperResTrainingLib.options.presets import PRESETS, preset
from MRISuperResTrainingLib.runs import lock
from MRISuperResTrainingLib.runs.record import RunState
from MRISuperResTrainingLib.scene import dataset
from MRISuperResTrainingLib.widgets import run_tasks
from panel_testing import process_events
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
    def test_a_started_run_finishes_by_itself(self):
        record = self.start_and_wait(settings="quick", name="first")
        self.assertEqual((record.name, record.state), ("first", RunState.RUNNING))
        self.open_gate()
        self.wait_for_state(record, RunState.FINISHED)
        self.assertEqual((record.done, record.total), (STEPS, STEPS))
        self.assertEqual(self.logic.runs(), [record])

    def test_settings_may_be_a_preset_name_or_settings_or_json_values(self):
        for settings, steps in (
            ("quick", PRESETS["quick"]["psnr"]["steps"]),
            (preset("quick", 4, psnr={"steps": 50}), 50),
            ({"preset": "quick", "scale": 8, "psnr": {"steps": 60}}, 60),
        ):
            record = self.logic.start([self.volume], settings)
            record.update()
            self.assertEqual(record.steps("psnr"), steps)

    def test_a_volume_without_a_file_is_written_into_the_run(self):
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

    def test_the_file_of_an_unmodified_volume_is_used(self):
        path = str(self.folder / "sub-09_T1w.nrrd")
        slicer.util.saveNode(self.volume, path)
        loaded = slicer.util.loadVolume(path)
        self.assertEqual(self.sources_of(self.logic.start([loaded]))[0], Source(path, "sub-09"))
        slicer.util.arrayFromVolume(loaded)[:] += 1
        slicer.util.arrayFromVolumeModified(loaded)
        self.assertNotEqual(self.sources_of(self.logic.start([loaded]))[0].path, path)

    def test_volumes_of_the_same_name_get_separate_files(self):
        paths = {
            source.path
            for source in self.sources_of(self.logic.start([self.volume, make_volume(seed=1)]))
        }
        self.assertEqual(
            {os.path.basename(path) for path in paths}, {"sub-01_T2w.nrrd", "sub-01_T2w-2.nrrd"}
        )

    def test_nodes_folders_and_sources_can_be_combined(self):
        for name in ("a.nii.gz", "b.nii.gz"):
            (self.folder / name).touch()
        record = self.logic.start([self.volume, self.folder, Source("/data/c.nii", "c")])
        self.assertEqual(
            {source.subject for source in self.sources_of(record)}
            | {path for path, _reason in read_sources([record.path / "volumes.tsv"])[1]},
            {"sub-01", "a", "b", "/data/c.nii"},
        )

    def test_runs_of_the_same_name_get_separate_folders(self):
        first, second = (self.logic.start([self.volume], name="my run") for _ in range(2))
        self.assertEqual((first.name, second.name), ("my-run", "my-run-2"))

    def test_an_invalid_request_leaves_no_folder_behind(self):
        for volumes, settings, words in (
            ([], "quick", "No training volumes"),
            ([self.volume], {"preset": "quick", "batch": 0}, "“batch” must be"),
            ([str(self.folder / "nowhere")], "quick", "No such file or folder"),
            ([self.volume], "fast", "Unknown preset “fast”"),
        ):
            with self.assertRaisesRegex(RuntimeError, words):
                self.logic.start(volumes, settings)
        self.assertEqual(self.logic.runs(), [])
        self.assertEqual(os.listdir(self.runs.folder), [])

    def test_a_read_only_folder_is_reported_with_an_action(self):
        (self.folder / "file").touch()
        self.runs.folder = self.folder / "file" / "runs"
        with self.assertRaisesRegex(RuntimeError, "Choose another folder for the runs"):
            self.logic.start([self.volume])

    def test_the_environment_of_the_process_selects_the_device(self):
        for device, visible in (
            ("cpu", "-1"),
            ("cuda:1", "1"),
            ("auto", os.environ.get("CUDA_VISIBLE_DEVICES")),
        ):
            with mock.patch.object(run_tasks.subprocess, "Popen") as start:
                self.logic.start([self.volume], device=device)
            self.assertEqual(start.call_args.kwargs["env"].get("CUDA_VISIBLE_DEVICES"), visible)
            run_tasks._children.clear()


class ContinuingTest(LogicTestCase):
    def test_a_stopped_run_resumes_at_its_step(self):
        record = self.start_and_wait()
        self.logic.stop(record)
        self.wait_for_state(record, RunState.STOPPED)
        step = record.position[1]
        self.open_gate()
        self.assertIs(self.logic.resume(record.name), record)
        self.wait_for_state(record, RunState.FINISHED)
        starts = [event["step"] for event in record.events if event["event"] == "start"]
        self.assertEqual(starts, [0, step])

    def test_the_process_outlives_the_application(self):
        record = self.start_and_wait()
        pid = record.process.pid
        self.assertEqual(
            os.getsid(pid), run_tasks._children[str(record.path)][0].pid
        )  # a session of its own
        later = self.make_runs()
        (found,) = later.list()
        self.assertIsNot(found, record)
        self.assertEqual(
            (found.name, found.state, found.process.pid), (record.name, RunState.RUNNING, pid)
        )
        self.assertTrue(is_alive(pid))

    def test_an_active_run_is_neither_resumed_nor_deleted(self):
        record = self.start_and_wait()
        with self.assertRaisesRegex(RuntimeError, "is active"):
            self.logic.resume(record)
        with self.assertRaisesRegex(RuntimeError, "Stop it first"):
            self.logic.delete(record)
        self.assertTrue(record.path.is_dir())

    def test_stopping_one_run_does_not_stop_another(self):
        one, other = self.start_and_wait(name="one"), self.start_and_wait(name="other")
        self.logic.stop(one)
        self.wait_for_state(one, RunState.STOPPED)
        other.update()
        self.assertIs(other.state, RunState.RUNNING)

    def test_a_run_stopped_before_its_first_step_restarts(self):
        with mock.patch.object(self, "mode", "gated"):
            record = self.logic.start([self.volume])
            self.logic.stop(record)
        self.wait_for_state(record, RunState.STOPPED)
        self.open_gate()
        self.logic.resume(record)
        self.wait_for_state(record, RunState.FINISHED)

    def test_a_run_whose_process_was_killed_can_be_resumed(self):
        self.mode = "dying"
        record = self.logic.start([self.volume])
        self.wait_for_state(record, RunState.INTERRUPTED)
        self.mode = "gated"
        self.open_gate()
        self.logic.resume(record)
        self.wait_for_state(record, RunState.FINISHED)

    def test_a_failure_before_and_after_the_lock_is_reported(self):
        for mode, words in (("failing", "VGG19"), ("refusing", "No disk space")):
            self.mode = mode
            record = self.logic.start([self.volume])
            self.wait_for_state(record, RunState.FAILED)
            self.assertIn(words, record.message)

    def test_a_process_that_does_not_answer_can_be_killed(self):
        self.mode = "deaf"
        record = self.start_and_wait()
        pid = record.process.pid
        self.runs.kill(record)
        self.wait_for_state(record, RunState.INTERRUPTED)
        self.assertIsNone(lock.process_of(record.path))
        process_events()
        self.assertFalse(is_alive(pid) and run_tasks.trainingStartTime(record.path))

    def test_an_unknown_run_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, "No run “x”"):
            self.logic.stop("x")

    def test_deleting_a_run_deletes_its_folder(self):
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

    def test_sent_models_are_in_the_model_store(self):
        self.assertEqual(self.logic.send(self.record), "My-run-2")
        self.assertLess(
            {"My-run-2-psnr", "My-run-2-gan"}, {card.name for card in ModelStore().cards(2)}
        )

    def test_a_failed_export_raises_the_reason_in_its_report(self):
        with self.assertRaisesRegex(RuntimeError, "The run has no models."):
            self.logic.send(self.record, "impossible")

    def test_a_crash_without_a_report_raises_exit_code_and_log_file(self):
        with self.assertRaisesRegex(RuntimeError, r"exit code 3\. See .*export\.txt"):
            self.logic.send(self.record, "crash")

    def test_a_report_of_an_earlier_task_is_not_used(self):
        with self.assertRaisesRegex(RuntimeError, "The run has no models."):
            self.logic.send(self.record, "impossible")
        with self.assertRaisesRegex(RuntimeError, "exit code 3"):
            self.logic.send(self.record, "crash")

    def test_a_second_evaluation_is_refused_and_keeps_the_folder_of_the_first(self):
        self.gate.unlink()
        task = self.runs.startEvaluation(self.record)
        task.folder.mkdir(exist_ok=True)
        with self.assertRaisesRegex(SuperResolutionError, "already running"):
            self.runs.startEvaluation(self.record)
        self.assertTrue(task.folder.exists())
        task.folder.rmdir()
        self.open_gate()
        task.wait()
        self.assertEqual(task.error, "")

    def test_an_evaluation_replaces_the_previous_one(self):
        for _time in range(2):
            folder = self.logic.evaluate(self.record)
            self.assertTrue((folder / "summary.csv").is_file())
        self.assertEqual(self.runs.tasks, [])

    def test_an_invalid_model_name_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, "letters, digits"):
            self.logic.send(self.record, "a/b")


class DatasetTest(LogicTestCase):
    def test_the_subject_is_the_patient_of_the_subject_hierarchy(self):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Jane Doe")
        study = hierarchy.CreateStudyItem(patient, "Study")
        hierarchy.CreateItem(study, self.volume)
        self.assertEqual(dataset.subjectOf(self.volume), "Jane Doe")

    def test_the_subject_is_in_the_name_if_nothing_else_states_it(self):
        self.assertEqual(
            [dataset.subjectOf(make_volume(name)) for name in ("sub-03_run-1_T2w", "Fetus")],
            ["sub-03", "Fetus"],
        )

    def test_the_anatomy_is_guessed_from_name_file_and_study_but_not_from_the_patient(self):
        self.assertEqual(dataset.anatomyOf(make_volume("SampleFetusT2")), "fetal")
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Head, Anne")
        study = hierarchy.CreateStudyItem(patient, "Study")
        hierarchy.CreateItem(study, self.volume)
        self.assertEqual(dataset.anatomyOf(self.volume), "unspecified")
        hierarchy.SetItemName(study, "MRI brain")
        self.assertEqual(dataset.anatomyOf(self.volume), "brain")
        path = self.folder / "FeTA" / "sub-09_T2w.nrrd"
        path.parent.mkdir()
        slicer.util.saveNode(self.volume, str(path))
        self.assertEqual(dataset.anatomyOf(slicer.util.loadVolume(str(path))), "fetal")

    def test_the_anatomy_is_that_of_the_dicom_body_part_unless_the_user_states_another(self):
        self.volume.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
        tags = {("1.2.3", "0018,0015"): "UTERUS"}
        database = SimpleNamespace(instanceValue=lambda uid, tag: tags.get((uid, tag), ""))
        with mock.patch.object(slicer, "dicomDatabase", database, create=True):
            self.assertEqual(dataset.anatomyOf(self.volume), "fetal")
            for stated in ("placenta", "unspecified"):
                dataset.setAnatomy(self.volume, stated)
                self.assertEqual(dataset.anatomyOf(self.volume), stated)
            dataset.setAnatomy(self.volume, " ")
            self.assertEqual(dataset.anatomyOf(self.volume), "fetal")

    def test_choice_and_subject_are_saved_with_the_scene(self):
        dataset.choose(self.volume, True)
        dataset.setSubject(self.volume, "A")
        path = str(self.folder / "scene.mrb")
        slicer.util.saveScene(path)
        slicer.mrmlScene.Clear(0)
        slicer.util.loadScene(path)
        (node,) = dataset.chosenNodes()
        self.assertEqual(dataset.subjectOf(node), "A")

    def test_synthetic_images_and_label_maps_are_not_trainable(self):
        make_volume().SetAttribute("MRISuperRes.Provenance", "{}")
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
        self.assertEqual(dataset.trainableNodes(), [self.volume])

    def test_settings_json_names_the_preset(self):
        record = self.logic.start([self.volume])
        self.assertEqual(json.loads((record.path / "settings.json").read_text())["preset"], "quick")


if __name__ == "__main__":
    unittest.main()
