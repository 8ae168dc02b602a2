"""Upsample a real MRI volume, then compare all methods with the volume itself as the reference."""

import argparse
import shutil
import sys
from importlib import resources
from pathlib import Path

from MRISuperResLib.cli.main import main as command_line
from MRISuperResLib.core.io.formats import strip_extension
from MRISuperResLib.core.options import SCALES


def sample():
    """Return the path of a real MRI that comes with nibabel: an oblique 4D volume."""
    return Path(str(resources.files("nibabel") / "tests" / "data" / "example4d.nii.gz"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="output folder")
    parser.add_argument(
        "--input", help="another volume (default: frame 0 of nibabel's example4d.nii.gz)"
    )
    parser.add_argument("--frame", type=int, help="frame of a 4D volume, counted from 0")
    parser.add_argument("--scale", type=int, choices=SCALES, default=2)
    arguments = parser.parse_args()
    path = str(arguments.input or sample())
    frame = 0 if not arguments.input and arguments.frame is None else arguments.frame
    options = ["--scale", str(arguments.scale)]
    options += ["--frame", str(frame)] if frame is not None else []
    arguments.out.mkdir(parents=True, exist_ok=True)
    name = f"{strip_extension(Path(path).name)}_x{arguments.scale}"
    comparison = arguments.out / f"{name}_comparison"
    shutil.rmtree(comparison, ignore_errors=True)  # output of an earlier run

    print(f"1. Upsample {path} by {arguments.scale}", flush=True)
    code = command_line(["upsample", path, str(arguments.out / f"{name}.nrrd"), *options])
    if code == 0:
        print("\n2. Compare the methods", flush=True)
        code = command_line(["compare", path, "--out", str(comparison), *options])
    if code == 0:
        print(f"Open the picture {comparison / 'comparison.png'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
