"""The documentation explains every control of the panels."""

import re
import unittest
from xml.etree import ElementTree

from repository import PROJECT

EXPLAINED = ("Panel.md", "Comparison.md")
WITH_TEXT = ("QPushButton", "QCheckBox", "QToolButton", "ctkCollapsibleButton")


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
    def test_every_control_is_named_in_the_documentation(self):
        text = " ".join(
            " ".join(
                (PROJECT / "Documentation" / name).read_text(encoding="utf-8") for name in EXPLAINED
            ).split()
        )
        for module in ("MRISuperRes", "MRISuperResTraining"):
            found = controls(PROJECT / module / "Resources" / "UI" / f"{module}.ui")
            self.assertGreater(len(found), 20)
            for control in found:
                with self.subTest(module, control=control):
                    self.assertIn(control, text)


if __name__ == "__main__":
    unittest.main()
