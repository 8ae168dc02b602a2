"""The panel in the narrow column of the main window: one screen, readable, in both themes."""

import unittest
from collections import Counter
from itertools import pairwise

import qt
import slicer
from module_helpers import click, make_phantom, make_volume, show_panel, wait_for_end
from MRISuperResLib.scene.parameters import Scale
from panel_testing import leave_module, open_module, process_events, screenshot, wait_until
from sequence_helpers import make_browser, make_sequence

SIZE = 330, 800
"""Width and height in px that a module has at 1080 lines."""
TABS = {
    "upsample": "upsampleContents",
    "compare": "compareContents",
    "batch": "batchContents",
    "models": "modelsContents",
}
MIN_CONTRAST = 4.5  # WCAG 2.1, level AA
DARK = {
    "Window": "#353535",
    "WindowText": "#ffffff",
    "Base": "#2d2d2d",
    "AlternateBase": "#424242",
    "Text": "#ffffff",
    "Button": "#353535",
    "ButtonText": "#ffffff",
    "Light": "#828284",
    "Midlight": "#5c5c5d",
    "Dark": "#232323",
    "Mid": "#2c2c2c",
    "Shadow": "#141414",
    "Highlight": "#3ca4ff",
    "HighlightedText": "#ffffff",
}
DISABLED = "#7f7f7f"
"""The palette of Slicer's dark style; DISABLED is for all of its texts."""


