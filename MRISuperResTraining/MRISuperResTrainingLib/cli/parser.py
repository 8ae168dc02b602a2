"""What can be typed, and the help."""

import json

from MRISuperResLib import __version__
from MRISuperResLib.cli.parser import Parser, add_comparison_options, names
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import SCALES

from ..options.presets import PRESETS

PROGRAM = "python -m MRISuperResTrainingLib"

DESCRIPTION = "Trains generators for MRISuperRes in two stages, and makes models of them."

EXAMPLES = f"""\
examples:
  {PROGRAM} train /data/study --preset quick --scale 2 --run runs/first
  {PROGRAM} resume runs/first
  {PROGRAM} evaluate --run runs/first --out evaluation
  {PROGRAM} export runs/first --name first-x2 --to models
  torchrun --nproc-per-node 4 -m -- MRISuperResTrainingLib train /data/study --preset modern --scale 4 --run runs/x4

exit codes: 0 done; 2 something that you can mend, said in one sentence; 130 stopped (Ctrl-C); 1 an error of the program."""

TRAIN_EXAMPLES = f"""\
DATA  folders with volumes, BIDS trees, lists (.txt, .tsv, .csv), recipes (.json), volume files
RUN   the folder of the run: settings, events, checkpoints and models. Whatever happens, “resume RUN” goes on from the last checkpoint.

A recipe brings its settings with it; else they are those of a preset. Either can be changed:
  {PROGRAM} train /data --preset quick --scale 2 --run runs/a --set psnr.steps=500 gan.steps=50 batch=4 seed=7
  {PROGRAM} train /data --preset quick --scale 2 --run runs/b --set gan=null          the first stage only
  {PROGRAM} train /data --settings runs/a/settings.json --run runs/c                  a JSON object of settings
Ctrl-C ends the run after a checkpoint; a second one ends it at once.

Several processes share every batch, with the same result: torchrun --nproc-per-node N -m -- MRISuperResTrainingLib train …
(“accelerate launch” does as well with GPUs; with --cpu and without MPI it starts one process, whatever --num_processes says.)"""


EVALUATE = "Measures models on volumes, beside the interpolations: every volume is degraded, and rebuilt by every method at every scale."

EVALUATE_EXAMPLES = f"""\
DATA  as for “train”. Without it: the volumes of a run (--run) whose subjects it has not learnt from.
DIR   evaluation.md (tables with bootstrap intervals over subjects), summary.csv, volumes.csv, evaluation.png, pictures/, evaluation.json

examples:
  {PROGRAM} evaluate --run runs/first --out evaluation
  {PROGRAM} evaluate /data/test --models fast-x2-psnr,fast-x4-psnr --out evaluation
  {PROGRAM} evaluate /data/test --scales 2,4,8 --hr-slices --out evaluation
LPIPS is measured where its weights and those of VGG16 are in a folder of MRISUPERRES_WEIGHTS."""


def parse(argv):
    """The arguments as a namespace; .command is "train", "resume", "evaluate" or "export"."""
    parser = Parser(prog=PROGRAM, description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("--version", action="version", version=f"MRISuperRes {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_train(
        commands.add_parser(
            "train", help="train a pair of models", description=DESCRIPTION, epilog=TRAIN_EXAMPLES
        )
    )
    resume = commands.add_parser(
        "resume",
        help="go on with a run",
        description="Goes on with a run from its last checkpoint.",
    )
    resume.add_argument("run", metavar="RUN", help="the run's folder")
    resume.set_defaults(command="resume")
    _add_evaluate(
        commands.add_parser(
            "evaluate",
            help="measure models on volumes",
            description=EVALUATE,
            epilog=EVALUATE_EXAMPLES,
        )
    )
    _add_export(
        commands.add_parser(
            "export",
            help="make models of a run",
            description="Writes the best models of a finished run: NAME-psnr and NAME-gan.",
        )
    )
    return parser.parse_args(argv)


def _add_train(parser):
    parser.add_argument("data", metavar="DATA", nargs="+", help="what to learn from")
    parser.add_argument("--run", metavar="RUN", required=True, help="the folder to make")
    parser.add_argument("--scale", type=int, choices=SCALES, help="2, 4 or 8")
    parser.add_argument(
        "--preset",
        metavar="NAME",
        choices=tuple(PRESETS),
        help=f"the settings to begin with: {', '.join(PRESETS)}",
    )
    parser.add_argument(
        "--settings",
        metavar="FILE",
        help="a JSON object of settings, which replace those of the preset or recipe",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        nargs="+",
        type=_setting,
        default=[],
        dest="changes",
        help="single settings, which replace any other",
    )
    parser.add_argument(
        "--start-from",
        metavar="RUN",
        help="begin with the generator of another run, also of another scale; short for --set start_from=RUN",
    )
    parser.add_argument(
        "--anatomy",
        default="unspecified",
        metavar="NAME",
        help="of the volumes that do not say it; kinds are learnt from evenly",
    )
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        dest="base",
        help="where the paths of a recipe start from; default: its own folder",
    )
    parser.add_argument(
        "--cache", metavar="FOLDER", help="for the prepared volumes; default: the user's cache"
    )
    parser.set_defaults(command="train")


def _add_evaluate(parser):
    parser.add_argument("data", metavar="DATA", nargs="*", help="what to measure on")
    parser.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="the folder to make; it appears when all is complete",
    )
    parser.add_argument("--run", metavar="RUN", help="a run, whose best models are measured")
    parser.add_argument(
        "--models",
        type=names,
        default=[],
        metavar="NAMES",
        help="models, blends (PAIR@0.5), back-projections (NAME+bp), separated by commas; "
        "default: those of the run, or all installed ones",
    )
    parser.add_argument(
        "--scales", type=_scales, metavar="N,…", help="default: those of the models"
    )
    parser.add_argument(
        "--anatomy", default="unspecified", metavar="NAME", help="of the volumes that do not say it"
    )
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        dest="base",
        help="where the paths of a recipe start from; default: its own folder",
    )
    parser.add_argument(
        "--hr-slices",
        action="store_true",
        help="also enlarge the middle slices themselves, shrunk to 128 pixels",
    )
    add_comparison_options(parser)
    parser.set_defaults(precision="float32")  # figures must not depend on the computer
    parser.set_defaults(command="evaluate")


def _scales(text):
    try:
        scales = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        scales = ()
    if not scales or not set(scales) <= set(SCALES):
        raise SuperResolutionError(
            f"“{text}” are no scales: give 2, 4 or 8, separated by commas.", "settings"
        )
    return scales


def _add_export(parser):
    parser.add_argument("run", metavar="RUN", help="the run's folder")
    parser.add_argument("--name", metavar="NAME", required=True, help="of the pair")
    parser.add_argument(
        "--to",
        metavar="FOLDER",
        required=True,
        help="where the models go, for instance a folder of MRISUPERRES_MODELS",
    )
    parser.add_argument(
        "--alpha",
        type=float,
        default=1.0,
        metavar="A",
        help="the GAN model is a blend: between 0, the first stage alone, and 1 (default), the second alone",
    )
    parser.add_argument(
        "--no-figures",
        action="store_true",
        help="do not measure the models on the subjects that were held back, which takes its time",
    )
    parser.set_defaults(command="export")


def _setting(text):
    """("psnr.steps", 500) of psnr.steps=500; what is no JSON value is a text."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise SuperResolutionError(
            f"“{text}” is no setting: give NAME=VALUE, for instance psnr.steps=500.", "settings"
        )
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
