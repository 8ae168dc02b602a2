"""The CMake files list every file: unlisted modules are not installed, unlisted tests never run."""

import re
import unittest

from repository import MODULES, PROJECT, cmake_values, expanded

TESTING = PROJECT / "Testing"


def listed_tests(folder):
    """Return the SCRIPT files of a folder's CMakeLists.txt, with its loops unrolled."""
    text = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
    files = []

    def unroll(loop):
        variable, words, body = loop.groups()
        for word in words.split():
            files.extend(re.findall(r"\bSCRIPT\s+(\S+)", expanded(body, {variable: [word]})))
        return ""

    rest = re.sub(r"foreach\s*\((\w+)\s+([^)]*)\)(.*?)endforeach", unroll, text, flags=re.DOTALL)
    return files + re.findall(r"\bSCRIPT\s+(\S+)", rest)


def installed(module):
    """Return the scripts and resources that a module installs."""
    text = (PROJECT / module / "CMakeLists.txt").read_text(encoding="utf-8")
    return cmake_values(text, "MODULE_PYTHON_SCRIPTS"), cmake_values(
        text, "MODULE_PYTHON_RESOURCES"
    )


class ModulesTest(unittest.TestCase):
    def test_listed_scripts_and_resources_are_the_files_of_the_module(self):
        for module in MODULES:
            folder = PROJECT / module
            scripts, resources = installed(module)
            present = {
                path.relative_to(folder).as_posix()
                for part in (f"{module}.py", f"{module}Lib", "Resources")
                for path in [folder / part, *(folder / part).rglob("*")]
                if path.is_file() and "__pycache__" not in path.parts
            }
            code = {path for path in present if path.endswith(".py")}
            with self.subTest(module, kind="scripts"):
                self.assertCountEqual(scripts, code)
            with self.subTest(module, kind="resources"):
                self.assertCountEqual(resources, present - code)

    def test_no_two_modules_install_the_same_path(self):
        paths = [path for module in MODULES for files in installed(module) for path in files]
        self.assertEqual(len(paths), len(set(paths)))


class TestsTest(unittest.TestCase):
    def test_every_test_file_is_listed_by_the_cmake_file_of_its_folder(self):
        folders = {path.parent for path in TESTING.rglob("*Test.py")}
        self.assertGreater(len(folders), 8)
        for folder in sorted(folders):
            with self.subTest(folder.name):
                self.assertCountEqual(
                    listed_tests(folder), [path.name for path in folder.glob("*Test.py")]
                )

    def test_every_folder_with_tests_is_a_layer(self):
        text = re.sub(r"#.*", "", (TESTING / "CMakeLists.txt").read_text(encoding="utf-8"))
        layers = " ".join(re.findall(r"\blayers\s+([^)]*)\)", text)).split()
        self.assertLessEqual({path.parent.name for path in TESTING.rglob("*Test.py")}, set(layers))


if __name__ == "__main__":
    unittest.main()
