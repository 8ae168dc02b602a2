"""Run one test file on the test host.

    python Testing/Host/run.py [--module-paths ROOT] TESTFILE.py [CLASS[.METHOD]]
    python Testing/Host/run.py [--module-paths ROOT] --generic MODULE | --self-test MODULE
    python Testing/Host/run.py [--module-paths ROOT] --script FILE [ARGUMENT ...]

Exit status 0: passed. 77: all tests were skipped. 1: a failure, an error, an exception in a slot,
an unexpected error display, or no tests. A script sets the status with slicer.util.exit.
"""

import argparse
import runpy
import sys
from pathlib import Path

HOST = Path(__file__).resolve().parent
sys.path[:0] = [str(HOST), str(HOST.parent)]  # slicerhost, panel_testing


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--module-paths",
        metavar="ROOT",
        default=HOST.parents[1],
        help="folder of FOLDER/FOLDER.py modules; default: the project",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--generic", metavar="MODULE", help="checks common to all modules")
    what.add_argument("--self-test", metavar="MODULE", help="the module's MODULETest")
    what.add_argument(
        "--script", nargs=argparse.REMAINDER, help="Python script, as Slicer's --python-script"
    )
    what.add_argument("file", nargs="?", help="unittest file")
    parser.add_argument("name", nargs="?", help="run only this class or method")
    return parser.parse_args()


def run_script(arguments):
    """Run a script as the application's --python-script, and return its exit status."""
    import slicer
    from slicerhost import boot

    sys.argv = arguments
    runpy.run_path(arguments[0], run_name="__main__")
    boot.stop()
    return slicer.app._exitStatus


def main():
    from slicerhost import boot, runner

    args = arguments()
    files = boot.modulesIn(args.module_paths)
    sys.path[:0] = [str(file.parent) for file in files]
    sys.meta_path.insert(0, boot.StartOnImport(lambda: files))
    if args.script:
        return run_script(args.script)
    # CTest passes the module file to run the module's self test
    if args.file and Path(args.file).resolve() in files:
        args.self_test = Path(args.file).stem
    if args.self_test:
        suite = runner.suiteFor(runner.SelfTest, args.self_test)
    elif args.generic:
        suite = runner.suiteFor(runner.GenericModuleTest, args.generic)
    else:
        suite = runner.suiteOf(args.file, args.name)
    return runner.run(suite)


if __name__ == "__main__":
    sys.exit(main())
