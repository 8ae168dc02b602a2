"""What PythonQt and Slicer 5.8.1 refuse, the host refuses."""

import unittest
from unittest import mock

import ctk
import qt
import slicer
import slicer.util
from slicerhost import problems


class InterfaceTestCase(unittest.TestCase):
    def assertInterfaceProblem(self, pattern, error, function):
        """The call raises, and would fail the test even where its exception is swallowed."""
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

    def test_a_property_cannot_be_called_like_a_method(self):
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

    def test_a_dynamic_property_is_read_and_written_as_property(self):
        button = qt.QPushButton("go")
        button.setProperty("SlicerParameterName", "scale")
        self.assertEqual(button.property("SlicerParameterName"), "scale")

    def test_members_that_only_qt_6_or_pyside_have_are_refused(self):
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

    def test_names_and_classes_are_those_of_cpp(self):
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

    def test_a_signal_that_was_removed_in_qt_6_is_refused(self):
        self.assertInterfaceProblem(
            "currentIndexChanged",
            RuntimeError,
            lambda: qt.QComboBox().connect("currentIndexChanged(QString)", print),
        )

    def test_a_signal_without_parentheses_is_refused(self):
        with self.assertRaises(ValueError):
            qt.QPushButton("go").connect("clicked", print)

    def test_a_slot_gets_as_many_arguments_as_it_takes(self):
        got = []
        button = qt.QPushButton("go")
        button.checkable = True
        button.connect("clicked(bool)", lambda: got.append("none"))
        button.connect("clicked(bool)", got.append)
        button.connect("clicked()", lambda *arguments: got.append(arguments))
        button.click()
        self.assertEqual(got, ["none", True, ()])

    def test_constness_and_spaces_in_a_signature_do_not_matter(self):
        got = []
        line = qt.QLineEdit()
        line.connect("textChanged( const QString & )", got.append)
        line.text = "a"
        self.assertEqual(got, ["a"])

    def test_disconnect_ends_a_connection(self):
        got = []
        slot = got.append
        button = qt.QPushButton("go")
        button.connect("clicked(bool)", slot)
        self.assertTrue(button.disconnect("clicked(bool)", slot))
        self.assertFalse(button.disconnect("clicked(bool)", slot))
        button.click()
        self.assertEqual(got, [])

    def test_a_bound_method_can_be_disconnected(self):
        button = qt.QPushButton("go")
        button.connect("clicked()", self.fail)
        button.disconnect("clicked()", self.fail)
        button.click()

    def test_no_signal_comes_while_signals_are_blocked(self):
        got = []
        slider = ctk.ctkSliderWidget()
        slider.connect("valueChanged(double)", got.append)
        blocked = slider.blockSignals(True)
        slider.value = 3
        slider.blockSignals(blocked)
        self.assertEqual(got, [])

    def test_an_exception_in_a_slot_does_not_reach_the_sender(self):
        button = qt.QPushButton("go")
        button.connect("clicked()", lambda: 1 / 0)
        with problems.expect("ZeroDivisionError"):
            button.click()


class NamespacesTest(unittest.TestCase):
    def test_what_slicer_does_not_have_is_an_attribute_error(self):
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

    def test_a_newer_function_can_be_asked_for(self):
        self.assertFalse(hasattr(slicer.util, "executePythonModule"))
        self.assertIsNone(getattr(slicer.util, "executePythonModule", None))

    def test_the_dicom_database_is_there_once_a_module_has_opened_one(self):
        self.assertFalse(hasattr(slicer, "dicomDatabase"))
        database = object()
        with mock.patch.object(slicer, "dicomDatabase", database, create=True):
            self.assertIs(slicer.dicomDatabase, database)
        self.assertFalse(hasattr(slicer, "dicomDatabase"))

    def test_what_slicer_has_is_there(self):
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
        from slicerhost.testing import expect_error, shown_dialogs

        with expect_error("no space"):
            slicer.util.errorDisplay("There is no space left.", detailedText="disk full")
        self.assertEqual(
            [(d.kind, d.detail) for d in shown_dialogs("space")], [("error", "disk full")]
        )

    def test_an_error_display_with_its_exception_counts_as_one_error(self):
        from slicerhost.testing import expect_error

        def slot():
            with slicer.util.tryWithErrorDisplay("It failed.", waitCursor=True):
                raise OSError("no space left")

        button = qt.QPushButton("go")
        button.connect("clicked()", slot)
        with expect_error("no space left") as errors:
            button.click()
        self.assertEqual([e.kind for e in errors], ["error display", "exception"])

    def test_warnings_and_information_are_recorded(self):
        from slicerhost.testing import shown_dialogs

        slicer.util.warningDisplay("careful")
        slicer.util.infoDisplay("done")
        self.assertEqual([d.kind for d in shown_dialogs()], ["warning", "info"])

    def test_the_answer_of_the_user_is_given_beforehand(self):
        from slicerhost.testing import answer_next

        answer_next(True, False, "/data/volume.nii")
        self.assertTrue(slicer.util.confirmYesNoDisplay("Really?"))
        self.assertFalse(slicer.util.confirmOkCancelDisplay("Really?"))
        self.assertEqual(qt.QFileDialog.getOpenFileName(None, "Open"), "/data/volume.nii")
