"""What can be typed, and the help."""

import argparse

from .. import __version__
from ..core.errors import SuperResolutionError
from ..core.io.discovery import OUTPUT_EXTENSIONS
from ..core.models.card import STAGES
from ..core.options import AUDITED_SLICES, DEFAULT_SCALE

PROGRAM = "python -m MRISuperResLib"
DICOM = "dicom"
"""The format of outputs that are folders."""

DESCRIPTION = """\
Super-resolution of MRI volumes, slice by slice. The output lies exactly where the input lies, with smaller voxels.
It is synthetic, not for diagnosis."""

EXAMPLES = f"""\
examples:
  {PROGRAM} upsample brain.nii.gz brain_x2.nii.gz
  {PROGRAM} upsample brain.nrrd brain_x4.nrrd --scale 4 --device cuda
  {PROGRAM} upsample fetal.nii.gz fetal_x2.nrrd --axis coronal --model bicubic
  {PROGRAM} upsample DICOM_FOLDER out.nii.gz --series 1.2.840.113619.2.5
  {PROGRAM} compare brain.nii.gz --scale 4 --out comparison
  {PROGRAM} audit brain.nii.gz --out audit
  {PROGRAM} models list

exit codes: 0 done; 2 something that you can mend, said in one sentence; 130 stopped (Ctrl-C); 1 an error of the program."""

MANY_DESCRIPTION = """\
Enlarges every volume of folders and lists. Outputs that are there are not made again: the same command goes on where it was stopped.
A volume that can't be enlarged does not stop the others; DIR/report.csv tells what became of each."""

MANY_EXAMPLES = f"""\
examples:
  {PROGRAM} batch study --out study_x2 --scale 2
  {PROGRAM} batch list.txt one.nii.gz --out enlarged --model bicubic --format nrrd
  torchrun --nproc-per-node 4 -m -- MRISuperResLib batch study --out study_x4 --scale 4    shared among four processes"""

UPSCALE_EXAMPLES = f"""\
IN   NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), a DICOM file, or a folder with one DICOM series
OUT  .nii, .nii.gz, .nrrd or .mha; its voxels keep the type of the input. OUT.json beside it tells how it was made.
     With --dicom a new folder, or an empty one: a DICOM series that is derived from that of IN, and MRISuperRes.json.

examples:
  {PROGRAM} upsample in.nii.gz out.nii.gz                   the default model, twice the resolution in the slices
  {PROGRAM} upsample in.nii.gz out.nrrd --scale 4           four times
  {PROGRAM} upsample in.nii.gz out.nrrd --model bicubic     interpolation: needs neither a model nor PyTorch
  {PROGRAM} upsample fmri.nii.gz out.nii.gz --frame 0       the first volume of a 4D file
  {PROGRAM} upsample DICOM_FOLDER OUT_FOLDER --dicom        a derived DICOM series of the same patient and study"""


COMPARE_DESCRIPTION = """\
Enlarges a volume by several methods and measures what each has made of it. The volume is taken as the truth: it is made
smaller and enlarged again; or, with --no-reference, it is enlarged itself. Outputs are synthetic, not for diagnosis."""

COMPARE_EXAMPLES = f"""\
IN   as for upsample
DIR  a new folder, or an empty one; it is there only when all is complete:
       comparison.csv, slices.csv, dots.csv   the numbers: of all, per slice, of the planted dots
       comparison.png                         a slice, and an area of it as every method has made it
       volumes/METHOD.nii.gz                  the outputs; with a reference also reference.nii.gz and low.nii.gz
       maps/                                  with --maps: METHOD-inconsistency, METHOD-error, PAIR-gan-psnr
       comparison.json                        how all was made
METHODS  names as in models list; NAME+bp: back-projected, so that it agrees with what was enlarged; PAIR@ALPHA: the PSNR and
         the GAN model of a pair blended, 0 is the PSNR model and 1 the GAN model

examples:
  {PROGRAM} compare in.nii.gz --out comparison                                  the volume is the truth, made smaller by 2
  {PROGRAM} compare in.nii.gz --out comparison --scale 4 --degradation kspace --noise 2
  {PROGRAM} compare in.nii.gz --out comparison --methods bicubic,bicubic+bp,fast-x2-psnr --maps
  {PROGRAM} compare in.nii.gz --out comparison --no-reference --perceptual niqe    the volume itself is enlarged"""


AUDIT_DESCRIPTION = """\
Finds out what methods invent, lose and contradict. Every volume is taken as the truth: slices of it are made smaller, with and without planted lesions,
rebuilt by every method, and held against the truth patch by patch (scanning Fourier ring correlation, arXiv:2603.04673)."""

