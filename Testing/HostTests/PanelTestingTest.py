"""Panel tests in Slicer: its actions of the user, on stand-ins, and the script that runs them."""

import importlib.util
import inspect
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import qt
import slicer
from panel_testing import dialogs, expect_error, process_events, user_actions
from slicerhost import user_actions as host_actions

TESTING = Path(__file__).resolve().parents[1]
COUNT = re.compile(r"(\d+) tests: (\d+) passed, (\d+) skipped, (\d+) failed")


def functions(module):
    """Return the parameter names of every public function: {name: [name]}."""
    return {
        name: list(inspect.signature(function).parameters)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


class ActionsInSlicerTest(unittest.TestCase):
    """The actions for Slicer, which use PythonQt and VTK only, run on the host."""

    def test_host_and_slicer_offer_the_same_actions(self):
        self.assertEqual(functions(user_actions), functions(host_actions))

    def test_modules_are_entered_and_left_by_the_module_selector(self):
        with mock.patch.object(slicer.util, "selectModule") as select:
            widget = user_actions.open_module("MRISuperRes")
            user_actions.leave_module()
        self.assertIs(widget, slicer.util.getModuleWidget("MRISuperRes"))
        self.assertEqual([call.args for call in select.mock_calls], [("MRISuperRes",), ("",)])

    def test_clicks_press_buttons_unless_they_are_disabled(self):
        box = qt.QCheckBox("Blend")
        user_actions.click(box)
        self.assertTrue(box.checked)
        box.setEnabled(False)
        user_actions.click(box)
        self.assertTrue(box.checked)

    def test_keys_reach_widgets(self):
        edit, choice = qt.QLineEdit(), qt.QComboBox()
        user_actions.type_text(edit, "x4 é")
        self.assertEqual(edit.text, "x4 é")
        pressed = []
        edit.connect("returnPressed()", lambda: pressed.append(True))
        user_actions.press_key(edit, qt.Qt.Key_Return)
        self.assertEqual(pressed, [True])
        choice.addItems(["2", "4"])
        user_actions.press_key(choice, qt.Qt.Key_Down)
        self.assertEqual(choice.currentText, "4")

    def test_registered_samples_are_those_of_the_category(self):
        source = SimpleNamespace(
            sampleName="Fetus",
            uris=["https://x/f.nrrd"],
            fileNames=["f.nrrd"],
            checksums=["SHA256:0"],
            thumbnailFileName="f.png",
        )
        slicer.modules.sampleDataSources = {"MRI": [source], "General": [None]}
        self.addCleanup(delattr, slicer.modules, "sampleDataSources")
        (sample,) = user_actions.registered_samples("MRI")
        self.assertEqual((sample["uris"], sample["checksums"]), ("https://x/f.nrrd", "SHA256:0"))
        self.assertEqual(user_actions.registered_samples("Nothing"), [])

    def test_what_slicer_cannot_do_skips_the_test_with_the_reason(self):
        for action, arguments in (
            (user_actions.emit_application_signal, ("aboutToQuit",)),
            (user_actions.serve_files, (self, {})),
            (user_actions.start_application, ("x.py",)),
            (user_actions.drag, (qt.QWidget(), (1, 1), (5, 5))),
        ):
            with (
                self.subTest(action.__name__),
                self.assertRaisesRegex(unittest.SkipTest, "needs .* test host"),
            ):
                action(*arguments)

    def test_errors_are_displayed_in_testing_mode_too(self):
        def slot():
            with dialogs._try_with_error_display("The scores could not be saved."):
                raise OSError("no space left")

        button = qt.QPushButton("Save")
        button.connect("clicked()", slot)
        with expect_error("no space left") as errors:
            button.click()
        self.assertEqual(
            [error.kind for error in errors], ["error display", "exception"]
        )  # one problem, as without testing mode
        self.assertEqual(errors[0].text, "The scores could not be saved.\n\nno space left")


class ViewActionsTest(unittest.TestCase):
    """Mouse actions for Slicer change a slice view as those of the host do."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        node = slicer.util.addVolumeFromArray(np.zeros((10, 40, 40), "int16"))
        manager = slicer.app.layoutManager()
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        manager.viewport().resize(200, 222)
        manager.viewport().show()
        slicer.util.setSliceViewerLayers(background=node, fit=True)
        widget = manager.sliceWidget("Red")
        self.view, self.slice = widget.sliceView(), widget.mrmlSliceNode()
        process_events()

    def effect(self, action, *arguments, **keywords):
        """Return how an action changes the view, and undo it."""
        before = self.state()
        action(self.view, *arguments, **keywords)
        after = self.state()
        self.slice.SetFieldOfView(*before[:3])
        self.slice.SetXYZOrigin(*before[3:6])
        self.slice.SetSliceOffset(before[6])
        process_events()
        return after - before

    def state(self):
        node = self.slice
        return np.array([*node.GetFieldOfView(), *node.GetXYZOrigin(), node.GetSliceOffset()])

    def test_wheel_and_drags_have_the_same_effect(self):
        for name, arguments, keywords in (
            ("turn_wheel", (3,), {}),
            ("turn_wheel", (-2, (30, 40)), {}),
            ("turn_wheel", (-2, (30, 40), qt.Qt.ControlModifier), {}),
            ("drag", ((50, 60), (50, 100), qt.Qt.RightButton), {}),
            ("drag", ((50, 60), (80, 70), qt.Qt.MiddleButton), {"steps": 2}),
            ("drag", ((50, 60), (80, 70)), {"modifiers": qt.Qt.ShiftModifier}),
        ):
            with self.subTest(name, arguments=arguments, **keywords):
                expected = self.effect(getattr(host_actions, name), *arguments, **keywords)
                found = self.effect(getattr(user_actions, name), *arguments, **keywords)
                self.assertTrue(expected.any())
                np.testing.assert_allclose(found, expected, atol=1e-9)

    def test_double_click_reaches_the_interactor(self):
        found = []
        interactor = self.view.interactor()
        for actions in (host_actions, user_actions):
            tag = interactor.AddObserver(
                "LeftButtonDoubleClickEvent",
                lambda *_: found.append(interactor.GetEventPosition()),
                10.0,  # before the view, which keeps the event
            )
            actions.double_click(self.view)
            interactor.RemoveObserver(tag)
        np.testing.assert_allclose(found[0], found[1], atol=1)


class RunInSlicerTest(unittest.TestCase):
    def run_script(self, *files):
        """Run the script on the host; return exit status, counts and output."""
        done = subprocess.run(
            [
                sys.executable,
                TESTING / "Host" / "run.py",
                "--script",
                TESTING / "run_in_slicer.py",
                *files,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        counts = COUNT.fullmatch(done.stdout.rstrip().splitlines()[-1])
        self.assertTrue(counts, done.stdout)
        return done.returncode, tuple(map(int, counts.groups())), done.stdout

    def test_passed_files_give_the_count_and_status_0(self):
        files = (TESTING / "Scene" / "SlicePlaneTest.py", TESTING / "Widgets" / "CardTextTest.py")
        status, (total, passed, skipped, failed), output = self.run_script(*files)
        self.assertEqual((status, skipped, failed), (0, 0, 0), output)
        self.assertEqual(passed, total)
        self.assertGreater(total, 10)

    def test_failures_skips_and_problems_in_slots_are_counted(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "MadeTest.py")
            file.write_text(MADE, encoding="utf-8")
            status, counts, output = self.run_script(
                file, TESTING / "Scene" / "DescriptionsTest.py"
            )
        self.assertEqual((status, counts[2:]), (1, (1, 3)), output)
        self.assertGreater(counts[1], 1)
        for words in ("2 is not 3", "ZeroDivisionError", "disk full", "SKIPPED: MadeTest"):
            self.assertIn(words, output)

    def test_a_missing_file_gives_status_1(self):
        status, counts, output = self.run_script(TESTING / "Scene" / "NothingTest.py")
        self.assertEqual((status, counts), (1, (1, 0, 0, 1)), output)

    def test_the_script_finds_the_tests_of_scene_and_panels(self):
        specification = importlib.util.spec_from_file_location(
            "run_in_slicer", TESTING / "run_in_slicer.py"
        )
        script = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(script)
        found = [file.name for folder in script.FOLDERS for file in script.files_of(folder)]
        self.assertLess({"VolumeTaskTest.py", "PanelTest.py", "TrainingPanelTest.py"}, set(found))
        self.assertEqual(len(found), len(set(found)))
        self.assertEqual(
            [test.shortDescription() for test in script.self_tests()],
            ["Self test of MRISuperRes", "Self test of MRISuperResTraining"],
        )


MADE = """
import unittest
import qt, slicer
from panel_testing import click

class MadeTest(unittest.TestCase):
    def test_failure(self):
        self.fail("2 is not 3")

    def test_exception_in_a_slot(self):
        button = qt.QPushButton("x")
        button.connect("clicked()", lambda: 1 / 0)
        click(button)

    def test_unexpected_error(self):
        slicer.util.errorDisplay("disk full")

    def test_skip(self):
        self.skipTest("no scanner here")

    def test_success(self):
        self.assertTrue(slicer.app)
"""


if __name__ == "__main__":
    unittest.main()
