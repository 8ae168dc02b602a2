"""Rules of the architecture: which package may import which."""

import ast
import functools
import os
import subprocess
import sys
import unittest
from pathlib import Path

import MRISuperResLib

PROJECT = Path(__file__).resolve().parents[2]
LIBRARY = Path(MRISuperResLib.__file__).parent
TRAINING = PROJECT / "MRISuperResTraining" / "MRISuperResTrainingLib"
BROUGHT_BY_SLICER = {"slicer", "qt", "ctk", "vtk", "SimpleITK", "numpy", "scipy"}
"""Packages that a module file may import at file scope, beside the standard library."""
APPLICATION = {"slicer", "qt", "ctk", "vtk"}
MISSING_IN_SLICER = ("torch", "safetensors", "nibabel", "psutil", "isal", "accelerate", "pyiqa")

LAYERS = {
    "": {"core", "cli"},  # the public API and python -m
    "core": set(),
    "cli": {"core"},
    "worker": {"core"},
    "scene": {"core", "worker"},
    "logic": {"core", "worker", "scene"},
    "widgets": {"core", "worker", "scene", "logic"},
}
"""The parts of the library, and those that each may import."""
TRAINING_CORE = ("data", "evaluation", "networks", "options", "runs", "training")
LOADS_TORCH = (
    "core/networks/",
    "core/inference/",
    "core/methods/network.py",
    "core/models/convert.py",
    "core/through_plane/adaptation.py",
)
"""Modules that may import torch at file scope; the worker and the command line load them."""
OPTIONAL = {
    "nibabel": ("core/io/nifti.py", "core/io/nibabel_formats.py", "core/io/dicom_multiframe.py"),
    "pydicom": ("core/io/dicom_", "core/io/derived_image.py"),
    "pyiqa": ("core/metrics/perceptual.py",),
    "matplotlib": ("core/comparison/figure.py", "core/audit/figure.py"),
    "psutil": ("core/system.py",),
    "isal": ("core/io/",),
    "spandrel": ("core/networks/spandrel_net.py",),
}
"""Packages and the modules (prefixes of paths) that may import them, at any place."""
DEFERRED_CYCLES = {("MRISuperResLib.core.volume", "MRISuperResLib.core.io.formats")}
"""Volume.read and Volume.save are shortcuts into core.io, which makes volumes."""


def statements(nodes, with_functions):
    """The import statements among syntax nodes, without those for type checkers only."""
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from statements(node.orelse, with_functions)
        elif with_functions or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from statements(ast.iter_child_nodes(node), with_functions)


def modules_of(library):
    """{dotted name: path} of a library."""
    modules = {}
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


MODULES = modules_of(LIBRARY) | modules_of(TRAINING)


@functools.cache
def imports(path, with_functions=True):
    """The dotted names that a file imports: modules of the libraries, top names of packages."""
    folder = [*path.relative_to(PROJECT).parts[1:-1]]
    found = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8")).body, with_functions):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            base = [node.module] if node.module else []
            if node.level:
                base = folder[: len(folder) - node.level + 1] + base
            inner = [".".join([*base, alias.name]) for alias in node.names]
            names = [name if name in MODULES else ".".join(base) for name in inner]
        found |= {name if name in MODULES else name.partition(".")[0] for name in names}
    return frozenset(found)


