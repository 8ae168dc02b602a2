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
LOADS_TORCH = ("network.py", "memory_saver.py", "half_precision.py", "gpu_memory.py", "tensor_intensity.py", "generators", "checkpoint_import.py")
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
            names |= {(node.module or "").partition(".")[0]} | ({alias.name for alias in node.names} if node.level else set())
    return names


class HouseRulesTest(unittest.TestCase):
    def assert_no_file_imports(self, folder, forbidden, at_file_scope=False, but=()):
        files = [path for path in sorted(folder.rglob("*.py")) if path.name not in but and path.parent.name not in but]
        self.assertTrue(files)
        for path in files:
            with self.subTest(path.relative_to(LIBRARY.parent)):
                self.assertFalse(imports(path, at_file_scope) & forbidden)

    def test_the_core_knows_nothing_of_slicer_vtk_or_qt(self):
        self.assert_no_file_imports(LIBRARY / "core", APPLICATION | {"mrml", "gui"})

    def test_mrml_knows_no_qt(self):
        self.assert_no_file_imports(LIBRARY / "mrml", {"qt", "ctk", "gui"})

    def test_the_library_knows_nothing_of_the_training(self):
        self.assert_no_file_imports(LIBRARY, {"MRISuperResTrainingLib"})

    def test_torch_is_imported_by_the_network_alone_and_for_pyiqa(self):
        self.assert_no_file_imports(LIBRARY, {"torch", "safetensors"}, but=(*LOADS_TORCH, "perceptual.py"))

    def test_what_is_optional_is_imported_in_one_place_and_only_when_it_is_used(self):
        self.assert_no_file_imports(LIBRARY, {"pyiqa"}, but=("perceptual.py",))
        self.assert_no_file_imports(LIBRARY, {"matplotlib"}, but=("figure.py",))
        self.assert_no_file_imports(LIBRARY, {"pydicom"}, but=("dicom_writing.py", "derived_image.py"))
        self.assert_no_file_imports(LIBRARY, {"pyiqa", "matplotlib", "dicom_writing"}, at_file_scope=True)
        self.assert_no_file_imports(LIBRARY, {"torch"}, at_file_scope=True, but=LOADS_TORCH)

    def test_dicom_series_are_read_and_written_with_what_slicer_brings(self):
        code = "import sys; sys.modules.update(dict.fromkeys(('torch', 'safetensors', 'nibabel'))); import MRISuperResLib.core.files.dicom_writing"
        self.assertEqual(subprocess.run([sys.executable, "-c", code], timeout=120).returncode, 0)

    def test_nothing_loads_the_network_at_file_scope(self):
        self.assert_no_file_imports(LIBRARY, {name.removesuffix(".py") for name in LOADS_TORCH}, at_file_scope=True, but=("network.py", "memory_saver.py", "checkpoint_import.py"))


class ModuleFilesTest(unittest.TestCase):
    def test_module_files_import_at_file_scope_only_what_slicer_brings_and_the_libraries_of_the_extension(self):
        for folder, libraries in (("MRISuperRes", {"MRISuperResLib"}), ("MRISuperResTraining", {"MRISuperResLib", "MRISuperResTrainingLib"})):
            for path in (PROJECT / folder).glob("*.py"):
                allowed = set(sys.stdlib_module_names) | BESIDE_THE_STANDARD_LIBRARY | libraries
                with self.subTest(path.name):
                    self.assertFalse(imports(path, at_file_scope=True) - allowed)

    def test_what_the_panel_imports_of_the_core_needs_nothing_that_slicer_does_not_bring(self):
        used = set()
        for path in [PROJECT / "MRISuperRes" / "MRISuperRes.py", *(LIBRARY / "gui").glob("*.py"), *(LIBRARY / "mrml").glob("*.py")]:
            text = path.read_text(encoding="utf-8")
            used |= set(re.findall(r"from (?:MRISuperResLib|\.)\.core\.([\w.]+) import", text))
            used |= set(re.findall(r"\w+", "".join(re.findall(r"from (?:MRISuperResLib|\.)\.core import (.*)", text))))
        self.assertLess({"errors", "job", "models"}, used)
        code = "import sys; sys.modules.update(dict.fromkeys(('torch', 'safetensors', 'nibabel'))); "
        code += "; ".join(f"import MRISuperResLib.core.{name}" for name in sorted(used))
        self.assertEqual(subprocess.run([sys.executable, "-c", code], timeout=120).returncode, 0)


class TrainingTest(unittest.TestCase):
    def test_the_core_of_the_training_knows_nothing_of_slicer_vtk_or_qt_and_mrml_no_qt(self):
        for folder, forbidden in (("core", APPLICATION | {"mrml", "gui"}), ("mrml", {"qt", "ctk", "gui"})):
            for path in sorted((TRAINING / folder).rglob("*.py")):
                with self.subTest(path.relative_to(TRAINING)):
                    self.assertFalse(imports(path) & forbidden)

    def test_what_the_panel_imports_of_the_core_needs_nothing_that_slicer_does_not_bring(self):
        """The packages of the training are asked for when it is started, and are used by its process only."""
        used = set()
        for path in [*(TRAINING / "gui").glob("*.py"), *(TRAINING / "mrml").glob("*.py"), PROJECT / "MRISuperResTraining" / "MRISuperResTraining.py"]:
            text = path.read_text(encoding="utf-8")
            used |= set(re.findall(r"from (?:MRISuperResTrainingLib|\.)\.core\.([\w.]+) import", text)) - {"run", "data"}
            used |= {f"{package}.{name}" for package, names in re.findall(r"from \.\.core\.(run|data) import (.*)", text) for name in re.findall(r"\w+", names)}
        self.assertLess({"run.record", "run.lock", "data.sources", "settings.presets"}, used)
        code = "import sys; sys.modules.update(dict.fromkeys(('torch', 'safetensors', 'accelerate', 'nibabel'))); "
        code += "; ".join(f"import MRISuperResTrainingLib.core.{name}" for name in sorted(used))
        self.assertEqual(subprocess.run([sys.executable, "-c", code], timeout=120).returncode, 0)


if __name__ == "__main__":
    unittest.main()
