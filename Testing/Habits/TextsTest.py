"""The texts of the repository: what they point to is there, and they agree on the version."""

import re
import sys
import unittest
from pathlib import Path

from habits import PROJECT, files
from MRISuperResLib import __version__
from MRISuperResLib.cli.parser import parse
from MRISuperResTrainingLib.cli.parser import parse as parse_training

sys.path.append(str(Path(__file__).resolve().parents[1] / "Core"))
from readme_examples import commands

TEXTS = files("*.md")


class LinksTest(unittest.TestCase):
    def test_links_to_files_lead_to_files(self):
        self.assertGreater(len(TEXTS), 5)
        for path in TEXTS:
            for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
                with self.subTest(path.relative_to(PROJECT), target=target):
                    self.assertTrue(
                        target.startswith("https://") or (path.parent / target).exists()
                    )

    def test_files_and_folders_that_the_contributors_are_told_of_are_there(self):
        text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
        named = set(
            re.findall(
                r"`((?:Testing|MRISuperRes|MRISuperResTraining|Resources|CMake)(?:/[\w./-]+)?|\w+\.(?:toml|md|cff))`",
                text,
            )
        )
        self.assertGreater(len(named), 10)
        for name in named:
            with self.subTest(name):
                self.assertTrue((PROJECT / name).exists())

    def test_layers_that_are_named_are_labels_of_tests(self):
        labels = set(
            re.findall(
                r"LABELS (\w+)",
                "".join(
                    path.read_text(encoding="utf-8")
                    for path in PROJECT.glob("Testing/*/CMakeLists.txt")
                ),
            )
        )
        for path, pattern in (
            ("CONTRIBUTING.md", r"-L core` \(([^)]+)\)"),
            ("Testing/Host/README.md", r"-L module +# one layer: (.+)"),
        ):
            named = set(
                re.search(pattern, (PROJECT / path).read_text(encoding="utf-8"))[1].split(", ")
            )
            self.assertEqual(named, labels - {"benchmark"}, path)


class CommandsTest(unittest.TestCase):
    """Those of the README are also run, see Core/ReadmeTest.py."""

    def test_command_lines_of_all_texts_are_understood(self):
        examples = [
            (path.relative_to(PROJECT), understand, words)
            for program, understand in (
                ("MRISuperResLib", parse),
                ("MRISuperResTrainingLib", parse_training),
            )
            for path in TEXTS
            for words in commands(program, path)
        ]
        self.assertGreater(len({path for path, _, _ in examples}), 1)
        for path, understand, words in examples:
            with self.subTest(path, command=" ".join(words)):
                understand(words)


class VersionTest(unittest.TestCase):
    def test_the_citation_names_the_version_of_the_code(self):
        self.assertIn(
            f"\nversion: {__version__}\n", (PROJECT / "CITATION.cff").read_text(encoding="utf-8")
        )

    def test_the_changes_are_told_of_this_version_or_of_the_next_one(self):
        text = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
        headings = re.findall(r"^## \[([^\]]+)\](?: - \d{4}-\d\d-\d\d)?$", text, re.MULTILINE)
        self.assertIn(headings[0], ("Unreleased", __version__))
        self.assertIn(__version__, text)


class LinesTest(unittest.TestCase):
    def test_texts_end_their_lines_as_unix_does_and_their_last_one_too(self):
        for path in files("*.py", "*.md", "*.json", "*.toml", "*.cff", "*.txt", "*.cmake", "*.ui"):
            data = path.read_bytes()
            with self.subTest(path.relative_to(PROJECT)):
                self.assertNotIn(b"\r", data)
                self.assertTrue(data.endswith(b"\n") or not data)


if __name__ == "__main__":
    unittest.main()
