"""Texts of the panel: short labels, short tooltips, and what the end of a task shows."""

import unittest
from types import SimpleNamespace
from xml.etree import ElementTree

import qt
import slicer
from MRISuperResLib.core.messages import info, warning
from MRISuperResLib.scene.tasks import TaskState
from MRISuperResLib.widgets.task_panel import TaskStatus
from module_helpers import make_volume
from panel_testing import leave_module, open_module, process_events

MAX_WORDS = 3
MAX_TOOLTIP = 120  # characters
LABELED = ("QLabel", "QPushButton", "QCheckBox", "QToolButton", "ctkCollapsibleButton")
FREE_TEXTS = ("noticeLabel", "partialVolumeLabel")


class LabelsTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.widget = open_module("MRISuperRes")
        self.addCleanup(leave_module)

    def widgets(self):
        path = self.widget.resourcePath("UI/MRISuperRes.ui")
        return list(ElementTree.parse(path).iter("widget"))

    def tooltips(self):
        """The tooltips of widgets, and of the items of lists, tables and menus."""
        ui = self.widget.ui
        yield from (str(getattr(widget, "toolTip", "") or "") for widget in vars(ui).values())
        methods = ui.methodsListWidget
        yield from (methods.item(row).toolTip() for row in range(methods.count))
        table = ui.batchTable
        for row in range(table.rowCount):
            for column in range(table.columnCount):
                yield table.item(row, column).toolTip()
        yield from (action.toolTip for action in self.widget.userModels.menu.actions())

    def test_labels_have_at_most_three_words_in_sentence_case(self):
        texts = [
            widget.findtext("property[@name='text']/string")
            for widget in self.widgets()
            if widget.get("class") in LABELED and widget.get("name") not in FREE_TEXTS
        ]
        texts = [text for text in texts if text]
        self.assertGreater(len(texts), 30)
        for text in texts:
            with self.subTest(text):
                self.assertLessEqual(len(text.split()), MAX_WORDS)
                self.assertEqual(text[0], text[0].upper())

    def test_tooltips_are_short_in_every_state(self):
        volume = None
        for _state in range(2):
            shown = [text for text in self.tooltips() if text]
            self.assertGreater(len(shown), 40)
            for text in shown:
                with self.subTest(text):
                    self.assertLessEqual(len(text), MAX_TOOLTIP)
            volume = volume or make_volume()
            self.widget.ui.inputSelector.setCurrentNode(volume)
            process_events()


class TaskStatusTest(unittest.TestCase):
    def setUp(self):
        self.button, self.bar = qt.QPushButton(), qt.QProgressBar()
        self.progress, self.label, self.details = qt.QLabel(), qt.QLabel(), qt.QLabel()
        self.section = qt.QWidget()
        self.status = TaskStatus(
            self.button,
            self.bar,
            self.progress,
            self.label,
            (self.section, self.details),
            "Apply",
            "Upsample",
            "Cancel",
        )

    def end(self, *messages, state=TaskState.FINISHED, message=""):
        task = SimpleNamespace(state=state, message=message, messages=list(messages))
        self.status.showEnd(task, "“Output”", 3.42, "")

    def test_task_without_messages_ends_with_one_line(self):
        self.end()
        self.assertEqual(self.label.text, "Done in 3.4 s: “Output”.")
        self.assertTrue(self.section.isHidden())

    def test_information_is_shown_in_the_details_and_warnings_in_the_status(self):
        self.end(info("slice-axis", "Axial slices."), warning("spacing", "Unknown spacing."))
        self.assertEqual(self.label.text, "Done in 3.4 s: “Output”.\nWarning: Unknown spacing.")
        self.assertEqual(self.details.text, "Axial slices.")
        self.assertFalse(self.section.isHidden())

    def test_next_task_hides_the_details(self):
        self.end(info("slice-axis", "Axial slices."))
        self.status.showStart("Input")
        self.assertTrue(self.section.isHidden())
        self.end(state=TaskState.FAILED, message="Out of memory.")
        self.assertEqual((self.label.text, self.section.isHidden()), ("Out of memory.", True))


if __name__ == "__main__":
    unittest.main()
