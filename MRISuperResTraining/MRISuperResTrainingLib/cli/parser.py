"""Command-line arguments and help."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from MRISuperResLib import __version__
from MRISuperResLib.cli.arguments import (
    add_comparison_options,
    add_degradation,
    add_run_options,
    count_or_all,
    split_names,
)
from MRISuperResLib.cli.parser import Parser
from MRISuperResLib.core.options import SCALES
from MRISuperResLib.core.validation import invalid

from ..api import UNCERTAINTY_SLICES
from ..options.presets import PRESETS

PROGRAM = "mrisuperres-train"

DESCRIPTION = "Train super-resolution models for MRISuperRes in two stages."

EXAMPLES = f"""\
examples:
  {PROGRAM} train /data/study --preset quick --scale 2 --run runs/first
  {PROGRAM} resume runs/first
  {PROGRAM} evaluate --run runs/first --out evaluation
  {PROGRAM} export runs/first --name first-x2 --to models

exit codes: 0 done; 1 internal error; 2 an error that you can fix; 130 stopped (Ctrl-C)"""

TRAIN_EXAMPLES = f"""\
DATA  folders with volumes, BIDS trees, lists (.txt, .tsv, .csv), recipes (.json), volume files
RUN   folder of the run: settings, events, checkpoints and models. After any interruption,
      “resume RUN” continues from the last checkpoint.

A recipe includes its settings; otherwise they are those of a preset. Either can be changed:
  {PROGRAM} train /data --preset quick --scale 2 --run runs/a --set psnr.steps=500 batch=4 seed=7
  {PROGRAM} train /data --preset quick --scale 2 --run runs/b --set gan=null     first stage only
  {PROGRAM} train /data --settings settings.json --run runs/c      a JSON object of settings

Ctrl-C stops the run after a checkpoint; a second Ctrl-C stops it at once.

Several processes share every batch, with the same result:
  torchrun --nproc-per-node 4 -m -- MRISuperResTrainingLib train DATA --preset modern --scale 4 \
--run RUN"""

EVALUATE = """\
Measure models on volumes, beside the interpolations: every volume is degraded, and restored by
every method at every scale."""

EVALUATE_EXAMPLES = f"""\
DATA  as for “train”. Without it: the volumes of the unseen subjects of a run (--run).
DIR   evaluation.md (tables with bootstrap confidence intervals over subjects), summary.csv,
      volumes.csv, evaluation.png, pictures/, evaluation.json

examples:
  {PROGRAM} evaluate --run runs/first --out evaluation
  {PROGRAM} evaluate /data/test --models fast-x2-psnr,fast-x4-psnr --out evaluation
  {PROGRAM} evaluate /data/test --scales 2,4,8 --hr-slices --out evaluation

