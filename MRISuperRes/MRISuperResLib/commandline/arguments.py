"""What can be typed, and the help."""

import argparse

from .. import __version__
from ..core.errors import MRISuperResError

PROGRAM = "python -m MRISuperResLib"

DESCRIPTION = """\
Super-resolution of MRI volumes, slice by slice. The output lies exactly where the input lies, with smaller voxels.
It is synthetic, not for diagnosis."""

EXAMPLES = f"""\
examples:
  {PROGRAM} upscale brain.nii.gz brain_x2.nii.gz
  {PROGRAM} upscale brain.nrrd brain_x4.nrrd --scale 4 --device cuda
  {PROGRAM} upscale fetal.nii.gz fetal_x2.nrrd --axis coronal --model bicubic
  {PROGRAM} upscale DICOM_FOLDER out.nii.gz --series 1.2.840.113619.2.5
  {PROGRAM} models list

exit codes: 0 done; 2 something that you can mend, said in one sentence; 130 stopped (Ctrl-C); 1 an error of the program."""

UPSCALE_EXAMPLES = f"""\
IN   NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), a DICOM file, or a folder with one DICOM series
OUT  .nii, .nii.gz, .nrrd or .mha; its voxels keep the type of the input. OUT.json beside it tells how it was made.

examples:
  {PROGRAM} upscale in.nii.gz out.nii.gz                   the default model, twice the resolution in the slices
  {PROGRAM} upscale in.nii.gz out.nrrd --scale 4           four times
  {PROGRAM} upscale in.nii.gz out.nrrd --model bicubic     interpolation: needs neither a model nor PyTorch
  {PROGRAM} upscale fmri.nii.gz out.nii.gz --frame 0       the first volume of a 4D file"""


class Parser(argparse.ArgumentParser):
    """Wrong arguments are an MRISuperResError like any other; no abbreviations, which later options would make ambiguous."""

    def __init__(self, **kwargs):
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **kwargs)

    def error(self, message):
        raise MRISuperResError(f"{message}; see {self.prog} --help", "settings")


def parse(argv):
    """The arguments as a namespace; .command is "upscale", "models list" or "models show"."""
    parser = Parser(prog=PROGRAM, description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("--version", action="version", version=f"MRISuperRes {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_upscale(commands.add_parser("upscale", help="upscale a volume", description=DESCRIPTION, epilog=UPSCALE_EXAMPLES))

    models = commands.add_parser("models", help="list the installed models, or show one", description="The installed models.")
    actions = models.add_subparsers(title="commands", metavar="COMMAND", required=True)
    actions.add_parser("list", help="a table of all").set_defaults(command="models list")
    show = actions.add_parser("show", help="all that is known of one")
    show.add_argument("name", metavar="NAME")
    show.set_defaults(command="models show")
    return parser.parse_args(argv)


def _add_upscale(parser):
    parser.add_argument("input", metavar="IN", help="the volume")
    parser.add_argument("output", metavar="OUT", help="the file to write; an old one is replaced only when the new one is complete")
    parser.add_argument("--model", metavar="NAME", help="a model (see: models list), or nearest, bilinear, bicubic; default: the first model of the scale")
    parser.add_argument("--scale", type=int, metavar="N", help="2, 4 or 8; default: the model's, or 2")
    parser.add_argument("--axis", default="auto", metavar="AXIS",
                        help="how to cut the slices: auto (default: the acquired slices if they are thick, else axial), axial, sagittal, coronal, i, j, k")
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="auto (default), cpu, cuda, cuda:N or mps")
    parser.add_argument("--frame", type=int, metavar="N", help="which volume of a 4D input, counted from 0")
    parser.add_argument("--series", metavar="UID", help="which series of a DICOM folder")
    parser.set_defaults(command="upscale")
