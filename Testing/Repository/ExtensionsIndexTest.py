"""The project meets the requirements of Slicer's Extensions Index (Resources/ExtensionsIndex)."""

import ast
import json
import re
import struct
import unittest
from urllib.parse import urlsplit

from repository import MODULES, PROJECT, cmake_values, git

ENTRY = PROJECT / "Resources" / "ExtensionsIndex" / "MRISuperRes.json"
LIMIT_MB = 100
CATEGORIES = {"Filtering", "Image Synthesis", "Neuroimaging"}
"""Categories accepted by the Index that suit this extension."""
KEYS = {
    "$schema": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "category": str,
    "scm_revision": str,
    "scm_url": str,
    "tier": int,
}


def literal(name):
    """Return the text of set(EXTENSION_NAME "text"), which must be one quoted literal."""
    text = (PROJECT / "CMakeLists.txt").read_text(encoding="utf-8")
    found = re.search(rf'^set\(EXTENSION_{name} "([^"$\n]+)"\)$', text, re.MULTILINE)
    return found and found[1]


def png_size(path):
    data = path.read_bytes()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"{path} is not a PNG file")
    return struct.unpack(">II", data[16:24])


class EntryTest(unittest.TestCase):
    def setUp(self):
        self.entry = json.loads(ENTRY.read_text(encoding="utf-8"))

    def test_the_entry_has_the_keys_of_the_schema_and_unix_line_ends(self):
        self.assertEqual({key: type(value) for key, value in self.entry.items()}, KEYS)
        self.assertRegex(
            self.entry["$schema"],
            r"^https://raw\.githubusercontent\.com/Slicer/.*"
            r"slicer-extension-catalog-entry-schema-v1\.0\.\d\.json#$",
        )
        self.assertIn(self.entry["tier"], (1, 3, 5))
        self.assertIn(self.entry["category"], CATEGORIES)
        self.assertNotIn(b"\r", ENTRY.read_bytes())

    def test_the_entry_has_the_name_of_the_project_without_the_prefix_slicer(self):
        text = (PROJECT / "CMakeLists.txt").read_text(encoding="utf-8")
        self.assertEqual(re.search(r"project\s*\(\s*([^\s)]+)", text)[1], ENTRY.stem)
        self.assertFalse(ENTRY.stem.lower().startswith("slicer"))

    def test_the_repository_has_the_prefix_slicer_and_is_the_homepage(self):
        url = urlsplit(self.entry["scm_url"])
        self.assertEqual(url.scheme, "https")
        self.assertEqual(url.path.rsplit("/", 1)[1].removesuffix(".git"), f"Slicer{ENTRY.stem}")
        self.assertEqual(literal("HOMEPAGE"), self.entry["scm_url"].removesuffix(".git"))

    def test_the_build_dependencies_are_those_of_cmake(self):
        self.assertEqual(literal("DEPENDS").split(), self.entry["build_dependencies"])

    def test_the_category_of_the_entry_is_that_of_the_modules(self):
        for module in MODULES:
            text = (PROJECT / module / f"{module}.py").read_text(encoding="utf-8")
            self.assertIn(
                "categories = [translate("
                f'"qSlicerAbstractCoreModule", "{self.entry["category"]}")]',
                text,
            )


class CMakeTest(unittest.TestCase):
    def test_the_description_of_the_extension_is_literal_text(self):
        names = "HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS"
        for name in names.split():
            with self.subTest(name):
                self.assertTrue(literal(name))

    def file_of(self, url):
        """Return the file of this repository for a URL of its raw contents."""
        entry = json.loads(ENTRY.read_text(encoding="utf-8"))
        base = (
            entry["scm_url"].removesuffix(".git").replace("github.com", "raw.githubusercontent.com")
            + f"/{entry['scm_revision']}/"
        )
        self.assertTrue(url.startswith(base), url)
        return PROJECT / url.removeprefix(base)

    def test_the_urls_of_icon_and_screenshots_are_pictures_of_this_repository(self):
        self.assertEqual(png_size(self.file_of(literal("ICONURL"))), (128, 128))
        screenshots = literal("SCREENSHOTURLS").split()
        self.assertTrue(screenshots)
        for url in screenshots:
            with self.subTest(url):
                self.assertGreaterEqual(min(png_size(self.file_of(url))), 200)

    def test_every_module_has_an_icon_of_128_pixels(self):
        for module in MODULES:
            resources = cmake_values(
                (PROJECT / module / "CMakeLists.txt").read_text(encoding="utf-8"),
                "MODULE_PYTHON_RESOURCES",
            )
            icon = f"Resources/Icons/{module}.png"
            with self.subTest(module):
                self.assertIn(icon, resources)
                self.assertEqual(png_size(PROJECT / module / icon), (128, 128))


class RepositoryTest(unittest.TestCase):
    def test_a_clone_with_its_history_is_smaller_than_the_limit(self):
        if git("rev-parse", "--is-shallow-repository").strip() == "true":
            self.skipTest("a shallow clone has no complete history")
        sizes = dict(line.split(": ") for line in git("count-objects", "-v").splitlines())
        history = (int(sizes["size"]) + int(sizes["size-pack"])) * 1024
        files = sum(
            (PROJECT / name).stat().st_size
            for name in git("ls-files", "-z").split("\0")
            if name and (PROJECT / name).is_file()
        )
        self.assertLess((history + files) / 2**20, LIMIT_MB)

    def test_the_license_is_mit_and_named_in_the_readme(self):
        text = " ".join((PROJECT / "LICENSE").read_text(encoding="utf-8").split())
        self.assertRegex(
            text,
            r"^MIT License Copyright \(c\) \d{4}.* Permission is hereby granted, free of charge, "
            r"to any person obtaining a copy",
        )
        self.assertIn(
            "to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of "
            "the Software",
            text,
        )
        self.assertTrue(
            text.endswith(
                "ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER "
                "DEALINGS IN THE SOFTWARE."
            )
        )
        self.assertIn("License: MIT", (PROJECT / "README.md").read_text(encoding="utf-8"))

    def test_the_readme_has_the_sections_of_an_extension_homepage(self):
        text = (PROJECT / "README.md").read_text(encoding="utf-8")
        self.assertTrue(text.startswith(f"# {ENTRY.stem}\n"))
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        for module in MODULES:
            self.assertTrue(
                [heading for heading in headings if f"(module {module})" in heading], module
            )
        self.assertLessEqual({"Sample data", "Troubleshooting", "References"}, set(headings))
        self.assertIn("| problem | explanation | solution |", text)
        pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
        self.assertTrue(pictures)
        self.assertEqual([picture for picture in pictures if not (PROJECT / picture).is_file()], [])


class ModuleFilesTest(unittest.TestCase):
    """Module files; Core/HouseRulesTest.py checks their imports."""

    def test_a_module_file_holds_imports_and_definitions_only(self):
        for module in MODULES:
            tree = ast.parse((PROJECT / module / f"{module}.py").read_text(encoding="utf-8"))
            docstring, *rest = tree.body
            self.assertIsInstance(docstring.value, ast.Constant)
            for node in rest:
                with self.subTest(module, line=node.lineno):
                    self.assertIsInstance(
                        node, (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
                    )


if __name__ == "__main__":
    unittest.main()
