"""The host refuses what PythonQt and Slicer 5.8.1 refuse."""

import unittest
from unittest import mock

import ctk
import qt
import slicer
import slicer.util
from panel_testing import problems


class InterfaceTestCase(unittest.TestCase):
    def assertInterfaceProblem(self, pattern, error, function):
        """Check that the call raises, and that its problem is recorded if the error is caught."""
        with problems.expect(pattern, kinds=("interface",)):
            with self.assertRaises(error):
                function()


class QtObjectsTest(InterfaceTestCase):
    def test_a_property_is_read_and_written_without_parentheses(self):
        button = qt.QPushButton("go")
        self.assertEqual(button.text, "go")
        button.text = "stop"
        self.assertEqual(button.text, "stop")
        button.enabled = False
        self.assertFalse(button.isEnabled())

    def test_a_property_cannot_be_called(self):
        with self.assertRaisesRegex(TypeError, "not callable"):
            qt.QPushButton("go").text()
        with self.assertRaisesRegex(TypeError, "not callable"):
            qt.QComboBox().count()

    def test_a_read_only_property_cannot_be_written(self):
        with self.assertRaisesRegex(AttributeError, "read-only"):
            qt.QWidget().width = 3

    def test_a_new_attribute_on_a_qt_object_is_refused(self):
        def assign():
            qt.QPushButton("go").color = "red"

        self.assertInterfaceProblem("color", AttributeError, assign)

    def test_a_new_attribute_on_a_stand_in_is_refused(self):
        def assign():
            ctk.ctkSliderWidget().color = "red"

        self.assertInterfaceProblem("color", AttributeError, assign)

    def test_a_class_derived_in_python_may_have_attributes(self):
        for base in (qt.QWidget, ctk.ctkSliderWidget):
            widget = type("Derived", (base,), {})()
            widget.color = "red"
            self.assertEqual(widget.color, "red")

    def test_an_unknown_attribute_is_refused(self):
        with self.assertRaises(AttributeError):
            _ = qt.QPushButton("go").color

    def test_a_dynamic_property_can_be_set_and_read(self):
        button = qt.QPushButton("go")
        button.setProperty("SlicerParameterName", "scale")
        self.assertEqual(button.property("SlicerParameterName"), "scale")

    def test_members_of_qt_6_and_pyside_only_are_refused(self):
        for cls, name in (
            (qt.QComboBox, "setPlaceholderText"),
            (qt.QTimer, "setObjectNameWithoutNotify"),
            (qt.QLabel, "resizeMode"),
            (qt.QProcess, "startCommand"),
            (qt.QWidget, "screen"),
        ):
            with self.subTest(f"{cls.__name__}.{name}"), self.assertRaises(AttributeError):
                getattr(cls(), name)

    def test_list_properties_are_tuples(self):
        selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes = ["vtkMRMLTextNode"]
        self.assertEqual(selector.nodeTypes, ("vtkMRMLTextNode",))

    def test_object_and_class_names_are_those_of_cpp(self):
        button = ctk.ctkCollapsibleButton()
        button.name = "inputs"
        self.assertEqual(
            (button.objectName, button.className()), ("inputs", "ctkCollapsibleButton")
        )


class SignalsTest(InterfaceTestCase):
    def test_an_unknown_signal_is_refused(self):
        self.assertInterfaceProblem(
            "klicked", RuntimeError, lambda: qt.QPushButton("go").connect("klicked()", print)
        )

    def test_a_signal_with_wrong_types_is_refused(self):
        self.assertInterfaceProblem(
            "valueChanged",
            RuntimeError,
            lambda: ctk.ctkSliderWidget().connect("valueChanged(int)", print),
        )
        self.assertInterfaceProblem(
            "clicked", RuntimeError, lambda: qt.QPushButton().connect("clicked(QString)", print)
        )

    def test_a_signal_removed_in_qt_6_is_refused(self):
        self.assertInterfaceProblem(
            "currentIndexChanged",
            RuntimeError,
            lambda: qt.QComboBox().connect("currentIndexChanged(QString)", print),
        )

    def test_a_signal_without_parentheses_is_refused(self):
        with self.assertRaises(ValueError):
            qt.QPushButton("go").connect("clicked", print)

    def test_a_slot_gets_as_many_arguments_as_it_accepts(self):
        received = []
        button = qt.QPushButton("go")
        button.checkable = True
        button.connect("clicked(bool)", lambda: received.append("none"))
        button.connect("clicked(bool)", received.append)
        button.connect("clicked()", lambda *arguments: received.append(arguments))
        button.click()
        self.assertEqual(received, ["none", True, ()])

    def test_constness_and_spaces_in_a_signature_do_not_matter(self):
        received = []
        line = qt.QLineEdit()
        line.connect("textChanged( const QString & )", received.append)
        line.text = "a"
        self.assertEqual(received, ["a"])

    def test_disconnect_ends_a_connection(self):
        received = []
        slot = received.append
        button = qt.QPushButton("go")
        button.connect("clicked(bool)", slot)
        self.assertTrue(button.disconnect("clicked(bool)", slot))
        self.assertFalse(button.disconnect("clicked(bool)", slot))
        button.click()
        self.assertEqual(received, [])

    def test_a_bound_method_can_be_disconnected(self):
        button = qt.QPushButton("go")
        button.connect("clicked()", self.fail)
        button.disconnect("clicked()", self.fail)
        button.click()

    def test_blocked_signals_are_not_emitted(self):
        received = []
        slider = ctk.ctkSliderWidget()
        slider.connect("valueChanged(double)", received.append)
        blocked = slider.blockSignals(True)
        slider.value = 3
        slider.blockSignals(blocked)
        self.assertEqual(received, [])

    def test_an_exception_in_a_slot_does_not_reach_the_sender(self):
        button = qt.QPushButton("go")
        button.connect("clicked()", lambda: 1 / 0)
        with problems.expect("ZeroDivisionError"):
            button.click()


