"""Loading, entering, leaving and reloading of scripted modules, and loading of .ui files."""

import subprocess
import sys
import unittest
from pathlib import Path

import slicer
import slicer.util
from panel_testing import leave_module, open_module
from subprocess_host import RUN

EXTENSION = Path(__file__).resolve().parent / "SampleExtension"


class ModuleTestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if slicer.app.moduleManager().module("HostSample") is None:
            slicer.app.moduleManager()._load(EXTENSION / "HostSample" / "HostSample.py")

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.calls = sys.modules["HostSample"].calls
        self.calls.clear()

    def tearDown(self):
        leave_module()


class ModuleTest(ModuleTestCase):
    def test_a_loaded_module_is_found_in_all_places_of_slicer(self):
        module = slicer.util.getModule("HostSample")
        self.assertEqual(
            (module.name, module.title, module.categories),
            ("HostSample", "Host sample", ["Examples"]),
        )
        self.assertIs(slicer.modules.hostsample, module)
        self.assertEqual(slicer.moduleNames.HostSample, "HostSample")
        self.assertEqual(slicer.modules.HostSampleInstance.moduleName, "HostSample")
        self.assertEqual(
            slicer.util.modulePath("HostSample"), str(EXTENSION / "HostSample" / "HostSample.py")
        )

    def test_an_unknown_module_raises_a_runtime_error(self):
        with self.assertRaises(RuntimeError):
            slicer.util.getModule("Nothing")

    def test_an_unknown_attribute_of_a_module_object_is_refused(self):
        with self.assertRaises(AttributeError):
            slicer.util.getModule("HostSample").color = "red"

    def test_the_panel_is_made_once_and_entered_and_left_repeatedly(self):
        widget = open_module("HostSample")
        leave_module()
        self.assertIs(open_module("HostSample"), widget)
        self.assertEqual([c for c in self.calls if c != "setup"], ["enter", "exit", "enter"])
        self.assertIs(slicer.modules.HostSampleWidget, widget)

    def test_the_panel_edits_its_parameter_node(self):
        widget = open_module("HostSample")
        self.assertFalse(widget.ui.applyButton.enabled)
        note = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "Note")
        note.SetText("ab")
        widget.ui.noteSelector.setCurrentNode(note)
        widget.ui.scaleBox.currentText = "4"
        self.assertTrue(widget.ui.applyButton.enabled)
        widget.ui.applyButton.click()
        self.assertEqual((widget.ui.statusLabel.text, note.GetText()), ("×4", "abababab"))
        self.assertEqual(widget.logic.getParameterNode().GetParameter("scale"), "4")

    def test_observers_of_the_panel_are_called(self):
        open_module("HostSample")
        leave_module()
        slicer.mrmlScene.Clear(0)
        self.assertEqual(self.calls[-1], "closed")

    def test_an_enum_property_of_a_ui_file_is_set(self):
        from ctk import ctkPathLineEdit

        filters = open_module("HostSample").ui.pathLine.filters
        self.assertEqual(filters, ctkPathLineEdit.Dirs | ctkPathLineEdit.Writable)

    def test_children_are_not_attributes_of_the_loaded_widget(self):
        widget = slicer.util.loadUI(
            str(EXTENSION / "HostSample" / "Resources" / "UI" / "HostSample.ui")
        )
        with self.assertRaises(AttributeError):
            _ = widget.applyButton

    def test_reloading_cleans_up_and_remakes_the_panel(self):
        before = open_module("HostSample")
        leave_module()
        python = slicer.util.reloadScriptedModule("HostSample")
        after = slicer.util.getModuleWidget("HostSample")
        self.assertIsNot(after, before)
        self.assertIsInstance(after, python.HostSampleWidget)
        self.assertIn("cleanup", self.calls)
        self.assertEqual(python.calls, ["setup"])

    def test_the_self_test_is_registered_and_runs(self):
        slicer.selfTests["HostSample"]()
        self.assertIn("self test", sys.modules["HostSample"].calls)

    def test_the_logic_has_one_parameter_node(self):
        logic = slicer.util.getModuleWidget("HostSample").logic
        node = logic.getParameterNode()
        self.assertIs(logic.getParameterNode(), node)
        self.assertEqual(node.GetAttribute("ModuleName"), "HostSample")


class CommandTest(unittest.TestCase):
    def run_host(self, *arguments):
        done = subprocess.run(
            [sys.executable, RUN, "--module-paths", EXTENSION, *arguments],
            text=True,
            timeout=120,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_the_generic_test_of_a_module_passes(self):
        self.assertIn("test_the_panel_can_be_reloaded", self.run_host("--generic", "HostSample"))

    def test_the_self_test_of_a_module_passes(self):
        self.run_host("--self-test", "HostSample")
        self.run_host(EXTENSION / "HostSample" / "HostSample.py")


class UiFileTest(unittest.TestCase):
    """Errors for mistakes that Qt's own loader only warns about."""

    UI = """<ui version="4.0"><class>W</class><widget class="qMRMLWidget" name="W">
        <layout class="QVBoxLayout" name="l"><item><widget class="{cls}" name="inside">
        <property name="{prop}"><bool>true</bool></property></widget></item></layout></widget>
        <connections><connection><sender>{sender}</sender><signal>{signal}</signal>
        <receiver>inside</receiver><slot>{slot}</slot></connection></connections></ui>"""

    def load(
        self,
        cls="qMRMLNodeComboBox",
        prop="noneEnabled",
        sender="W",
        signal="mrmlSceneChanged(vtkMRMLScene*)",
        slot="setMRMLScene(vtkMRMLScene*)",
    ):
        path = Path(slicer.app.temporaryPath, "given.ui")
        path.write_text(
            self.UI.format(cls=cls, prop=prop, sender=sender, signal=signal, slot=slot),
            encoding="utf-8",
        )
        return slicer.util.loadUI(str(path))

    def test_a_correct_file_is_loaded_and_connected(self):
        widget = self.load()
        widget.setMRMLScene(slicer.mrmlScene)
        inside = slicer.util.childWidgetVariables(widget).inside
        self.assertTrue(inside.noneEnabled)
        self.assertIs(inside.mrmlScene(), slicer.mrmlScene)

    def test_an_unknown_widget_class_is_an_error(self):
        with self.assertRaisesRegex(Exception, "ctkNothing"):
            self.load(cls="ctkNothing")

    def test_an_unknown_property_is_an_error(self):
        with self.assertRaisesRegex(RuntimeError, "nonEnabled"):
            self.load(prop="nonEnabled")

    def test_an_unknown_signal_or_slot_is_an_error(self):
        from panel_testing import problems

        with problems.expect("sceneChanged", kinds=("interface",)), self.assertRaises(RuntimeError):
            self.load(signal="sceneChanged()")
        with self.assertRaisesRegex(RuntimeError, "setScene"):
            self.load(slot="setScene(vtkMRMLScene*)")

    def test_a_missing_file_is_an_error(self):
        with self.assertRaises(RuntimeError):
            slicer.util.loadUI("/nowhere/at/all.ui")
