"""Run the tests of scene and panels, and the self tests of both modules, in 3D Slicer.

    Slicer --testing --no-splash --additional-module-paths MRISuperRes MRISuperResTraining \
        --python-script Testing/run_in_slicer.py [FILE ...]

With FILEs, only these test files run. The last line is "N tests: A passed, B skipped, C failed".
Exit status 0: no test failed, and at least one passed.
"""

import argparse
import sys
import unittest
from pathlib import Path

import slicer

TESTING = Path(__file__).resolve().parent
FOLDERS = ("Scene", "Widgets", "TrainingWidgets")
MODULES = ("MRISuperRes", "MRISuperResTraining")
sys.path.append(str(TESTING))
from panel_testing.results import Result  # noqa: E402


def files_of(folder):
    return sorted((TESTING / folder).glob("*Test.py"))


def suite_of(files):
    """Load test files, whose folders join sys.path for their helpers."""
    for file in files:
        if str(file.parent) not in sys.path:
            sys.path.append(str(file.parent))
    return unittest.defaultTestLoader.loadTestsFromNames([file.stem for file in files])


def self_tests():
    return [
        unittest.FunctionTestCase(slicer.selfTests[name], description=f"Self test of {name}")
        for name in MODULES
    ]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path, help="only this test file")
    files = [file.resolve() for file in parser.parse_args().files]
    missing = [name for name in MODULES if not hasattr(slicer.modules, name.lower())]
    if missing:
        print(f"Not loaded: {', '.join(missing)}. Name the folders in --additional-module-paths.")
        return 1
    suite = suite_of(files or [file for folder in FOLDERS for file in files_of(folder)])
    if not files:
        suite.addTests(self_tests())
    result = unittest.TextTestRunner(sys.stdout, verbosity=2, resultclass=Result).run(suite)
    for test, reason in result.skipped:
        print(f"SKIPPED: {test.id()}: {reason}")
    failed = len({test.id() for test, _ in result.failures + result.errors})
    skipped = len(result.skipped)
    print(
        f"{result.passed + skipped + failed} tests: "
        f"{result.passed} passed, {skipped} skipped, {failed} failed"
    )
    return 0 if result.passed and not failed else 1


if __name__ == "__main__":
    slicer.util.exit(main())
