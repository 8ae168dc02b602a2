"""The training panel on a small screen: nothing to scroll, readable tables, keyboard and theme."""

import unittest
from xml.etree import ElementTree

import qt
from MRISuperResTrainingLib.scene import dataset
from panel_testing import process_events, wait_until
from training_helpers import ONE_SCREEN, TrainingPanelTestCase, click, make_volume

MAX_WORDS = 3
MAX_TOOLTIP = 120  # characters
LABELED = ("QLabel", "QPushButton", "QCheckBox", "QToolButton", "ctkCollapsibleButton")
TABLES = ("volumesTable", "runsTable", "evaluationTable")
DAILY = (
    "volumesTable",
    "filesLineEdit",
    "folderButton",
    "filesButton",
    "presetComboBox",
    "scaleComboBox",
    "runNameLineEdit",
    "runsFolderLineEdit",
    "runsFolderButton",
    "startButton",
    "advancedCollapsibleButton",
    "stopButton",
    "viewsButton",
    "detailsButton",
)
"""Widgets of the tab Train that need no click to appear, in tab order."""


def contrast(first, second):
    """Return the contrast of two colors (WCAG 2.2), from 1 to 21."""
    lights = []
    for color in (first, second):
        shares = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


class TrainingLayoutTest(TrainingPanelTestCase):
    def place(self, widget):
        """Return the rectangle of a widget in the area."""
        return qt.QRect(widget.mapTo(self.area, qt.QPoint(0, 0)), widget.size)

    def evaluated_run(self):
        self.finished_run()
        click(self.ui.evaluateButton)
        wait_until(lambda: self.ui.evaluationTable.visible)

    def test_a_training_is_started_and_followed_without_scrolling(self):
        dataset.choose(make_volume("sub-02_T2w"), True)
        self.start_and_wait()
        self.panel.poll()
        bars = self.area.verticalScrollBar(), self.area.horizontalScrollBar()
        # nested layouts settle one after the other
        wait_until(
            lambda: [bar.maximum for bar in bars] == [0, 0], 5, "the panel did not fit the screen"
        )
        screen = qt.QRect(0, 0, *ONE_SCREEN)
        for name in (*DAILY, "datasetLabel", "statusLabel", "progressBar", "progressLabel"):
            with self.subTest(name):
                widget = getattr(self.ui, name)
                self.assertTrue(widget.visible)
                self.assertTrue(screen.contains(self.place(widget)))

    def test_other_settings_appear_only_in_the_advanced_section(self):
        names = ["generatorComboBox", "psnrStepsSpinBox", "batchSpinBox", "degradationComboBox"]
        names += ["preCheckBox", "deviceComboBox", "precisionComboBox", "vggLineEdit"]
        widgets = [getattr(self.ui, name) for name in names]
        self.assertEqual([widget.visible for widget in widgets], [False] * len(widgets))
        self.ui.advancedCollapsibleButton.collapsed = False
        process_events()
        self.assertEqual([widget.visible for widget in widgets], [True] * len(widgets))
        bar = self.area.horizontalScrollBar()
        wait_until(lambda: bar.maximum == 0, 5, "the panel did not fit the width")

    def test_the_keyboard_follows_the_panel_from_top_to_bottom(self):
        make_volume("sub-02_T2w")
        wait_until(lambda: self.ui.volumesTable.rowCount == 2)
        self.start_and_wait()
        self.panel.poll()
        names = {getattr(self.ui, name): name for name in DAILY}
        names |= {self.anatomy_box(row): f"anatomy {row}" for row in range(2)}
        widget, found = self.ui.volumesTable, ["volumesTable"]
        while (widget := widget.nextInFocusChain()) != self.ui.volumesTable:
            found += [names[widget]] if widget in names else []
        self.assertEqual(found, ["volumesTable", "anatomy 0", "anatomy 1", *DAILY[1:]])
        for name in TABLES:
            self.assertFalse(getattr(self.ui, name).tabKeyNavigation, f"Tab does not leave {name}")

    def test_columns_and_headings_are_readable(self):
        self.evaluated_run()
        for name, tab in zip(TABLES, ("train", "runs", "evaluate")):
            self.show_tab(tab)
            table = getattr(self.ui, name)
            header = table.horizontalHeader()
            widths = [header.sectionSize(column) for column in range(table.columnCount)]
            with self.subTest(name):
                self.assertLessEqual(sum(widths), table.viewport().width)
                for column, width in enumerate(widths):
                    text = table.horizontalHeaderItem(column).text()
                    self.assertLess(header.fontMetrics().horizontalAdvance(text), width, text)

    def test_labels_have_at_most_three_words_in_sentence_case(self):
        texts = [
            widget.findtext("property[@name='text']/string")
            for widget in self.elements()
            if widget.get("class") in LABELED
        ]
        texts += [element.findtext("string") for element in self.elements("attribute")]
        texts = [text for text in texts if text]
        self.assertGreater(len(texts), 30)
        for text in texts:
            with self.subTest(text):
                self.assertLessEqual(len(text.split()), MAX_WORDS)
                self.assertIn(text[0], text[0].upper() + "…")

    def test_tooltips_are_short_in_every_state(self):
        self.assert_short_tool_tips()
        self.evaluated_run()
        self.assert_short_tool_tips()

    def assert_short_tool_tips(self):
        texts = [str(getattr(widget, "toolTip", "")) for widget in vars(self.ui).values()]
        for table in (getattr(self.ui, name) for name in TABLES):
            for column in range(table.columnCount):
                items = [table.item(row, column) for row in range(table.rowCount)]
                items.append(table.horizontalHeaderItem(column))
                texts += [item.toolTip() for item in items if item is not None]
        texts = [text for text in texts if text]
        self.assertGreater(len(texts), 30)
        for text in texts:
            self.assertLessEqual(len(text), MAX_TOOLTIP, text)

    def test_colored_texts_are_legible_in_both_themes(self):
        self.check()
        for theme in ("light", "dark"):
            self.show_theme(theme)
            self.assertIn("Only one subject", self.ui.datasetLabel.text)
            for label in (self.ui.datasetLabel, self.ui.evaluationLabel):
                text = self.text_color(label)
                window = label.parentWidget().palette.color(qt.QPalette.Window).name()
                with self.subTest(theme, label=label.objectName, text=text, window=window):
                    self.assertGreaterEqual(contrast(text, window), 4.5)

    def elements(self, tag="widget"):
        path = self.widget.resourcePath("UI/MRISuperResTraining.ui")
        return list(ElementTree.parse(path).iter(tag))


if __name__ == "__main__":
    unittest.main()