AUDIT_EXAMPLES = f"""\
IN   volume files, folders of them, DICOM folders, lists (.txt, a path a line): volumes that the models have not learnt from
DIR  a new folder, or an empty one; it is there only when all is complete:
       audit.md, audit.png          a table per scale with a guide to read it; the worst slice of every method
       summary.csv, audit.csv       the figures of every method, and of every method on every volume
       lesions.csv                  what every method has made of every planted lesion
       maps/VOLUME-METHOD-xN.nii.gz the frequency up to which each patch agrees with the truth, a part of Nyquist; 0 where nothing was judged
       audit.json                   how all was made
bicubic and bicubic+bp, which learn nothing, are always audited, too: they are the measure. A volume that can't be audited does not stop the others.

examples:
  {PROGRAM} audit truth.nii.gz --out audit                                      the models for ×2
  {PROGRAM} audit study --models fast-x4-psnr,fast-x4-gan,fast-x4@0.5 --out audit
  {PROGRAM} audit study list.txt --scale 8 --slices all --degradation kspace --out audit
  {PROGRAM} audit brains --models mine-x2 --card brain --out audit              also into the card of a model of your own"""


class Parser(argparse.ArgumentParser):
    """Wrong arguments are an SuperResolutionError like any other; no abbreviations, which later options would make ambiguous."""

    def __init__(self, **kwargs):
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **kwargs
        )

    def error(self, message):
        raise SuperResolutionError(f"{message}; see {self.prog} --help", "settings")


