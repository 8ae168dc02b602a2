"""The main job in one go: a real volume, enlarged; and all methods beside the truth, as picture, tables and volumes."""

import argparse
import shutil
import sys
from importlib import resources
from pathlib import Path

from MRISuperResLib.__main__ import main as command_line
from MRISuperResLib.core.options import SCALES


def sample():
    """A real MRI that comes with a Python package: nibabel's oblique 4D example, of which frame 0 is taken."""
    return Path(str(resources.files("nibabel") / "tests" / "data" / "example4d.nii.gz"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument(
        "--input", help="another volume (default: nibabel's example4d.nii.gz, frame 0)"
    )
    parser.add_argument("--frame", type=int, help="the frame of a 4D volume")
    parser.add_argument("--scale", type=int, choices=SCALES, default=2)
    arguments = parser.parse_args()
    path = str(arguments.input or sample())
    frame = 0 if not arguments.input and arguments.frame is None else arguments.frame
    source = ["--scale", str(arguments.scale)] + (
        ["--frame", str(frame)] if frame is not None else []
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    name = f"{Path(path).name.split('.')[0]}_x{arguments.scale}"
    comparison = arguments.out / f"{name}_comparison"
    shutil.rmtree(comparison, ignore_errors=True)  # of an earlier run

    print(f"1. {path}, enlarged ×{arguments.scale}", flush=True)
    code = command_line(["upsample", path, str(arguments.out / f"{name}.nrrd"), *source])
    if not code:
        print("2. The methods compared", flush=True)
        code = command_line(["compare", path, "--out", str(comparison), *source])
    return code


if __name__ == "__main__":
    sys.exit(main())
