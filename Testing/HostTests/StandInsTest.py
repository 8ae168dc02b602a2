"""Stand-ins for application, files, processes, packages and sample data behave as in Slicer."""

import hashlib
import subprocess
import sys
import unittest
from pathlib import Path

import numpy as np
import qt
import SampleData
import slicer
import slicer.packaging
from panel_testing import answer_next, process_events, wait_for_signal, wait_until


class ApplicationTest(unittest.TestCase):
    def test_the_scene_is_the_same_everywhere(self):
        self.assertIs(slicer.app.mrmlScene(), slicer.mrmlScene)
        self.assertIs(slicer.app.applicationLogic().GetMRMLScene(), slicer.mrmlScene)

    def test_slicers_modules_have_logics_with_the_scene(self):
        for name in ("volumes", "markups", "subjecthierarchy", "colors"):
            with self.subTest(name):
                self.assertIs(
                    getattr(slicer.modules, name).logic().GetMRMLScene(), slicer.mrmlScene
                )

    def test_there_is_no_main_window(self):
        self.assertIsNone(slicer.util.mainWindow())

    def test_settings_are_stored_in_the_temporary_folder(self):
        settings = slicer.app.userSettings()
        settings.setValue("MRISuperRes/device", "cpu")
        self.assertEqual(qt.QSettings().value("MRISuperRes/device"), "cpu")
        self.assertTrue(settings.fileName().startswith(slicer.app.temporaryPath))

    def test_a_wait_cursor_is_shown_and_removed(self):
        with slicer.util.tryWithErrorDisplay("failed", waitCursor=True):
            self.assertIsNotNone(qt.QApplication.overrideCursor())
        self.assertIsNone(qt.QApplication.overrideCursor())


class FilesTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        voxels = np.arange(24, dtype="int16").reshape(2, 3, 4)
        self.matrix = np.array([[-2.0, 0, 0, 5], [0, -1, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]])
        self.node = slicer.util.addVolumeFromArray(voxels, self.matrix, "V")

    def test_volumes_are_saved_and_loaded_with_their_geometry(self):
        import vtk

        for extension in ("nrrd", "nii.gz", "mha"):
            with self.subTest(extension):
                path = Path(slicer.app.temporaryPath, f"v.{extension}")
                self.assertTrue(slicer.util.saveNode(self.node, str(path)))
                again = slicer.util.loadVolume(str(path))
                np.testing.assert_array_equal(
                    slicer.util.arrayFromVolume(again), slicer.util.arrayFromVolume(self.node)
                )
                matrix = vtk.vtkMatrix4x4()
                again.GetIJKToRASMatrix(matrix)
                np.testing.assert_allclose(slicer.util.arrayFromVTKMatrix(matrix), self.matrix)

    def test_a_missing_file_raises_a_runtime_error(self):
        with self.assertRaises(RuntimeError):
            slicer.util.loadVolume("/nowhere/at/all.nrrd")

    def test_a_scene_is_saved_and_loaded(self):
        path = Path(slicer.app.temporaryPath, "scene.mrb")
        self.assertTrue(slicer.util.saveScene(str(path)))
        slicer.mrmlScene.Clear(0)
        slicer.util.loadScene(str(path))
        self.assertEqual(slicer.util.getNode("V").GetImageData().GetDimensions(), (4, 3, 2))


class ProcessTest(unittest.TestCase):
    def start(self, code):
        process = qt.QProcess()
        self.output, self.ended = [], []
        process.connect(
            "readyReadStandardOutput()",
            lambda: self.output.append(process.readAllStandardOutput().data().decode()),
        )
        process.connect(
            "finished(int,QProcess::ExitStatus)",
            lambda code, status: self.ended.append((code, status)),
        )
        process.start(sys.executable, ["-c", code])
        return process

    def test_output_and_exit_code_arrive_through_the_event_loop(self):
        self.start("print('ready', flush=True); import sys; sys.exit(input() == 'no')").write(
            b"no\n"
        )
        wait_until(lambda: self.ended)
        self.assertEqual(
            ("".join(self.output), self.ended), ("ready\n", [(1, qt.QProcess.NormalExit)])
        )

    def test_a_process_that_cannot_start_signals_an_error(self):
        errors, process = [], qt.QProcess()
        process.connect("errorOccurred(QProcess::ProcessError)", errors.append)
        process.start("/nowhere/at/all", [])
        wait_until(lambda: errors)
        self.assertEqual(errors, [qt.QProcess.FailedToStart])

    def test_a_killed_process_has_the_status_crashed(self):
        process = self.start("input()")
        process.waitForStarted(10000)
        process.kill()
        wait_until(lambda: self.ended)
        self.assertEqual(self.ended[0][1], qt.QProcess.CrashExit)


class HelpersTest(unittest.TestCase):
    def test_waiting_ends_with_an_error_after_the_timeout(self):
        with self.assertRaisesRegex(AssertionError, "the task did not end within 0.05 s"):
            wait_until(lambda: False, 0.05, "the task did not end")

    def test_waiting_returns_the_value_of_the_condition(self):
        found = []
        qt.QTimer.singleShot(1, lambda: found.append("volume"))
        self.assertEqual(wait_until(lambda: found), ["volume"])

    def test_waiting_ends_with_the_signal(self):
        timer = qt.QTimer()
        timer.setSingleShot(True)
        timer.start(1)
        wait_for_signal(timer, "timeout()", 5)
        with self.assertRaisesRegex(AssertionError, "timeout"):
            wait_for_signal(timer, "timeout()", 0.05)


