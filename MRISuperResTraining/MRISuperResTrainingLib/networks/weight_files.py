"""Where the optional weights are that a user has put on his machine. Nothing is ever fetched."""

import os
from pathlib import Path

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.metrics.perceptual import FOLDERS_VARIABLE


def find(*patterns):
    """The first file that fits one of the patterns (such as "vgg19*.pth") in the folders of MRISUPERRES_WEIGHTS; None where there is none."""
    for pattern in patterns:
        for folder in filter(None, os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)):
            for path in sorted(Path(folder).glob(pattern)):
                return path
    return None


def missing(what, file, source):
    """The SuperResolutionError that names a file which is not there, and where to get it."""
    return SuperResolutionError(
        f"{what} needs the file {file}: get it from {source}, and put it into a folder that the environment variable "
        f"{FOLDERS_VARIABLE} names.",
        "environment",
    )
