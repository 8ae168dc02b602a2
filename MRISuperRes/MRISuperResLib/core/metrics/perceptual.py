"""How natural an image looks, without a reference: NIQE and the perceptual index PI, both lower for the better image.

NIQE: Mittal et al. 2013, "Making a 'completely blind' image quality analyzer". PI = ((10 − Ma) + NIQE) / 2: Blau et al. 2018,
"The 2018 PIRM challenge on perceptual image super-resolution", with Ma (NRQM): Ma et al. 2017, "Learning a no-reference
quality metric for single-image super-resolution".

Both are computed by pyiqa, which is optional: its license (PolyForm-Noncommercial) allows no commercial use. Its parameter
files are read from a folder and never fetched.
"""

import os
from pathlib import Path

import numpy as np

from ..errors import SuperResolutionError

PERCEPTUAL = ("niqe", "pi")
BLOCK_SIZE = 96
"""Pixels a side: the blocks to which NIQE's parameters were fitted. Values of other sizes can't be compared with published ones."""
FEWEST_BLOCKS = 4
"""NIQE compares the mean and covariance of the blocks' features; of a single block it gives a constant, whatever the image."""
BORDER = {"niqe": 0, "pi": 4}
"""Pixels that are left out at each side; 4 is the PIRM challenge's rule."""
NIQE_FILE, NRQM_FILE = "niqe_modelparameters.mat", "NRQM_model.mat"
FILES = {"niqe": (NIQE_FILE,), "pi": (NIQE_FILE, NRQM_FILE)}
FOLDERS_VARIABLE = "MRISUPERRES_WEIGHTS"
"""Environment variable: folders with the parameter files, separated as in PATH. pyiqa's own cache is looked into as well."""


class PerceptualMetric:
    """A metric of single images, ready to be called.

    name: one of PERCEPTUAL. weights_folder: where its parameter files are; default: the folders of MRISUPERRES_WEIGHTS,
    and pyiqa's cache. block_size: an even number of pixels.
    Raises SuperResolutionError: kind "settings"; kind "environment" where pyiqa or a parameter file is missing.
    """

    def __init__(self, name, weights_folder=None, block_size=BLOCK_SIZE):
        if name not in PERCEPTUAL:
            raise SuperResolutionError(
                f"There is no perceptual metric “{name}”: choose {' or '.join(PERCEPTUAL)}.",
                "settings",
            )
        if type(block_size) is not int or block_size < 2 or block_size % 2:
            raise SuperResolutionError(
                f"The block size must be an even number of pixels, not {block_size!r}.", "settings"
            )
        self.name, self.title, self.block_size = name, name.upper(), block_size
        self._torch, self._niqe, self._nrqm = _import_pyiqa()
        paths = [
            _find(file, self.title, weights_folder, self._torch.hub.get_dir())
            for file in FILES[name]
        ]
        models = [
            _load(module, path) for module, path in zip((self._niqe.NIQE, self._nrqm.NRQM), paths)
        ]
        self._natural = [models[0].mu_pris_param[None], models[0].cov_pris_param[None]]
        self._forests = models[1] if name == "pi" else None

    def check_size(self, height, width):
        """Raises SuperResolutionError (kind "input") where images of so many pixels hold too few blocks."""
        rows, columns = self._blocks(height, width)
        if rows * columns < FEWEST_BLOCKS:
            raise SuperResolutionError(
                f"{self.title} needs at least {FEWEST_BLOCKS} blocks of {self.block_size}×{self.block_size} pixels, an image of "
                f"{width}×{height} pixels holds {rows * columns}: take a larger volume, or do without {self.title}."
            )

    def __call__(self, image):
        """The metric of a gray image (h, w), 0–255: rounded and clipped to 8 bits first, as the published figures are.

        Raises SuperResolutionError (kind "input") for an image that is too small, has too little in it, or holds NaN.
        """
        image = np.asarray(image, dtype=float)
        self.check_size(*image.shape)
        if not np.isfinite(image).all():
            raise SuperResolutionError(
                f"{self.title} can't be computed of an image with NaN or infinite pixels: choose another slice."
            )
        border = BORDER[self.name]
        image = np.clip(np.rint(image), 0, 255)[
            border : image.shape[0] - border, border : image.shape[1] - border
        ]
        if self._count_filled_blocks(image) < FEWEST_BLOCKS:
            raise self._too_plain()
        with self._torch.inference_mode():
            batch = self._torch.from_numpy(np.ascontiguousarray(image))[None, None]
            value = float(self._niqe.niqe(batch, *self._natural, self.block_size, self.block_size))
            if self._forests:
                ma = float(
                    self._nrqm.nrqm(batch, self._forests.linear_param, self._forests.rf_params_list)
                )
                value = ((10 - ma) + value) / 2
        if not np.isfinite(value):
            raise self._too_plain()
        return value

    def _blocks(self, height, width):
        """(rows, columns) of whole blocks inside the border."""
        return tuple(
            max(0, side - 2 * BORDER[self.name]) // self.block_size for side in (height, width)
        )

    def _count_filled_blocks(self, image):
        """A block of a single gray has no statistics; NIQE leaves it out."""
        size = self.block_size
        rows, columns = (side // size for side in image.shape)
        blocks = image[: rows * size, : columns * size].reshape(rows, size, columns, size)
        return np.count_nonzero(np.ptp(blocks, axis=(1, 3)))

    def _too_plain(self):
        return SuperResolutionError(
            f"{self.title} can't be computed of an image with anything in fewer than {FEWEST_BLOCKS} of its blocks of "
            f"{self.block_size}×{self.block_size} pixels: choose another slice, or do without {self.title}."
        )


def _import_pyiqa():
    """torch, and pyiqa's two modules."""
    try:
        import torch
        from pyiqa.archs import niqe_arch, nrqm_arch
    except (
        ImportError,
        RuntimeError,
        OSError,
    ) as e:  # torchvision built for another PyTorch raises the latter two
        raise SuperResolutionError(
            f"NIQE and PI need the package pyiqa, which can't be imported here ({e}): install it, if its license "
            "(PolyForm-Noncommercial) allows what you do, or do without NIQE and PI.",
            "environment",
        ) from e
    return torch, niqe_arch, nrqm_arch


def _find(file, title, weights_folder, hub):
    folders = (
        [weights_folder]
        if weights_folder
        else [
            *filter(None, os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)),
            Path(hub, "pyiqa"),
        ]
    )
    for folder in folders:
        path = Path(folder, file)
        if path.is_file():
            return path
    raise SuperResolutionError(
        f"{title} needs the file {file}, which is not in {' or '.join(map(str, folders))}: get it from pyiqa's page of weights "
        f"and put it there, or into a folder that the environment variable {FOLDERS_VARIABLE} names.",
        "environment",
    )


def _load(module, path):
    try:
        return module(pretrained_model_path=str(path))
    except (
        Exception
    ) as e:  # SciPy's reader raises whatever it meets in a file that is not what it seems
        raise SuperResolutionError(
            f"{path} can't be used ({e}): get the file from pyiqa's page of weights again.",
            "environment",
        ) from e
