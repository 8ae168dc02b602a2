"""What may import what: the rules that keep the house simple."""

import ast
import re
import subprocess
import sys
import unittest
from pathlib import Path

import MRISuperResLib

PROJECT = Path(__file__).resolve().parents[2]
LIBRARY = Path(MRISuperResLib.__file__).parent
TRAINING = PROJECT / "MRISuperResTraining" / "MRISuperResTrainingLib"
BESIDE_THE_STANDARD_LIBRARY = {"slicer", "qt", "ctk", "vtk", "SimpleITK", "numpy", "scipy"}
"""What Slicer brings, and what a module file may therefore import at file scope."""
APPLICATION = {"slicer", "qt", "ctk", "vtk"}
TRAINING_CORE = ("data", "evaluation", "losses", "networks", "options", "runs", "training")
LOADS_TORCH = (
    "network.py",
    "runner.py",
    "precision.py",
    "gpu_memory.py",
    "tensor_intensity.py",
    "networks",
    "convert.py",
)
"""Files and a folder of the core that import torch at file scope: they are loaded by the worker and the command line only."""


def imports(path, at_file_scope=False):
    """The top-level names of the packages that a file imports, and the inner names of relative imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if at_file_scope else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {(node.module or "").partition(".")[0]} | (
                {alias.name for alias in node.names} if node.level else set()
            )
    return names


class HouseRulesTest(unittest.TestCase):
    def assert_no_file_imports(self, folder, forbidden, at_file_scope=False, but=()):
        files = [
            path
            for path in sorted(folder.rglob("*.py"))
            if path.name not in but and path.parent.name not in but
        ]
        self.assertTrue(files)
        for path in files:
            with self.subTest(path.relative_to(LIBRARY.parent)):
                self.assertFalse(imports(path, at_file_scope) & forbidden)

    def test_the_core_knows_nothing_of_slicer_vtk_or_qt(self):
        self.assert_no_file_imports(LIBRARY / "core", APPLICATION | {"scene", "widgets"})

    def test_the_scene_knows_no_qt(self):
        self.assert_no_file_imports(LIBRARY / "scene", {"qt", "ctk", "widgets"})

    def test_the_library_knows_nothing_of_the_training(self):
        self.assert_no_file_imports(LIBRARY, {"MRISuperResTrainingLib"})

    def test_torch_is_imported_by_the_network_alone_and_for_pyiqa(self):
        self.assert_no_file_imports(
            LIBRARY, {"torch", "safetensors"}, but=(*LOADS_TORCH, "perceptual.py")
        )

    def test_what_is_optional_is_imported_in_one_place_and_only_when_it_is_used(self):
        self.assert_no_file_imports(LIBRARY, {"pyiqa"}, but=("perceptual.py",))
        self.assert_no_file_imports(LIBRARY, {"matplotlib"}, but=("figure.py",))
        self.assert_no_file_imports(
            LIBRARY, {"pydicom"}, but=("dicom_write.py", "derived_image.py")
        )
        self.assert_no_file_imports(
            LIBRARY, {"pyiqa", "matplotlib", "dicom_write"}, at_file_scope=True
        )
        self.assert_no_file_imports(LIBRARY, {"torch"}, at_file_scope=True, but=LOADS_TORCH)

    def test_dicom_series_are_read_and_written_with_what_slicer_brings(self):
        code = "import sys; sys.modules.update(dict.fromkeys(('torch', 'safetensors', 'nibabel'))); import MRISuperResLib.core.io.dicom_write"
        self.assertEqual(subprocess.run([sys.executable, "-c", code], timeout=120).returncode, 0)

    def test_nothing_loads_the_network_at_file_scope(self):
        self.assert_no_file_imports(
            LIBRARY,
            {name.removesuffix(".py") for name in LOADS_TORCH},
            at_file_scope=True,
            but=("network.py", "runner.py", "convert.py"),
        )


class ModuleFilesTest(unittest.TestCase):
    def test_module_files_import_at_file_scope_only_what_slicer_brings_and_the_libraries_of_the_extension(
        self,
    ):
        for folder, libraries in (
            ("MRISuperRes", {"MRISuperResLib"}),
            ("MRISuperResTraining", {"MRISuperResLib", "MRISuperResTrainingLib"}),
        ):
            for path in (PROJECT / folder).glob("*.py"):
                allowed = set(sys.stdlib_module_names) | BESIDE_THE_STANDARD_LIBRARY | libraries
                with self.subTest(path.name):
                    self.assertFalse(imports(path, at_file_scope=True) - allowed)

    def test_what_the_panel_imports_of_the_core_needs_nothing_that_slicer_does_not_bring(self):
        used = set()
        for path in [
            PROJECT / "MRISuperRes" / "MRISuperRes.py",
            *(LIBRARY / "widgets").rglob("*.py"),
            *(LIBRARY / "scene").rglob("*.py"),
        ]:
            text = path.read_text(encoding="utf-8")
            used |= set(re.findall(r"from (?:MRISuperResLib|\.\.?)\.core\.([\w.]+) import", text))
            used |= set(
                re.findall(
                    r"\w+",
                    "".join(re.findall(r"from (?:MRISuperResLib|\.\.?)\.core import (.*)", text)),
                )
            )
        self.assertLess({"errors", "options", "models.store"}, used)
        code = (
            "import sys; sys.modules.update(dict.fromkeys(('torch', 'safetensors', 'nibabel'))); "
        )
        code += "; ".join(f"import MRISuperResLib.core.{name}" for name in sorted(used))
        self.assertEqual(subprocess.run([sys.executable, "-c", code], timeout=120).returncode, 0)


class TrainingTest(unittest.TestCase):
    def test_training_imports_neither_slicer_vtk_nor_qt_and_scene_no_qt(self):
        for folder, forbidden in [
            *((name, APPLICATION | {"scene", "widgets"}) for name in TRAINING_CORE),
            ("scene", {"qt", "ctk", "widgets"}),
        ]:
            for path in sorted((TRAINING / folder).rglob("*.py")):
                with self.subTest(path.relative_to(TRAINING)):
                    self.assertFalse(imports(path) & forbidden)

    def test_what_the_panel_imports_needs_nothing_that_slicer_does_not_bring(self):
        """The packages of the training are asked for when it is started, and are used by its process only."""
        used = set()
        for path in [
            *(TRAINING / "widgets").glob("*.py"),
            *(TRAINING / "scene").glob("*.py"),
            PROJECT / "MRISuperResTraining" / "MRISuperResTraining.py",
        ]:
            text = path.read_text(encoding="utf-8")
            for module, names in re.findall(
                r"from (?:MRISuperResTrainingLib|\.)\.([\w.]+) import (.*)", text
            ):
                if module.partition(".")[0] in TRAINING_CORE:
                    used |= (
                        {module}
                        if "." in module
                        else {f"{module}.{name}" for name in re.findall(r"\w+", names)}
                    )
        self.assertLess({"runs.record", "runs.lock", "data.sources", "options.presets"}, used)
        code = "import sys; sys.modules.update(dict.fromkeys(('torch', 'safetensors', 'accelerate', 'nibabel'))); "
        code += "; ".join(f"import MRISuperResTrainingLib.{name}" for name in sorted(used))
        self.assertEqual(subprocess.run([sys.executable, "-c", code], timeout=120).returncode, 0)


if __name__ == "__main__":
    unittest.main()
