"""Stand-ins for CTK widgets behave like the widgets."""

import tempfile
import unittest
from pathlib import Path

import ctk
import qt
import slicer
import vtk
from panel_testing import answer_next, turn_wheel


class Recorder(list):
    """Slot that records the arguments of its calls."""

    def __init__(self, sender, signal):
        super().__init__()
        sender.connect(
            signal,
            lambda *arguments: self.append(arguments[0] if len(arguments) == 1 else arguments),
        )


class CollapsibleButtonTest(unittest.TestCase):
    def setUp(self):
        self.button = ctk.ctkCollapsibleButton()
        self.button.text = "Inputs"
        layout = qt.QFormLayout(self.button)
        self.inside = qt.QLabel("inside")
        layout.addRow(self.inside)
        self.button.show()

    def test_a_new_button_is_open(self):
        self.assertFalse(self.button.collapsed)
        self.assertTrue(self.inside.visible)

    def test_a_widget_added_to_a_collapsed_button_is_hidden_until_it_opens(self):
        button = ctk.ctkCollapsibleButton()
        button.collapsed = True
        inside = qt.QLabel("inside")
        qt.QVBoxLayout(button).addWidget(inside)
        button.show()
        self.assertFalse(inside.visible)
        button.collapsed = False
        self.assertTrue(inside.visible)

    def test_collapsing_hides_the_contents_and_emits_a_signal(self):
        emitted = Recorder(self.button, "contentsCollapsed(bool)")
        self.button.collapsed = True
        self.assertFalse(self.inside.visible)
        self.assertEqual(emitted, [True])
        self.button.collapsed = False
        self.assertTrue(self.inside.visible)

    def test_checked_means_open(self):
        self.button.checked = False
        self.assertTrue(self.button.collapsed)

    def test_a_click_toggles_the_button(self):
        self.button.click()
        self.assertTrue(self.button.collapsed)


class SliderWidgetTest(unittest.TestCase):
    def setUp(self):
        self.slider = ctk.ctkSliderWidget()
        self.slider.minimum, self.slider.maximum, self.slider.singleStep = 0, 10, 0.5

    def test_a_value_is_clamped_to_the_limits(self):
        self.slider.value = 99
        self.assertEqual(self.slider.value, 10)

    def test_a_change_is_signaled_once(self):
        emitted = Recorder(self.slider, "valueChanged(double)")
        self.slider.value = 2.5
        self.slider.value = 2.5
        self.assertEqual(emitted, [2.5])

    def test_a_higher_minimum_raises_the_value(self):
        emitted = Recorder(self.slider, "valueChanged(double)")
        self.slider.minimum = 4
        self.assertEqual((self.slider.value, emitted), (4, [4]))

    def test_the_value_is_rounded_to_the_decimals(self):
        self.slider.decimals = 0
        self.slider.singleStep = 1
        self.slider.value = 2.6
        self.assertEqual(self.slider.value, 3)


class SpinBoxTest(unittest.TestCase):
    def test_a_change_emits_number_and_text(self):
        box = ctk.ctkDoubleSpinBox()
        numbers, texts = (
            Recorder(box, "valueChanged(double)"),
            Recorder(box, "valueChanged(QString)"),
        )
        box.value = 2
        self.assertEqual((numbers, texts), ([2.0], ["2.00"]))


class RangeWidgetTest(unittest.TestCase):
    def test_the_ends_do_not_cross(self):
        box = ctk.ctkRangeWidget()
        box.setValues(10, 20)
        box.minimumValue = 30
        self.assertEqual((box.minimumValue, box.maximumValue), (30, 30))


class PathTest(unittest.TestCase):
    def test_a_path_signals_its_validity(self):
        line = ctk.ctkPathLineEdit()
        valid, paths = (
            Recorder(line, "validInputChanged(bool)"),
            Recorder(line, "currentPathChanged(QString)"),
        )
        line.currentPath = __file__
        line.currentPath = "/nowhere/at/all"
        self.assertEqual((valid, paths), ([True, False], [__file__, "/nowhere/at/all"]))

    def test_browsing_selects_a_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            button = ctk.ctkDirectoryButton()
            selected = Recorder(button, "directorySelected(QString)")
            answer_next(folder)
            button.browse()
            self.assertEqual((button.directory, selected), (folder, [folder]))

    def test_a_cancelled_dialog_changes_nothing(self):
        line = ctk.ctkPathLineEdit()
        line.currentPath = __file__
        answer_next("")
        line.browse()
        self.assertEqual(Path(line.currentPath), Path(__file__))


class CheckablePushButtonTest(unittest.TestCase):
    def test_the_check_box_is_independent_of_the_button(self):
        button = ctk.ctkCheckablePushButton()
        emitted = Recorder(button, "checkBoxToggled(bool)")
        button.checkState = qt.Qt.Checked
        self.assertEqual(emitted, [True])
        self.assertFalse(button.checked)


class TextTest(unittest.TestCase):
    def test_details_of_a_text_can_be_expanded(self):
        browser = ctk.ctkFittedTextBrowser()
        browser.setCollapsibleText("short<more>long")
        self.assertNotIn("long", browser.plainText)
        browser.collapsed = False
        self.assertIn("long", browser.plainText)

    def test_an_item_of_a_combo_box_is_selected_by_its_data(self):
        box = ctk.ctkComboBox()
        for name in ("one", "two"):
            box.addItem(name.title(), name)
        box.currentUserDataAsString = "two"
        self.assertEqual((box.currentText, box.currentData), ("Two", "two"))

    def test_the_wheel_changes_a_combo_box_unless_it_never_scrolls(self):
        box = ctk.ctkComboBox()
        box.addItems(["one", "two"])
        turn_wheel(box, -1)
        self.assertEqual(box.currentText, "two")
        box.scrollWheelEffect = ctk.ctkComboBox.NeverScroll
        turn_wheel(box, 1)
        self.assertEqual(box.currentText, "two")


class TableViewTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        self.view = slicer.qMRMLTableView()
        self.view.setMRMLScene(slicer.mrmlScene)
        self.view.setMRMLTableNode(self.node)

    def shown(self):
        model = self.view.model()
        return [
            [model.index(r, c).data() for c in range(model.columnCount())]
            for r in range(model.rowCount())
        ]

    def test_the_view_follows_the_table_node(self):
        self.assertEqual(self.shown(), [])
        column = vtk.vtkStringArray()
        column.SetName("Method")
        # filled first, because AddColumn() pads a column to the number of rows
        for method in ("nearest", "bicubic"):
            column.InsertNextValue(method)
        self.node.AddColumn(column)
        self.assertEqual(self.shown(), [["nearest"], ["bicubic"]])
        self.assertEqual(self.view.model().headerData(0, qt.Qt.Horizontal), "Method")

    def test_a_view_without_a_node_is_empty(self):
        self.node.AddEmptyRow()
        self.view.setMRMLTableNode(None)
        self.assertEqual(self.shown(), [])