class NamespacesTest(unittest.TestCase):
    def test_names_that_slicer_lacks_raise_an_attribute_error(self):
        for module, name in (
            (qt, "QThread"),
            (qt, "QtConcurrent"),
            (qt, "Slot_"),
            (ctk, "ctkNothing"),
            (slicer, "arrayFromVolume"),
            (slicer, "info"),
            (slicer.util, "LazyImport"),
            (slicer.util, "executePythonModule"),
            (slicer.app, "currentModule"),
            (slicer.app.layoutManager(), "screenshot"),
        ):
            with self.subTest(f"{module}.{name}"), self.assertRaises(AttributeError):
                getattr(module, name)

    def test_the_presence_of_a_newer_function_can_be_checked(self):
        self.assertFalse(hasattr(slicer.util, "executePythonModule"))
        self.assertIsNone(getattr(slicer.util, "executePythonModule", None))

    def test_the_dicom_database_exists_after_a_module_has_opened_one(self):
        self.assertFalse(hasattr(slicer, "dicomDatabase"))
        database = object()
        with mock.patch.object(slicer, "dicomDatabase", database, create=True):
            self.assertIs(slicer.dicomDatabase, database)
        self.assertFalse(hasattr(slicer, "dicomDatabase"))

    def test_names_that_slicer_has_exist(self):
        for module, name in (
            (qt, "QTimer"),
            (qt, "QProcess"),
            (qt, "QSettings"),
            (ctk, "ctkComboBox"),
            (slicer, "vtkMRMLScalarVolumeNode"),
            (slicer, "qMRMLNodeComboBox"),
            (slicer.util, "arrayFromVolume"),
            (slicer.util, "VTKObservationMixin"),
        ):
            with self.subTest(name):
                getattr(module, name)


class DialogsTest(unittest.TestCase):
    def test_an_expected_error_display_passes(self):
        from panel_testing import expect_error, shown_dialogs

        with expect_error("no space"):
            slicer.util.errorDisplay("There is no space left.", detailedText="disk full")
        self.assertEqual(
            [(d.kind, d.detail) for d in shown_dialogs("space")], [("error", "disk full")]
        )

    def test_an_error_display_with_its_exception_counts_as_one_error(self):
        from panel_testing import expect_error

        def slot():
            with slicer.util.tryWithErrorDisplay("It failed.", waitCursor=True):
                raise OSError("no space left")

        button = qt.QPushButton("go")
        button.connect("clicked()", slot)
        with expect_error("no space left") as errors:
            button.click()
        self.assertEqual([e.kind for e in errors], ["error display", "exception"])

    def test_warnings_and_information_are_recorded(self):
        from panel_testing import shown_dialogs

        slicer.util.warningDisplay("careful")
        slicer.util.infoDisplay("done")
        self.assertEqual([d.kind for d in shown_dialogs()], ["warning", "info"])

    def test_dialogs_return_the_answers_of_the_test(self):
        from panel_testing import answer_next

        answer_next(True, False, "/data/volume.nii")
        self.assertTrue(slicer.util.confirmYesNoDisplay("Really?"))
        self.assertFalse(slicer.util.confirmOkCancelDisplay("Really?"))
        self.assertEqual(qt.QFileDialog.getOpenFileName(None, "Open"), "/data/volume.nii")