def parse(argv):
    """The arguments as a namespace; .command is "upsample", "batch", "compare", "audit", "models list", "… show", "… install", "… import" or "… remove"."""
    parser = Parser(prog=PROGRAM, description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("--version", action="version", version=f"MRISuperRes {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_upsample(
        commands.add_parser(
            "upsample", help="upsample a volume", description=DESCRIPTION, epilog=UPSCALE_EXAMPLES
        )
    )
    _add_upsample_many(
        commands.add_parser(
            "batch",
            help="upsample all volumes of folders and lists",
            description=MANY_DESCRIPTION,
            epilog=MANY_EXAMPLES,
        )
    )
    _add_compare(
        commands.add_parser(
            "compare",
            help="compare methods on a volume: numbers, picture, volumes",
            description=COMPARE_DESCRIPTION,
            epilog=COMPARE_EXAMPLES,
        )
    )
    _add_audit(
        commands.add_parser(
            "audit",
            help="find out what models invent and lose",
            description=AUDIT_DESCRIPTION,
            epilog=AUDIT_EXAMPLES,
        )
    )
    _add_models(
        commands.add_parser(
            "models",
            help="list, show, install, import and remove models",
            description="The installed models.",
        )
    )
    return parser.parse_args(argv)


def _add_models(models):
    actions = models.add_subparsers(title="commands", metavar="COMMAND", required=True)
    actions.add_parser("list", help="a table of all").set_defaults(command="models list")
    show = actions.add_parser("show", help="all that is known of one")
    show.add_argument("name", metavar="NAME")
    show.set_defaults(command="models show")
    install = actions.add_parser(
        "install",
        help="take a model into the folder of your own",
        description="Takes a model, NAME.safetensors with NAME.json beside it.",
    )
    install.add_argument("file", metavar="FILE", help="either of the two files")
    install.set_defaults(command="models install")
    imported = actions.add_parser(
        "import",
        help="make a model of an ESRGAN checkpoint",
        description="Makes a model for gray images of a checkpoint of the ESRGAN "
        "family (.pth, .safetensors; one or three channels). Only weights are read, nothing in the file is executed.",
    )
    imported.add_argument("file", metavar="FILE")
    imported.add_argument("--name", required=True, help="of the model")
    imported.add_argument("--title", default="", help="for lists; default: the name of the file")
    imported.add_argument(
        "--stage",
        choices=STAGES,
        default="gan",
        help="psnr for a faithful one, gan (default) for one that may invent detail",
    )
    imported.add_argument("--license", default="", help="of the checkpoint, for the card")
    imported.set_defaults(command="models import")
    remove = actions.add_parser("remove", help="delete one of your own")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(command="models remove")


def _add_upsample(parser):
    parser.add_argument("input", metavar="IN", help="the volume")
    parser.add_argument(
        "output",
        metavar="OUT",
        help="the file to write; an old one is replaced only when the new one is complete",
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="a model (see: models list), or nearest, bilinear, bicubic; default: the first model of the scale",
    )
    parser.add_argument(
        "--scale", type=int, metavar="N", help="2, 4 or 8; default: the model's, or 2"
    )
    parser.add_argument(
        "--dicom",
        action="store_true",
        help="write a derived DICOM series, of the patient and study of IN, into the folder OUT",
    )
    _add_run_options(parser)
    _add_input_options(parser)
    parser.set_defaults(command="upsample")


def _add_upsample_many(parser):
    parser.add_argument(
        "inputs",
        metavar="IN",
        nargs="+",
        help="volume files, folders of them, DICOM folders, lists (.txt, a path a line)",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="where the outputs go, in the tree of the inputs, with report.csv",
    )
    parser.add_argument("--model", metavar="NAME", help="as for upsample")
    parser.add_argument(
        "--scale", type=int, metavar="N", help="2, 4 or 8; default: the model's, or 2"
    )
    parser.add_argument(
        "--format",
        choices=(*(extension[1:] for extension in OUTPUT_EXTENSIONS), DICOM),
        default="nii.gz",
        help="of the outputs; dicom: a folder with a derived series for each DICOM input; default: nii.gz",
    )
    _add_run_options(parser)
    parser.set_defaults(command="batch")


def _add_compare(parser):
    parser.add_argument("input", metavar="IN", help="the volume")
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder to make")
    parser.add_argument(
        "--scale", type=int, metavar="N", default=DEFAULT_SCALE, help="2 (default), 4 or 8"
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--methods",
        type=names,
        metavar="METHODS",
        help="2 to 8 methods, separated by commas; default: the interpolations, bicubic+bp and "
        "the models of the scale",
    )
    chosen.add_argument(
        "--models",
        type=names,
        metavar="MODELS",
        help="the interpolations, bicubic+bp and these models",
    )
    parser.add_argument(
        "--blend",
        type=names,
        metavar="ALPHAS",
        help="also blends of every pair of models, for example 0.25,0.5",
    )
    parser.add_argument("--no-reference", action="store_true", help="enlarge the volume itself")
    parser.add_argument("--maps", action="store_true", help="also write maps of the differences")
    parser.add_argument(
        "--zoom",
        type=_voxel,
        metavar="I,J,K",
        help="voxel of IN in the middle of the enlarged area; default: where the methods differ most",
    )
    add_comparison_options(parser)
    _add_input_options(parser)
    parser.set_defaults(command="compare")


def add_comparison_options(parser):
    """How a truth is made smaller, what is measured beside the rest, and what _add_run_options adds."""
    _add_degradation(parser)
    parser.add_argument(
        "--perceptual",
        default="none",
        metavar="NAME",
        help="niqe or pi, on some slices; needs pyiqa and its parameter files, see the README",
    )
    _add_run_options(parser)


def _add_audit(parser):
    parser.add_argument("inputs", metavar="IN", nargs="+", help="the volumes")
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder to make")
    parser.add_argument(
        "--models",
        type=names,
        metavar="NAMES",
        help="models, blends and +bp, separated by commas; default: all models of the scale",
    )
    parser.add_argument(
        "--scale",
        type=int,
        metavar="N",
        help="2, 4 or 8; default: those of the models that are named, or 2",
    )
    parser.add_argument(
        "--slices",
        type=_number_or_all,
        default=AUDITED_SLICES,
        metavar="N",
        help="how many slices of a volume are looked at, drawn from the seed, or all; default: %(default)s",
    )
    parser.add_argument(
        "--card",
        metavar="ANATOMY",
        help="also write the figures into the cards of these models of your own, as those of this anatomy, for example brain",
    )
    _add_degradation(parser)
    _add_place(parser)
    parser.set_defaults(command="audit")


def _add_degradation(parser):
    parser.add_argument(
        "--degradation",
        default="bicubic",
        metavar="KIND",
        help="how the truth is made smaller: bicubic (default) or kspace",
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=0.0,
        metavar="P",
        help="Rician noise added to the small volume, %% of the intensity range; default: 0",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of all that is drawn at random; default: 0",
    )


def _add_run_options(parser):
    _add_place(parser)
    parser.add_argument(
        "--precision",
        default="auto",
        metavar="TYPE",
        help="float32, or auto: half precision where the device is made for it and the result "
        "is near (it is looked at and told how near); default: %(default)s",
    )


def _add_place(parser):
    parser.add_argument(
        "--axis",
        default="auto",
        metavar="AXIS",
        help="how to cut the slices: auto (default: the acquired slices if they are thick, else axial), axial, sagittal, coronal, i, j, k",
    )
    parser.add_argument(
        "--device",
        default="auto",
        metavar="DEVICE",
        help="auto (default), cpu, cuda, cuda:N or mps",
    )


def _add_input_options(parser):
    parser.add_argument(
        "--frame", type=int, metavar="N", help="which volume of a 4D input, counted from 0"
    )
    parser.add_argument("--series", metavar="UID", help="which series of a DICOM folder")


def names(text):
    """What stands between the commas of a text."""
    return [name.strip() for name in text.split(",")]


def _number_or_all(text):
    try:
        return None if text == "all" else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"“{text}” is no number of slices: give a whole number, or all"
        ) from None


def _voxel(text):
    try:
        i, j, k = map(int, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"“{text}” is no voxel: give I,J,K, three whole numbers counted from 0"
        ) from None
    return i, j, k