def part_of(name):
    """ "core" of "MRISuperResLib.core.io.formats"; empty for modules beside the parts."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS else ""


def cycles(graph):
    """The sets of nodes of a directed graph that reach each other."""

    def reachable(start):
        seen, stack = set(), [start]
        while stack:
            for node in graph.get(stack.pop(), ()):
                if node not in seen:
                    seen.add(node)
                    stack.append(node)
        return seen

    reach = {node: reachable(node) for node in graph}
    return {
        frozenset(other for other in reach[node] if node in reach.get(other, ()))
        for node in graph
        if node in reach[node]
    }


def import_status(modules, missing=MISSING_IN_SLICER):
    """Exit status of a Python that imports modules where some packages are missing."""
    code = f"import sys; sys.path[:0] = {[str(LIBRARY.parent), str(TRAINING.parent)]!r}; "
    code += f"sys.modules.update(dict.fromkeys({missing!r})); "
    code += "; ".join(f"import {name}" for name in sorted(modules))
    folders = os.pathsep.join(str(library.parent) for library in (LIBRARY, TRAINING))
    environment = {**os.environ, "PYTHONPATH": folders}
    return subprocess.run([sys.executable, "-c", code], timeout=120, env=environment).returncode


class LayersTest(unittest.TestCase):
    def test_parts_of_the_library_import_only_the_parts_below_them(self):
        for name, path in modules_of(LIBRARY).items():
            part = part_of(name)
            for imported in imports(path):
                if imported.startswith("MRISuperResLib.") and part_of(imported) != part:
                    with self.subTest(name, imports=imported):
                        self.assertIn(part_of(imported), LAYERS[part])

    def test_only_scene_and_widgets_use_the_application(self):
        for name, path in modules_of(LIBRARY).items():
            if part_of(name) not in ("scene", "widgets", "logic") and name != (
                "MRISuperResLib.worker.client"
            ):
                with self.subTest(name):
                    self.assertFalse(imports(path) & APPLICATION)

    def test_scene_uses_no_qt(self):
        for library in (LIBRARY, TRAINING):
            for path in (library / "scene").rglob("*.py"):
                with self.subTest(path.name):
                    self.assertFalse(imports(path) & {"qt", "ctk"})

    def test_library_does_not_use_the_training_library(self):
        for name, path in modules_of(LIBRARY).items():
            with self.subTest(name):
                used = {each.partition(".")[0] for each in imports(path)}
                self.assertNotIn("MRISuperResTrainingLib", used)

    def test_training_core_uses_neither_the_application_nor_its_panel(self):
        for folder in TRAINING_CORE:
            paths = sorted((TRAINING / folder).rglob("*.py"))
            self.assertTrue(paths, folder)
            for path in paths:
                used = imports(path)
                with self.subTest(path.relative_to(TRAINING)):
                    self.assertFalse(used & APPLICATION)
                    self.assertFalse(
                        [name for name in used if ".scene" in name or ".widgets" in name]
                    )

    def test_modules_import_no_module_in_a_circle(self):
        graph = {
            name: {
                imported for imported in imports(path) if imported in MODULES and imported != name
            }
            for name, path in MODULES.items()
        }
        for source, target in DEFERRED_CYCLES:
            self.assertIn(target, graph[source])
            graph[source].remove(target)
        self.assertEqual(cycles(graph), set())

    def test_packages_import_no_package_in_a_circle(self):
        def package(name):
            """The folder of a module, such as "core.io"; files of the core stand for themselves."""
            parts = name.split(".")
            return ".".join(parts[: 3 if len(parts) > 1 and parts[1] == "core" else 2])

        graph = {}
        for name, path in MODULES.items():
            used = {
                package(imported)
                for imported in imports(path)
                if imported in MODULES and (name, imported) not in DEFERRED_CYCLES
            }
            graph.setdefault(package(name), set()).update(used - {package(name)})
        self.assertEqual(cycles(graph), set())


class PackagesTest(unittest.TestCase):
    def assert_imported_only_by(self, package, allowed, with_functions):
        for name, path in modules_of(LIBRARY).items():
            place = path.relative_to(LIBRARY).as_posix()
            if not place.startswith(tuple(allowed)):
                with self.subTest(name, package=package):
                    self.assertNotIn(package, imports(path, with_functions))

    def test_torch_is_imported_at_file_scope_by_networks_and_inference_only(self):
        for package in ("torch", "safetensors"):
            self.assert_imported_only_by(package, LOADS_TORCH, with_functions=False)

    def test_modules_that_load_torch_are_imported_at_file_scope_by_each_other_only(self):
        heavy = {
            name
            for name, path in modules_of(LIBRARY).items()
            if {"torch", "safetensors"} & imports(path, with_functions=False)
        }
        self.assertTrue(heavy)
        for name, path in modules_of(LIBRARY).items():
            if name not in heavy:
                with self.subTest(name):
                    self.assertFalse(imports(path, with_functions=False) & heavy)

    def test_optional_packages_are_imported_by_their_modules_only(self):
        for package, allowed in OPTIONAL.items():
            self.assert_imported_only_by(package, allowed, with_functions=True)

    def test_optional_packages_are_not_imported_at_file_scope(self):
        for package in ("pyiqa", "matplotlib", "psutil", "isal", "spandrel"):
            self.assert_imported_only_by(package, (), with_functions=False)

    def test_dicom_series_are_read_and_written_with_the_packages_of_slicer(self):
        io = [f"MRISuperResLib.core.io.{name}" for name in ("dicom_read", "dicom_write")]
        self.assertEqual(import_status(io), 0)


class PanelTest(unittest.TestCase):
    def test_module_files_import_at_file_scope_only_packages_of_slicer_and_the_libraries(self):
        for folder, libraries in (
            ("MRISuperRes", {"MRISuperResLib"}),
            ("MRISuperResTraining", {"MRISuperResLib", "MRISuperResTrainingLib"}),
        ):
            for path in (PROJECT / folder).glob("*.py"):
                allowed = set(sys.stdlib_module_names) | BROUGHT_BY_SLICER | libraries
                used = {name.partition(".")[0] for name in imports(path, with_functions=False)}
                with self.subTest(path.name):
                    self.assertFalse(used - allowed)

    def test_modules_that_a_panel_uses_can_be_imported_without_the_missing_packages(self):
        for library, folder, needed in (
            (LIBRARY, "MRISuperRes", {"core.errors", "core.options", "core.models.store"}),
            (TRAINING, "MRISuperResTraining", {"runs.record", "runs.lock", "data.sources"}),
        ):
            files = [
                PROJECT / folder / f"{folder}.py",
                *(library / "widgets").rglob("*.py"),
                *(library / "scene").rglob("*.py"),
            ]
            panel = tuple(
                f"{each.name}.{part}"
                for each in (LIBRARY, TRAINING)
                for part in ("scene", "widgets", "logic", "worker.client")
            )
            used = {
                name
                for path in files
                for name in imports(path)
                if name in MODULES and not name.startswith(panel)
            }
            with self.subTest(folder):
                self.assertLess({f"{library.name}.{name}" for name in needed}, used)
                self.assertEqual(import_status(used), 0)
                self.assertEqual(import_status(used, ["scipy"]), 0, "its import takes a second")


class PanelTestsTest(unittest.TestCase):
    def test_tests_of_scene_and_panels_import_nothing_that_the_application_lacks(self):
        for folder in ("Scene", "Widgets", "TrainingWidgets", "Tutorials"):
            paths = sorted((PROJECT / "Testing" / folder).glob("*.py"))
            self.assertTrue(paths, folder)
            for path in paths:
                with self.subTest(path.relative_to(PROJECT)):
                    self.assertFalse(imports(path) & {"slicerhost", "PySide6", "shiboken6"})


if __name__ == "__main__":
    unittest.main()