LPIPS is measured if its weights and those of VGG16 are in a folder of MRISUPERRES_WEIGHTS."""


UNCERTAINTY = """\
Measure how the uncertainty map of models predicts the error: volumes are degraded and restored. Its
rank correlation with the error, and the coverage of intervals calibrated on other subjects."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the arguments; `command` is "train", "resume", "evaluate", "uncertainty" or "export".

    Raises:
        SuperResolutionError: An argument is invalid (kind "settings").
    """
    parser = Parser(prog=PROGRAM, description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("--version", action="version", version=f"MRISuperRes {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_train(
        commands.add_parser(
            "train", help="train a pair of models", description=DESCRIPTION, epilog=TRAIN_EXAMPLES
        )
    )
    resume = commands.add_parser(
        "resume", help="resume a run", description="Resume a run from its last checkpoint."
    )
    resume.add_argument("run", metavar="RUN", help="folder of the run")
    resume.set_defaults(command="resume")
    _add_evaluate(
        commands.add_parser(
            "evaluate",
            help="measure models on volumes",
            description=EVALUATE,
            epilog=EVALUATE_EXAMPLES,
        )
    )
    _add_uncertainty(
        commands.add_parser(
            "uncertainty", help="measure the uncertainty map of models", description=UNCERTAINTY
        )
    )
    _add_export(
        commands.add_parser(
            "export",
            help="write the models of a run",
            description="Write the best models of a finished run: NAME-psnr and NAME-gan.",
        )
    )
    return parser.parse_args(arguments)


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", nargs="+", help="training volumes")
    parser.add_argument("--run", metavar="RUN", required=True, help="folder to create")
    parser.add_argument("--scale", type=int, choices=SCALES, help="2, 4 or 8")
    parser.add_argument(
        "--preset",
        metavar="NAME",
        choices=tuple(PRESETS),
        help=f"settings to start from: {', '.join(PRESETS)}",
    )
    parser.add_argument(
        "--settings",
        metavar="FILE",
        help="JSON object of settings; replaces those of the preset or recipe",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        nargs="+",
        type=_setting,
        default=[],
        dest="changes",
        help="single settings; replace all others",
    )
    parser.add_argument(
        "--start-from",
        metavar="RUN|MODEL",
        help="start from the generator of another run or of an installed model, also of another "
        "scale",
    )
    _add_data_options(parser)
    parser.add_argument(
        "--cache", metavar="FOLDER", help="prepared volumes; default: the user's cache"
    )
    parser.set_defaults(command="train")


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", nargs="*", help="volumes to evaluate")
    parser.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="folder to create; it appears when the evaluation is complete",
    )
    parser.add_argument("--run", metavar="RUN", help="run whose best models are measured")
    parser.add_argument(
        "--models",
        type=split_names,
        default=[],
        metavar="NAMES",
        help="models, blends (PAIR@0.5), back-projections (NAME+bp), separated by commas; "
        "default: those of the run, or all installed in-plane ones",
    )
    parser.add_argument(
        "--scales",
        type=_scales,
        metavar="N,…",
        help="scales in-plane; default: those of the models",
    )
    _add_data_options(parser)
    parser.add_argument(
        "--hr-slices",
        action="store_true",
        help="also upsample the middle slices themselves, downsampled to 128 pixels",
    )
    add_comparison_options(parser)
    _add_report(parser)
    parser.set_defaults(precision="float32")  # figures must not depend on the computer
    parser.set_defaults(command="evaluate")


def _add_uncertainty(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", nargs="+", help="volumes of at least two subjects")
    parser.add_argument(
        "--models",
        type=split_names,
        required=True,
        metavar="NAMES",
        help="models or blends (PAIR@0.5), separated by commas",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="folder to create, with uncertainty.md and volumes.csv",
    )
    parser.add_argument(
        "--slices",
        type=count_or_all,
        default=UNCERTAINTY_SLICES,
        metavar="N",
        help="evenly spaced slices per volume, or all (default: %(default)s)",
    )
    parser.add_argument(
        "--slice-spacing",
        type=float,
        metavar="MM",
        help="slice spacing to which nearly isotropic volumes are degraded, for models between "
        "slices",
    )
    _add_data_options(parser)
    add_degradation(parser)
    add_run_options(parser)
    parser.set_defaults(precision="float32", perceptual="none", command="uncertainty")


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="folder of the run")
    parser.add_argument(
        "--name",
        metavar="NAME",
        required=True,
        help="name of the pair, or of a model between slices",
    )
    parser.add_argument(
        "--to",
        metavar="FOLDER",
        required=True,
        help="folder of the models, for example one of MRISUPERRES_MODELS",
    )
    parser.add_argument(
        "--alpha",
        type=float,
        default=1.0,
        metavar="A",
        help="blend of the GAN model, above 0 and at most 1: 1 (default) is the generator of "
        "stage 2 alone",
    )
    parser.add_argument(
        "--no-figures",
        action="store_true",
        help="do not measure speed and quality for the model cards",
    )
    _add_report(parser)
    parser.set_defaults(command="export")


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="for programs: append progress and failure as JSON lines, see runs/events.py",
    )


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--anatomy",
        default="unspecified",
        metavar="NAME",
        help="anatomy of volumes without one; default: guessed from names and folders; each "
        "anatomy gets an equal share",
    )
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        dest="base",
        help="folder to which the paths of a recipe are relative; default: that of its list",
    )


def _scales(text: str) -> tuple[int, ...]:
    try:
        scales = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        scales = ()
    if not scales or not set(scales) <= set(SCALES):
        raise invalid(f"Invalid scales “{text}”: give 2, 4 or 8, separated by commas.")
    return scales


def _setting(text: str) -> tuple[str, Any]:
    """psnr.steps=500 as ("psnr.steps", 500); a value that is not JSON is a text."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise invalid(f"Invalid setting “{text}”: give NAME=VALUE, for example psnr.steps=500.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
