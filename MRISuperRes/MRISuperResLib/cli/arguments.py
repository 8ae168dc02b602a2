"""Groups of command-line arguments that several commands share."""

from __future__ import annotations

import argparse
from typing import Any

from ..core.geometry import SLICE_AXES
from ..core.options import ADAPTATION_STEPS, CLIPS, PERCEPTUAL_METRICS, PRECISIONS, SCALES
from ..core.resampling import DEGRADATIONS


def add_comparison_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for degradation, perceptual metric, slice axis, device and precision."""
    add_degradation(parser)
    parser.add_argument(
        "--perceptual",
        choices=PERCEPTUAL_METRICS,
        default="none",
        metavar="NAME",
        help="no-reference metric on some slices: niqe or pi (needs pyiqa and its files; "
        "default: none)",
    )
    add_run_options(parser)


def comparison_values(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what `add_comparison_options` parsed, as arguments of ComparisonOptions."""
    names = ("slice_axis", "device", "precision", "degradation", "noise", "seed", "perceptual")
    return {name: getattr(arguments, name) for name in names}


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for model, output grid, range and self-ensemble."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="a model (see models list), PAIR@ALPHA for the blend of a pair, nearest, bilinear or "
        "bicubic; +bp adds back-projection; default: the default model of the scale",
    )
    parser.add_argument(
        "--scale",
        type=int,
        choices=SCALES,
        metavar="N",
        help="2, 4 or 8, in-plane; default: the model's, or 2",
    )
    _add_output_grid(parser)
    parser.add_argument(
        "--clip",
        choices=CLIPS,
        default="none",
        metavar="RANGE",
        help="input: keep the output within the range of the input; none (default)",
    )
    parser.add_argument(
        "--ensemble",
        action="store_true",
        help="average a network's results for 8 flips and turns: more accurate, 8 times the time",
    )


def _add_output_grid(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--isotropic",
        action="store_true",
        help="instead of --scale: upsample between slices to isotropic voxels, as large as the "
        "pixels of a slice",
    )
    parser.add_argument(
        "--spacing",
        type=float,
        nargs=3,
        metavar=("I", "J", "K"),
        help="instead of --scale: the voxel size along i, j and k, mm",
    )
    parser.add_argument(
        "--between-slices",
        metavar="NAME",
        help="with --isotropic or --spacing: a model between slices, linear, bspline or fourier; "
        "default: the installed model",
    )
    parser.add_argument(
        "--slice-thickness",
        type=float,
        metavar="MM",
        help="with --isotropic or --spacing: slice thickness; default: that of the file, or the "
        "slice spacing",
    )
    parser.add_argument(
        "--adapt",
        type=_steps,
        nargs="?",
        const=ADAPTATION_STEPS,
        default=0,
        metavar="STEPS",
        help="with --isotropic or --spacing: first fine-tune the network between slices on the "
        f"volume's own slices, some minutes on a CPU ({ADAPTATION_STEPS} steps if none are given)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="random seed of --adapt (default: %(default)s)",
    )


def add_thick_slices(parser: argparse.ArgumentParser) -> None:
    """Add the options for thick slices, which compare methods between slices."""
    parser.add_argument(
        "--slice-spacing",
        type=float,
        metavar="MM",
        help="instead of --scale: degrade a nearly isotropic volume to slices this far apart, for "
        "methods between slices",
    )
    parser.add_argument(
        "--slice-thickness",
        type=float,
        metavar="MM",
        help="with --slice-spacing: thickness of these slices; default: the slice spacing",
    )


def add_degradation(parser: argparse.ArgumentParser) -> None:
    """Add the options for the degradation of a reference."""
    parser.add_argument(
        "--degradation",
        choices=DEGRADATIONS,
        default="bicubic",
        metavar="KIND",
        help="degradation of the reference: bicubic or kspace (default: %(default)s)",
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=0.0,
        metavar="P",
        help="Rician noise added to the degraded volume: standard deviation in %% of the "
        "intensity range, 0 to 20 (default: 0)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="random seed (default: %(default)s)"
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for slice axis, device and precision."""
    add_place(parser)
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        metavar="TYPE",
        help="auto, float32 or half; auto: half precision on GPUs made for it, else float32 "
        "(default: %(default)s)",
    )


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add the options for slice axis and device."""
    parser.add_argument(
        "--slice-axis",
        choices=SLICE_AXES,
        default="auto",
        metavar="AXIS",
        help="slice direction: axial, sagittal, coronal, i, j, k, or auto: a single slice, the "
        "acquired slices if they are thick, else axial (default: %(default)s)",
    )
    parser.add_argument(
        "--device",
        default="auto",
        metavar="DEVICE",
        help="auto, cpu, cuda, cuda:N or mps (default: %(default)s)",
    )


def add_input_options(parser: argparse.ArgumentParser) -> argparse._MutuallyExclusiveGroup:
    """Add the options for series and frame, and return the group of the latter."""
    parser.add_argument("--series", metavar="UID", help="series of a DICOM folder")
    frames = parser.add_mutually_exclusive_group()
    frames.add_argument("--frame", type=int, metavar="N", help="a frame of a 4D input, from 0")
    return frames


def split_names(text: str) -> list[str]:
    """Split a comma-separated list of names."""
    return [name.strip() for name in text.split(",")]


def _steps(text: str) -> int:
    if text.isdecimal():
        return int(text)
    # the option has taken the following argument, such as IN
    raise argparse.ArgumentTypeError(
        f"“{text}” is not a number of steps: give one, or write --adapt as the last option"
    )


def count_or_all(text: str) -> int | None:
    """Parse a number of slices; None for "all".

    Raises:
        ArgumentTypeError: The text is neither.
    """
    if text == "all":
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(
        f"“{text}” is not a number of slices: give a whole number of at least 1, or all"
    )


def voxel(text: str) -> tuple[int, int, int]:
    """Parse a voxel, "I,J,K".

    Raises:
        ArgumentTypeError: The text is no voxel.
    """
    try:
        i, j, k = map(int, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"“{text}” is not a voxel: give I,J,K, three whole numbers counted from 0"
        ) from None
    return i, j, k