class PackagingTest(unittest.TestCase):
    def setUp(self):
        self.fake = slicer.packaging._fake
        self.fake.reset()

    def test_installed_packages_are_those_set_by_the_test(self):
        self.fake.installed = {"torch"}
        self.assertTrue(slicer.packaging.pip_check(["torch>=2.2"]))
        self.assertFalse(slicer.packaging.pip_check(["torch>=2.2", "safetensors>=0.4"]))

    def test_only_missing_packages_are_installed(self):
        self.fake.installed = {"torch"}
        slicer.packaging.pip_ensure(["torch>=2.2", "safetensors>=0.4"], prompt_install=False)
        self.assertEqual(self.fake.calls, [("pip_install", ["safetensors>=0.4"])])
        self.assertTrue(slicer.packaging.pip_check("safetensors"))

    def test_packages_are_installed_after_a_question(self):
        answer_next(False)
        with self.assertRaisesRegex(RuntimeError, "User declined package installation"):
            slicer.packaging.pip_ensure("safetensors>=0.4", requester="MRISuperRes")
        self.assertEqual(self.fake.calls, [])

    def test_a_failure_of_pip_raises_an_exception(self):
        self.fake.failure = 1
        with self.assertRaises(subprocess.CalledProcessError):
            slicer.util.pip_install("safetensors")

    def test_requirements_are_read_from_files(self):
        path = Path(slicer.app.temporaryPath, "requirements.txt")
        path.write_text("# models\nsafetensors>=0.4\n-r more.txt\n\n", encoding="utf-8")
        project = path.with_name("pyproject.toml")
        project.write_text('[project]\ndependencies = ["safetensors>=0.4"]\n', encoding="utf-8")
        for requirements in (
            slicer.packaging.load_requirements(path),
            slicer.packaging.load_pyproject_dependencies(project),
        ):
            self.assertEqual(list(map(str, requirements)), ["safetensors>=0.4"])


class SampleDataTest(unittest.TestCase):
    GOOD = dict(
        category="MRISuperRes",
        sampleName="Fetal",
        uris="https://example.org/a.nrrd",
        fileNames="a.nrrd",
        nodeNames="A",
        checksums="SHA256:" + hashlib.sha256(b"").hexdigest(),
    )

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        registered = SampleData.sources[:]
        SampleData.sources.clear()
        self.addCleanup(SampleData.sources.extend, registered)
        self.addCleanup(SampleData.sources.clear)  # runs first
        self.addCleanup(SampleData.served.clear)

    def register(self, **changes):
        SampleData.SampleDataLogic.registerCustomSampleDataSource(**{**self.GOOD, **changes})

    def test_a_valid_source_is_registered(self):
        self.register()
        self.assertEqual([s["sampleName"] for s in SampleData.sources], ["Fetal"])

    def test_a_source_registered_twice_is_listed_once(self):
        self.register()
        self.register()
        self.assertEqual(len(SampleData.sources), 1)

    def test_a_downloaded_sample_becomes_a_node(self):
        node = slicer.util.addVolumeFromArray(np.arange(24, dtype="int16").reshape(2, 3, 4))
        path = Path(slicer.app.temporaryPath, "sample.nrrd")
        slicer.util.saveNode(node, str(path))
        data = path.read_bytes()
        SampleData.served[self.GOOD["uris"]] = data
        self.register(checksums="SHA256:" + hashlib.sha256(data).hexdigest())
        (loaded,) = SampleData.SampleDataLogic().downloadSamples("Fetal")
        self.assertEqual(
            (loaded.GetName(), loaded.GetImageData().GetDimensions()), ("A", (4, 3, 2))
        )

    def test_a_download_gives_no_node_if_it_fails_and_a_path_if_the_checksum_differs(self):
        logic = SampleData.SampleDataLogic()
        self.register()
        self.assertEqual((logic.downloadSamples("Other"), logic.downloadSamples("Fetal")), ([], []))
        SampleData.served[self.GOOD["uris"]] = b"page not found"
        self.assertEqual(
            logic.downloadSamples("Fetal"), [str(Path(slicer.app.temporaryPath, "a.nrrd"))]
        )

    def test_an_invalid_source_is_refused(self):
        for changes in (
            dict(checksums=None),
            dict(checksums="SHA256:12"),
            dict(thumbnailFileName="/nowhere.png"),
            dict(sampleName=""),
            dict(uris=None),
            dict(fileNames=["a", "b"]),
        ):
            with self.subTest(changes), self.assertRaises(ValueError):
                self.register(**changes)

    def test_sources_are_registered_when_the_start_is_complete(self):
        slicer.app.connect("startupCompleted()", self.register)
        slicer.app.startupCompleted.emit()
        process_events()
        self.assertEqual(
            [s["sampleName"] for s in SampleData.sources if s["category"] == self.GOOD["category"]],
            ["Fetal"],
        )
        slicer.app.disconnect("startupCompleted()", self.register)
