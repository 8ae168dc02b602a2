"""The documentation explains every control of the panels; tooltips are short."""

import re
import unittest
from xml.etree import ElementTree

from repository import PROJECT

EXPLAINED = ("Panel.md", "Comparison.md")
WITH_TEXT = ("QPushButton", "QCheckBox", "QToolButton", "ctkCollapsibleButton")
MODULES = ("MRISuperRes", "MRISuperResTraining")
MAX_TOOLTIP = 120


def ui_file(module):
    return PROJECT / module / "Resources" / "UI" / f"{module}.ui"


def controls(path):
    """Return the texts of labels, buttons, check boxes and sections, without colons and dots."""
    texts = []
    for widget in ElementTree.parse(path).iter("widget"):
        text = widget.findtext("property[@name='text']/string") or ""
        if widget.get("class") in WITH_TEXT or (
            widget.get("class") == "QLabel" and text.endswith(":")
        ):
            texts.append(text.rstrip(":… "))
    return [text for text in texts if re.search(r"\w", text)]


class ControlsTest(unittest.TestCase):
    def test_tooltips_have_at_most_120_characters(self):
        for module in MODULES:
            tooltips = [
                element.findtext("string")
                for element in ElementTree.parse(ui_file(module)).iter()
                if element.get("name") == "toolTip"
            ]
            self.assertGreater(len(tooltips), 20)
            for text in tooltips:
                with self.subTest(module, tooltip=text):
                    self.assertLessEqual(len(text), MAX_TOOLTIP)

    def test_every_control_is_named_in_the_documentation(self):
        text = " ".join(
            " ".join(
                (PROJECT / "Documentation" / name).read_text(encoding="utf-8") for name in EXPLAINED
            ).split()
        )
        for module in MODULES:
            found = controls(ui_file(module))
            self.assertGreater(len(found), 20)
            for control in found:
                with self.subTest(module, control=control):
                    self.assertIn(control, text)


if __name__ == "__main__":
    unittest.main()
