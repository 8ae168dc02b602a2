"""The list of faults, Testing/FAULTS.md: its tests exist, and its sentences are those of the code."""

import ast
import re
import unittest
from pathlib import Path

import MRISuperResLib
from named_tests import NAMED, missing, rows

LIBRARY = Path(MRISuperResLib.__file__).parent


def texts_of_the_code():
    """Everything that is between quotes in the library."""
    return [
        node.value
        for path in LIBRARY.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


class FaultListTest(unittest.TestCase):
    def setUp(self):
        self.rows = rows("FAULTS.md", "fault")

    def test_every_fault_has_a_state_afterwards_and_a_test(self):
        self.assertGreater(len(self.rows), 40)
        for row in self.rows:
            with self.subTest(row[0]):
                self.assertEqual(len(row), 4)
                self.assertRegex(row[3], f"^{NAMED}(, {NAMED})*$")

    def test_every_test_that_is_named_exists(self):
        for row in self.rows:
            with self.subTest(row[0]):
                self.assertEqual(missing(row[3]), [])

    def test_every_sentence_is_one_of_the_code(self):
        texts = [re.sub(r"\{[^{}]*\}", "…", text) for text in texts_of_the_code()]
        for row in self.rows:
            for sentence in re.findall(r"“((?:[^“”]|“…”)*)”", row[1]):
                for part in re.split(r"[“”]?…[“”]?", sentence):
                    with self.subTest(row[0], part=part):
                        self.assertTrue(any(part in text for text in texts))


if __name__ == "__main__":
    unittest.main()
