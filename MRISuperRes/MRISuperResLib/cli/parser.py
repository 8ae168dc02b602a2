"""Command-line arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from .. import __version__
from ..core.errors import SuperResolutionError
from ..core.io.formats import OUTPUT_EXTENSIONS
from ..core.labels import LABEL_INTERPOLATIONS
from ..core.options import AUDITED_SLICES, DEFAULT_SCALE, SCALES
from ..core.uncertainty import WORTH
from . import help_texts
from .arguments import (
    add_comparison_options,
    add_degradation,
    add_input_options,
    add_model_options,
    add_place,
    add_run_options,
    add_thick_slices,
    count_or_all,
    split_names,
    voxel,
)
from .models import add_models_arguments

DICOM = "dicom"
"""Output format of a folder with a DICOM series."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are `SuperResolutionError`s.

    Abbreviated options are refused, since later options would make them ambiguous.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **kwargs
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Refuse unknown arguments of a command, so that the error points to its own help."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown

    def error(self, message: str) -> NoReturn:
        """Raise the error of an invalid argument."""
        raise SuperResolutionError(f"{message}; see {self.prog} --help", "settings")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the arguments; `command` names the command, such as "upsample" or "models list".

    Raises:
        SuperResolutionError: An argument is invalid (kind "settings").
    """
    parser = Parser(
        prog=help_texts.PROGRAM, description=help_texts.DESCRIPTION, epilog=help_texts.EXAMPLES
    )
    parser.add_argument("--version", action="version", version=f"MRISuperRes {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, add_arguments in (
        ("upsample", _add_upsample),
        ("batch", _add_batch),
        ("compare", _add_compare),
        ("audit", _add_audit),
        ("models", add_models_arguments),
    ):
        summary, description, examples = help_texts.COMMANDS[name]
        add_arguments(
            commands.add_parser(name, help=summary, description=description, epilog=examples)
        )
    return parser.parse_args(arguments)


def _add_upsample(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="IN", help="the volume")
    parser.add_argument(
        "output",
        metavar="OUT",
        help="the file to write; replaced only when the new one is complete",
    )
    add_model_options(parser)
    parser.add_argument(
        "--mask",
        metavar="FILE",
        help="volume on the grid of IN, not 0 inside: the method upsamples the inside alone, "
        "bicubic interpolation the rest",
    )
    parser.add_argument(
        "--labels",
        metavar=("FILE", "OUT"),
        nargs=2,
        help="also upsample this label map or segmentation on the grid of IN, and write it to OUT",
    )
    parser.add_argument(
        "--label-interpolation",
        choices=LABEL_INTERPOLATIONS,
        default=LABEL_INTERPOLATIONS[0],
        metavar="KIND",
        help="nearest (default), or smooth: rounds the corners of the pixels",
    )
    parser.add_argument(
        "--uncertainty",
        metavar="FILE",
        help=f"also write the spread of the 8 results of --ensemble, which it includes. {WORTH}",
    )
    parser.add_argument(
        "--dicom",
        action="store_true",
        help="write a derived DICOM series of the same patient and study into the folder OUT",
    )
    add_run_options(parser)
    add_input_options(parser).add_argument("--frames", choices=("all",), help="all (default)")
    parser.set_defaults(command="upsample")


def _add_batch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        metavar="IN",
        nargs="+",
        help="volume files, folders, DICOM folders, lists (.txt, one path per line)",
    )
    parser.add_argument("--out", metavar="DIR", help="output folder, with the tree of the inputs")
    parser.add_argument(
        "--bids",
        action="store_true",
        help="IN is a BIDS dataset: its raw anat, func and dwi images become a derivative dataset "
        "(default of --out: IN/derivatives/mrisuperres)",
    )
    add_model_options(parser)
    parser.add_argument(
        "--format",
        choices=(*(extension[1:] for extension in OUTPUT_EXTENSIONS), DICOM),
        default="nii.gz",
        help="output format; dicom: a folder with a derived series per DICOM input "
        "(default: %(default)s)",
    )
    add_run_options(parser)
    parser.set_defaults(command="batch")


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="IN", help="the volume")
    parser.add_argument("--out", metavar="DIR", required=True, help="new or empty output folder")
    parser.add_argument(
        "--scale",
        type=int,
        choices=SCALES,
        metavar="N",
        help=f"2, 4 or 8 (default: {DEFAULT_SCALE})",
    )
    add_thick_slices(parser)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--methods",
        type=split_names,
        metavar="METHODS",
        help="compare these 2 to 8 methods, separated by commas; default: the interpolations, "
        "bicubic+bp and the models of the scale; with --slice-spacing: linear, bspline, fourier "
        "and the models between slices",
    )
    chosen.add_argument(
        "--models",
        type=split_names,
        metavar="MODELS",
        help="compare the interpolations, bicubic+bp and these models",
    )
    parser.add_argument(
        "--blend",
        type=split_names,
        metavar="ALPHAS",
        help="also compare blends of every pair of models, for example 0.25,0.5",
    )
    parser.add_argument(
        "--no-reference", action="store_true", help="upsample the volume itself, not degraded"
    )
    parser.add_argument("--maps", action="store_true", help="also write difference maps")
    parser.add_argument(
        "--zoom",
        type=voxel,
        metavar="I,J,K",
        help="center voxel of the zoomed area; default: where the methods differ most",
    )
    add_comparison_options(parser)
    add_input_options(parser)
    parser.set_defaults(command="compare")


def _add_audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", metavar="IN", nargs="+", help="the volumes")
    parser.add_argument("--out", metavar="DIR", required=True, help="new or empty output folder")
    parser.add_argument(
        "--models",
        type=split_names,
        metavar="NAMES",
        help="models, blends and +bp, separated by commas; default: all models of the scale, "
        "or between slices",
    )
    parser.add_argument(
        "--scale",
        type=int,
        choices=SCALES,
        metavar="N",
        help="2, 4 or 8; default: those of --models, or 2",
    )
    add_thick_slices(parser)
    parser.add_argument(
        "--slices",
        type=count_or_all,
        default=AUDITED_SLICES,
        metavar="N",
        help="slices per volume, chosen by the seed, or all (default: %(default)s)",
    )
    parser.add_argument(
        "--card",
        metavar="ANATOMY",
        help="also write the figures into the cards of these user models, for example brain",
    )
    add_degradation(parser)
    add_place(parser)
    parser.set_defaults(command="audit")
