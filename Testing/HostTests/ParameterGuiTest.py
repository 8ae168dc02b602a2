"""Widgets connected by parameterNodeWrapper follow a parameter and edit it."""

import enum
import pathlib
import unittest
from typing import Annotated

import ctk
import qt
import slicer
from slicer import vtkMRMLTextNode
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from panel_testing import problems


class Direction(enum.Enum):
    AUTO = 1
    AXIAL = 2

    def label(self):
        return self.name.title()


class Device(enum.Enum):
    CPU = 1
    GPU = 2


@parameterNodeWrapper
class Parameters:
    node: vtkMRMLTextNode
    name: str = "a"
    plain: int = 5
    limited: Annotated[float, WithinRange(0, 2)] = 1.0
    unlimited: float = 1.0
    on: bool
    direction: Direction
    device: Device
    scale: Annotated[int, Choice([2, 4])]
    path: pathlib.Path


class ParameterGuiTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.parameters = Parameters(
            slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
        )

    def check(self, name, widget, prop, value, shown, edited, result):
        """Check that the widget shows the parameter and that an edit changes it."""
        with self.subTest(f"{name} in a {widget.className()}"):
            tag = self.parameters.connectParametersToGui({name: widget})
            setattr(self.parameters, name, value)
            self.assertEqual(getattr(widget, prop), shown)
            setattr(widget, prop, edited)
            self.assertEqual(getattr(self.parameters, name), result)
            self.parameters.disconnectGui(tag)
            setattr(self.parameters, name, value)
            self.assertEqual(getattr(widget, prop), edited)

    def test_each_kind_of_widget_shows_and_edits_its_kind_of_parameter(self):
        button = qt.QPushButton()
        button.checkable = True
        self.check("name", qt.QLineEdit(), "text", "b", "b", "c", "c")
        self.check("name", qt.QTextEdit(), "plainText", "b", "b", "c", "c")
        self.check("plain", qt.QSpinBox(), "value", 7, 7, 8, 8)
        self.check("plain", qt.QSlider(), "value", 7, 7, 8, 8)
        self.check("unlimited", qt.QDoubleSpinBox(), "value", 1.5, 1.5, 2.5, 2.5)
        self.check("unlimited", ctk.ctkDoubleSpinBox(), "value", 1.5, 1.5, 2.5, 2.5)
        self.check("limited", ctk.ctkSliderWidget(), "value", 0.0, 0.0, 2.0, 2.0)
        self.check("on", qt.QCheckBox(), "checked", True, True, False, False)
        self.check("on", button, "checked", True, True, False, False)
        self.check(
            "path",
            ctk.ctkPathLineEdit(),
            "currentPath",
            pathlib.Path("/a"),
            "/a",
            "/b",
            pathlib.Path("/b"),
        )
        self.check(
            "path",
            ctk.ctkDirectoryButton(),
            "directory",
            pathlib.Path("/a"),
            "/a",
            "/b",
            pathlib.Path("/b"),
        )
        self.check(
            "direction",
            qt.QComboBox(),
            "currentText",
            Direction.AXIAL,
            "Axial",
            "Auto",
            Direction.AUTO,
        )
        self.check("device", qt.QComboBox(), "currentText", Device.GPU, "GPU", "CPU", Device.CPU)
        self.check("scale", qt.QComboBox(), "currentText", 4, "4", "2", 2)

    def test_a_node_selector_shows_and_edits_a_node(self):
        selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes, selector.noneEnabled = ["vtkMRMLTextNode"], True
        selector.setMRMLScene(slicer.mrmlScene)
        a, b = (slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", name) for name in "ab")
        self.parameters.connectParametersToGui({"node": selector})
        self.parameters.node = a
        self.assertIs(selector.currentNode(), a)
        selector.setCurrentNode(b)
        self.assertIs(self.parameters.node, b)
        slicer.mrmlScene.RemoveNode(b)
        self.assertIsNone(self.parameters.node)

    def test_limits_of_the_annotation_become_those_of_the_widget(self):
        slider = ctk.ctkSliderWidget()
        self.parameters.connectParametersToGui({"limited": slider})
        self.assertEqual((slider.minimum, slider.maximum), (0, 2))

    def test_items_of_a_combo_box_are_replaced_by_the_choices(self):
        box = qt.QComboBox()
        box.addItem("of Designer")
        self.parameters.connectParametersToGui({"scale": box})
        self.assertEqual([box.itemText(i) for i in range(box.count)], ["2", "4"])

    def test_a_property_of_a_widget_names_its_parameter(self):
        panel = qt.QWidget()
        layout = qt.QVBoxLayout(panel)
        line, other = qt.QLineEdit(), qt.QLineEdit()
        line.setProperty("SlicerParameterName", "name")
        layout.addWidget(line)
        layout.addWidget(other)
        self.parameters.connectGui(panel)
        self.assertEqual((line.text, other.text), ("a", ""))

    def test_widgets_may_be_attributes_of_an_object(self):
        line = qt.QLineEdit()
        line.name = "nameLine"
        line.setProperty("SlicerParameterName", "name")
        panel = qt.QWidget()
        qt.QVBoxLayout(panel).addWidget(line)
        self.parameters.connectGui(slicer.util.childWidgetVariables(panel))
        self.assertEqual(line.text, "a")

    def test_an_unsuitable_widget_raises_a_runtime_error(self):
        for name, widget in (
            ("name", qt.QCheckBox()),
            ("scale", qt.QLabel()),
            ("on", qt.QPushButton()),
            ("name", qt.QComboBox()),
        ):
            with self.subTest(name), self.assertRaisesRegex(RuntimeError, f"'{name}'"):
                self.parameters.connectParametersToGui({name: widget})

    def test_a_slider_without_a_range_raises_a_runtime_error(self):
        with self.assertRaisesRegex(RuntimeError, "range"):
            self.parameters.connectParametersToGui({"unlimited": ctk.ctkSliderWidget()})

    def test_an_unknown_parameter_is_refused(self):
        with self.assertRaises(ValueError):
            self.parameters.connectParametersToGui({"nothing": qt.QLineEdit()})

    def test_two_widgets_of_one_parameter_are_refused(self):
        panel = qt.QWidget()
        layout = qt.QVBoxLayout(panel)
        for _ in range(2):
            line = qt.QLineEdit()
            line.setProperty("SlicerParameterName", "name")
            layout.addWidget(line)
        with self.assertRaises(RuntimeError):
            self.parameters.connectGui(panel)

    def test_an_invalid_edit_is_an_error_in_a_slot(self):
        box = qt.QDoubleSpinBox()
        self.parameters.connectParametersToGui({"limited": box})
        box.maximum = 99
        with problems.expect("less than or equal to 2"):
            box.value = 50
        self.assertEqual(self.parameters.limited, 1.0)