class PanelLayoutTestCase(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.addCleanup(leave_module)
        self.widget = open_module("MRISuperRes")
        self.ui = self.widget.ui
        self.ui.modelComboBox.setCurrentIndex(0)
        self.area = show_panel(self.widget, SIZE)
        self.show_tab("upsample")

    def tearDown(self):
        self.ui.advancedCollapsibleButton.collapsed = True
        self.widget.logic.cleanup()

    def show_tab(self, name):
        self.ui.tabs.setCurrentIndex(list(TABS).index(name))
        wait_until(lambda: not self.widget.packages.isChecking)
        process_events()

    def shown(self, *kinds):
        """Return the visible widgets of some Qt classes."""
        return [
            widget
            for widget in vars(self.ui).values()
            if isinstance(widget, kinds) and widget.isVisibleTo(self.area)
        ]

    def place(self, widget):
        """Return the position of a widget in the panel."""
        return widget.mapTo(self.area.widget(), qt.QPoint(0, 0))


class OneScreenTest(PanelLayoutTestCase):
    def assert_one_screen(self):
        process_events()
        self.assertEqual(self.area.verticalScrollBar().maximum, 0)
        self.assertEqual(self.area.horizontalScrollBar().maximum, 0)
        button = self.ui.applyButton
        self.assertTrue(button.isVisibleTo(self.area))
        self.assertLessEqual(self.place(button).y() + button.height, SIZE[1])

    def test_nothing_of_the_daily_work_is_scrolled(self):
        self.assert_one_screen()
        self.assertTrue(self.ui.sampleButton.isVisibleTo(self.area))
        make_phantom((256, 256, 40))
        self.widget.initializeParameterNode()
        self.assert_one_screen()
        self.assertFalse(self.ui.sampleButton.isVisibleTo(self.area))

    def test_at_most_two_lines_of_explanation_stand_above_apply(self):
        make_phantom((256, 256, 40))
        self.widget.initializeParameterNode()
        for scale in range(len(Scale)):
            self.ui.outputComboBox.setCurrentIndex(scale)
            for model in range(self.ui.modelComboBox.count):
                self.ui.modelComboBox.setCurrentIndex(model)
                process_events()
                if self.isImported():
                    continue  # without figures: its limits are shown
                with self.subTest(scale, model=self.ui.modelComboBox.currentText):
                    self.assert_two_lines()

    def test_outputs_with_finer_slices_fit_with_their_warning(self):
        make_phantom((256, 256, 40))
        self.widget.initializeParameterNode()
        for index in range(len(Scale), self.ui.outputComboBox.count):
            self.ui.outputComboBox.setCurrentIndex(index)
            with self.subTest(self.ui.outputComboBox.currentText):
                self.assert_one_screen()
                label = self.ui.partialVolumeLabel
                self.assertLess(self.place(label).y(), self.place(self.ui.applyButton).y())
                self.assertLessEqual(label.height // label.fontMetrics().lineSpacing(), 3)

    def isImported(self):
        cards = self.widget.upsampling.models.cards
        return any(not card.metrics for card in cards)

    def assert_two_lines(self):
        above = [
            label
            for label in self.shown(qt.QLabel)
            if label.property("textRole") == "muted"
            and self.place(label).y() < self.place(self.ui.applyButton).y()
        ]
        self.assertEqual(
            {label.objectName for label in above}, {"modelSummaryLabel", "estimateLabel"}
        )
        lines = sum(label.height // label.fontMetrics().lineSpacing() for label in above)
        self.assertEqual(lines, 2, [label.text for label in above])

    def test_frames_and_warnings_fit_as_well(self):
        _browser, frame = make_browser(make_sequence(20, size=(160, 160, 6), name="Cine"))
        frame.SetSpacing(30, 30, 90)
        self.widget._parameterNode.inputVolume = frame
        self.assert_one_screen()
        self.assertTrue(self.ui.allFramesCheckBox.isVisibleTo(self.area))
        self.assertTrue(self.ui.modelWarningLabel.isVisibleTo(self.area))

    def test_result_fits_as_well(self):
        make_volume()
        self.widget.initializeParameterNode()
        self.ui.modelComboBox.setCurrentIndex(self.ui.modelComboBox.findData("bicubic"))
        click(self.ui.applyButton)
        self.assert_one_screen()
        wait_for_end(self.widget.upsampling.task)
        self.assert_one_screen()
        self.assertIn("Done in", self.ui.statusLabel.text)

    def test_everything_else_is_closed_or_on_another_tab(self):
        for name in ("sliceAxisComboBox", "deviceComboBox", "precisionComboBox", "blendSlider"):
            with self.subTest(name):
                widget = getattr(self.ui, name)
                self.assertFalse(widget.isVisibleTo(self.area))
        self.ui.advancedCollapsibleButton.collapsed = False
        self.assertTrue(self.ui.sliceAxisComboBox.isVisibleTo(self.area))

    def test_only_the_current_tab_takes_space(self):
        for current in TABS:
            self.show_tab(current)
            for name, contents in TABS.items():
                with self.subTest(current, tab=name):
                    contents = getattr(self.ui, contents)
                    self.assertEqual(contents.isVisibleTo(self.area), name == current)


class ReadableTest(PanelLayoutTestCase):
    """At 330 px."""

    def setUp(self):
        super().setUp()
        make_phantom((256, 256, 40)).SetName("sub-01_ses-2_run-3_acq-haste_T2w")
        make_phantom((64, 64, 10))
        self.widget.initializeParameterNode()
        self.ui.advancedCollapsibleButton.collapsed = False

    def test_tabs_are_complete(self):
        bar = self.ui.tabs.tabBar()
        widths = [bar.tabRect(index).width() for index in range(bar.count)]
        self.assertLessEqual(sum(widths), bar.width)
        self.assertEqual(len(widths), len(TABS))

    def test_labels_and_buttons_are_complete(self):
        for name in TABS:
            self.show_tab(name)
            self.assertEqual(self.area.horizontalScrollBar().maximum, 0)
            for widget in self.shown(qt.QLabel, qt.QPushButton, qt.QCheckBox):
                if not widget.text:
                    continue
                with self.subTest(name, text=widget.text):
                    if isinstance(widget, qt.QLabel) and widget.wordWrap:
                        self.assertLessEqual(widget.heightForWidth(widget.width), widget.height)
                    else:
                        self.assertLessEqual(widget.sizeHint.width(), widget.width)

    def test_choices_are_complete(self):
        for name in TABS:
            self.show_tab(name)
            for box in self.shown(qt.QComboBox):
                room = box.width - box.height - 6  # without the arrow
                for index in range(box.count):
                    with self.subTest(box=box.objectName, text=box.itemText(index)):
                        width = box.fontMetrics().boundingRect(box.itemText(index)).width()
                        self.assertLessEqual(width, room)

    def test_methods_are_complete(self):
        self.show_tab("compare")
        methods = self.ui.methodsListWidget
        self.assertGreater(methods.count, 5)
        self.assertLessEqual(methods.sizeHintForColumn(0), methods.viewport().width)

    def test_long_names_of_volumes_wrap(self):
        self.show_tab("batch")
        table = self.ui.batchTable
        self.assertEqual(table.rowCount, 2)
        for row in range(table.rowCount):
            text = table.item(row, 0).text()
            parts = text.split("\u200b")
            widths = [table.fontMetrics().boundingRect(part).width() for part in parts]
            self.assertLess(max(widths) + 40, table.columnWidth(0))
            self.assertGreaterEqual(table.rowHeight(row), table.sizeHintForRow(row))
        self.assertGreater(table.rowHeight(0), table.rowHeight(1))


class KeyboardTest(PanelLayoutTestCase):
    def focus_chain(self, contents):
        """Return the reachable widgets of a tab in the order of the Tab key."""
        reachable = (qt.Qt.TabFocus, qt.Qt.StrongFocus, qt.Qt.WheelFocus)
        found, widget = [], contents.nextInFocusChain()
        while widget != contents:
            if (
                contents.isAncestorOf(widget)
                and widget.isVisibleTo(self.area)
                and widget.enabled
                and widget.focusPolicy in reachable
            ):
                found.append(widget)
            widget = widget.nextInFocusChain()
        return found

    def test_tab_key_follows_the_reading_order(self):
        make_phantom()
        self.widget.initializeParameterNode()
        self.ui.advancedCollapsibleButton.collapsed = False
        for name, contents in TABS.items():
            self.show_tab(name)
            chain = self.focus_chain(getattr(self.ui, contents))
            self.assertGreater(len(chain), 1)
            for before, after in pairwise(chain):
                with self.subTest(name, before=before.objectName, after=after.objectName):
                    first, second = self.place(before), self.place(after)
                    isInRow = abs(second.y() - first.y()) < before.height / 2
                    self.assertTrue(
                        second.x() >= first.x() if isInRow else second.y() > first.y(),
                        (first, second),
                    )


class ThemeTest(PanelLayoutTestCase):
    def use(self, colors):
        """Switch the theme while the panel is open, then enter the panel again."""
        before = slicer.app.palette()
        self.addCleanup(slicer.app.setPalette, before)
        palette = qt.QPalette()
        for role, color in colors.items():
            palette.setColor(getattr(qt.QPalette, role), qt.QColor(color))
            if role.endswith("Text"):
                palette.setColor(
                    qt.QPalette.Disabled, getattr(qt.QPalette, role), qt.QColor(DISABLED)
                )
        slicer.app.setPalette(palette)
        process_events()
        leave_module()
        open_module("MRISuperRes")
        self.addCleanup(self.widget.enter)
        process_events()

    def contrast(self, label, image):
        """Return the contrast between a text and the color that surrounds it in a picture."""
        place = self.place(label)
        colors = Counter(
            image.pixel(place.x() + x, place.y() + y) & 0xFFFFFF
            for x in range(label.width)
            for y in range(label.height)
        )
        background = luminance(colors.most_common(1)[0][0])
        return max(contrast_of(background, luminance(color)) for color in colors)

    def assert_legible(self, theme):
        pictures = set()
        volume = make_phantom()
        volume.SetSpacing(30, 30, 90)  # shows a warning
        self.widget.initializeParameterNode()
        self.ui.advancedCollapsibleButton.collapsed = False
        for name in TABS:
            self.show_tab(name)
            pictures.add(screenshot(self.area, f"{theme}_{name}", SIZE).read_bytes())
            image = self.area.widget().grab().toImage()
            labels = [label for label in self.shown(qt.QLabel) if label.text.strip()]
            self.assertTrue(labels)
            for label in labels:
                with self.subTest(name, label=label.objectName):
                    self.assertGreaterEqual(self.contrast(label, image), MIN_CONTRAST)
        self.assertEqual(len(pictures), len(TABS))

    def test_light_theme_is_legible(self):
        self.assert_legible("light")

    def test_dark_theme_is_legible(self):
        self.use(DARK)
        self.assertEqual(self.ui.upsampleTab.palette.color(qt.QPalette.Window).name(), "#353535")
        self.assert_legible("dark")


def luminance(color):
    """Return the relative luminance of a color such as 0x353535 (WCAG 2.1)."""
    channels = [(color >> shift & 0xFF) / 255 for shift in (16, 8, 0)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast_of(first, second):
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


if __name__ == "__main__":
    unittest.main()
