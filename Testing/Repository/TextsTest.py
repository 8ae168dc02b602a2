"""Links, commands and versions in the documents of the repository are valid."""

import json
import re
import sys
import unittest
from pathlib import Path

from repository import PROJECT, files
from MRISuperResLib import __version__
from MRISuperResLib.cli.parser import parse
from MRISuperResTrainingLib.cli.parser import parse as parse_training

sys.path.append(str(Path(__file__).resolve().parents[1] / "Core"))
from readme_examples import commands

TEXTS = files("*.md")


class LinksTest(unittest.TestCase):
    def test_linked_files_exist(self):
        self.assertGreater(len(TEXTS), 5)
        for path in TEXTS:
            for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
                with self.subTest(path.relative_to(PROJECT), target=target):
                    self.assertTrue(
                        target.startswith("https://") or (path.parent / target).exists()
                    )

    def test_files_and_folders_named_in_contributing_exist(self):
        text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
        named = set(
            re.findall(
                r"`((?:Testing|MRISuperRes|MRISuperResTraining|Resources|CMake)(?:/[\w./-]+)?"
                r"|\w+\.(?:toml|md|cff))`",
                text,
            )
        )
        self.assertGreater(len(named), 10)
        for name in named:
            with self.subTest(name):
                self.assertTrue((PROJECT / name).exists())

    def test_layers_named_in_documents_are_the_labels_of_tests(self):
        lists = [*PROJECT.glob("*/CMakeLists.txt"), *PROJECT.glob("Testing/*/CMakeLists.txt")]
        text = "".join(path.read_text(encoding="utf-8") for path in lists)
        labels = set(re.findall(r"LABELS (\w+)", text))
        for path, pattern in (
            ("CONTRIBUTING.md", r"-L core` \(([^)]+)\)"),
            ("Testing/Host/README.md", r"-L core +# one layer: (.+)"),
        ):
            named = set(
                re.search(pattern, (PROJECT / path).read_text(encoding="utf-8"))[1].split(", ")
            )
            self.assertEqual(named, labels - {"benchmark"}, path)


class CommandsTest(unittest.TestCase):
    """Commands in documents; Core/ReadmeTest.py runs those of the README."""

    def test_commands_in_all_documents_parse(self):
        examples = [
            (path.relative_to(PROJECT), parse_command, words)
            for program, parse_command in (
                ("mrisuperres", parse),
                ("mrisuperres-train", parse_training),
            )
            for path in TEXTS
            for words in commands(program, path)
        ]
        self.assertGreater(len({path for path, _, _ in examples}), 1)
        for path, parse_command, words in examples:
            with self.subTest(path, command=" ".join(words)):
                parse_command(words)


class VersionTest(unittest.TestCase):
    def test_the_oldest_slicer_of_the_readme_is_that_of_the_test_host(self):
        text = (PROJECT / "Testing/Host/slicerhost/contract.json").read_text(encoding="utf-8")
        imitated = ".".join(json.loads(text)["slicer"].split(".")[:2])
        for name in ("README.md", "Documentation/Panel.md"):
            readme = (PROJECT / name).read_text(encoding="utf-8")
            self.assertIn(f"3D Slicer {imitated} or later", readme, name)

    def test_the_citation_names_the_version_of_the_code(self):
        self.assertIn(
            f"\nversion: {__version__}\n", (PROJECT / "CITATION.cff").read_text(encoding="utf-8")
        )

    def test_the_changelog_starts_with_this_version_or_the_next(self):
        text = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
        headings = re.findall(r"^## \[([^\]]+)\](?: - \d{4}-\d\d-\d\d)?$", text, re.MULTILINE)
        self.assertIn(headings[0], ("Unreleased", __version__))
        self.assertIn(__version__, text)


class LinesTest(unittest.TestCase):
    def test_text_files_have_unix_line_ends_and_a_final_one(self):
        for path in files("*.py", "*.md", "*.json", "*.toml", "*.cff", "*.txt", "*.cmake", "*.ui"):
            data = path.read_bytes()
            with self.subTest(path.relative_to(PROJECT)):
                self.assertNotIn(b"\r", data)
                self.assertTrue(data.endswith(b"\n") or not data)


if __name__ == "__main__":
    unittest.main()
