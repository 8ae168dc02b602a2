"""No-reference metrics NIQE and PI: perceptual quality, lower is better.

NIQE: Mittal et al. 2013, "Making a 'completely blind' image quality analyzer"
(doi:10.1109/LSP.2012.2227726). PI = ((10 − Ma) + NIQE) / 2: Blau et al. 2018, "The 2018 PIRM
challenge on perceptual image super-resolution", eq. 1 (arXiv:1809.07517). Ma (NRQM): Ma et al.
2017, "Learning a no-reference quality metric for single-image super-resolution"
(arXiv:1612.05890). Beyond a bound, a lower PI costs a higher RMSE: Blau and Michaeli
2018, "The perception-distortion tradeoff" (arXiv:1711.06077).

pyiqa computes both. It is optional, since its license (PolyForm-Noncommercial) excludes commercial
use. Its parameter files are read from a folder and never downloaded.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import SuperResolutionError

if TYPE_CHECKING:
    from types import ModuleType

PERCEPTUAL = ("niqe", "pi")
BLOCK_SIZE = 96
"""Side in pixels of the blocks to which the parameters of NIQE were fitted. Values with another
block size cannot be compared with published ones."""
MIN_BLOCKS = 4
"""NIQE compares mean and covariance of block features; for a single block it is the same constant
for every image."""
BORDER = {"niqe": 0, "pi": 4}
"""Pixels that are cropped at each side; 4 is the rule of the PIRM challenge."""
NIQE_FILE, NRQM_FILE = "niqe_modelparameters.mat", "NRQM_model.mat"
FILES = {"niqe": (NIQE_FILE,), "pi": (NIQE_FILE, NRQM_FILE)}
FOLDERS_VARIABLE = "MRISUPERRES_WEIGHTS"
"""Environment variable with the folders of the parameter files, separated as in PATH. The cache of
pyiqa is searched, too."""


class PerceptualMetric:
    """NIQE or PI of single images.

    Attributes:
        name: "niqe" or "pi".
        title: "NIQE" or "PI".
        block_size: Side of the blocks, pixels.
    """

    def __init__(
        self,
        name: str,
        weights_folder: str | Path | None = None,
        block_size: int = BLOCK_SIZE,
    ) -> None:
        """Load the parameters of a metric.

        Args:
            name: "niqe" or "pi".
            weights_folder: Folder of the parameter files. None: the folders that
                MRISUPERRES_WEIGHTS lists, and the cache of pyiqa.
            block_size: Side of the blocks, an even number of pixels.

        Raises:
            SuperResolutionError: The name or the block size is invalid (kind "settings"); pyiqa or
                a parameter file is missing (kind "environment").
        """
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
        torch, self._niqe, self._nrqm = _import_pyiqa()
        self._torch: Any = torch
        cache = self._torch.hub.get_dir()
        paths = [_find(file, self.title, weights_folder, cache) for file in FILES[name]]
        models: list[Any] = [
            _load(module, path) for module, path in zip((self._niqe.NIQE, self._nrqm.NRQM), paths)
        ]
        self._natural = [models[0].mu_pris_param[None], models[0].cov_pris_param[None]]
        self._forests = models[1] if name == "pi" else None

    def check_size(self, height: int, width: int) -> None:
        """Check that an image holds enough blocks.

        Args:
            height: Rows of the image.
            width: Columns of the image.

        Raises:
            SuperResolutionError: The image is too small (kind "input").
        """
        rows, columns = self._blocks(height, width)
        if rows * columns < MIN_BLOCKS:
            size = f"{self.block_size}×{self.block_size}"
            raise SuperResolutionError(
                f"{self.title} needs at least {MIN_BLOCKS} blocks of {size} pixels; an image of "
                f"{width}×{height} pixels holds {rows * columns}. Choose a larger volume, or "
                f"leave out {self.title}."
            )

    def __call__(self, image: ArrayLike) -> float:
        """Compute the metric of a grayscale image.

        As for published figures, the image is first rounded and clipped to 8 bits.

        Args:
            image: Image (h, w), 0–255.

        Returns:
            The metric; lower is better.

        Raises:
            SuperResolutionError: The image is too small, has too little content, or holds NaN
                (kind "input").
        """
        pixels = np.asarray(image, dtype=float)
        height, width = pixels.shape
        self.check_size(height, width)
        if not np.isfinite(pixels).all():
            raise SuperResolutionError(
                f"{self.title} is undefined for an image with NaN or infinite pixels: choose "
                "another slice."
            )
        border = BORDER[self.name]
        pixels = np.clip(np.rint(pixels), 0, 255)
        pixels = pixels[border : height - border, border : width - border]
        if self._count_filled_blocks(pixels) < MIN_BLOCKS:
            raise self._too_little_content()
        with self._torch.inference_mode():
            batch = self._torch.from_numpy(np.ascontiguousarray(pixels))[None, None]
            value = float(self._niqe.niqe(batch, *self._natural, self.block_size, self.block_size))
            if self._forests is not None:
                forests = self._forests.linear_param, self._forests.rf_params_list
                value = ((10 - float(self._nrqm.nrqm(batch, *forests))) + value) / 2
        if not np.isfinite(value):
            raise self._too_little_content()
        return value

    def _blocks(self, height: int, width: int) -> tuple[int, int]:
        """Return (rows, columns) of whole blocks inside the border."""
        border, size = 2 * BORDER[self.name], self.block_size
        return max(0, height - border) // size, max(0, width - border) // size

    def _count_filled_blocks(self, image: np.ndarray) -> int:
        """Count the blocks with more than one gray level; NIQE drops the others."""
        size = self.block_size
        rows, columns = (side // size for side in image.shape)
        blocks = image[: rows * size, : columns * size].reshape(rows, size, columns, size)
        return int(np.count_nonzero(np.ptp(blocks, axis=(1, 3))))

    def _too_little_content(self) -> SuperResolutionError:
        size = f"{self.block_size}×{self.block_size}"
        return SuperResolutionError(
            f"{self.title} is undefined for an image with content in fewer than {MIN_BLOCKS} of "
            f"its blocks of {size} pixels: choose another slice, or leave out {self.title}."
        )


def _import_pyiqa() -> tuple[ModuleType, Any, Any]:
    """Import torch and the two modules of pyiqa."""
    try:
        import torch
        from pyiqa.archs import niqe_arch, nrqm_arch
    # A torchvision built for another PyTorch raises RuntimeError or OSError.
    except (ImportError, RuntimeError, OSError) as e:
        raise SuperResolutionError(
            f"NIQE and PI need the package pyiqa, which cannot be imported ({e}). Install it if "
            "its license (PolyForm-Noncommercial) allows your use, or leave out NIQE and PI.",
            "environment",
        ) from e
    return torch, niqe_arch, nrqm_arch


def _find(file: str, title: str, weights_folder: str | Path | None, cache: str) -> Path:
    listed = filter(None, os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep))
    folders: list[str | Path] = (
        [weights_folder] if weights_folder else [*listed, Path(cache, "pyiqa")]
    )
    for folder in folders:
        path = Path(folder, file)
        if path.is_file():
            return path
    raise SuperResolutionError(
        f"{title} needs the file {file}, which is not in {' or '.join(map(str, folders))}. "
        "Download it there from the weights page of pyiqa, or list its folder in the environment "
        f"variable {FOLDERS_VARIABLE}.",
        "environment",
    )


def _load(module: Any, path: Path) -> Any:
    try:
        return module(pretrained_model_path=str(path))
    except Exception as e:  # SciPy's reader raises many types on damaged files
        raise SuperResolutionError(
            f"{path} is not usable ({e}): download it again from the weights page of pyiqa.",
            "environment",
        ) from e
