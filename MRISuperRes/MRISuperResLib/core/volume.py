"""A volume: voxels and their position in space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import geometry
from .intensity import check_type
from .messages import Message

if TYPE_CHECKING:
    import SimpleITK as sitk


@dataclass(frozen=True, eq=False)
class Volume:
    """A scalar volume on a rectangular voxel grid.

    Attributes:
        array: Voxels (k, j, i), an integer or floating-point type.
        ijk_to_ras: Voxel indices to patient coordinates, (4, 4) float64, mm.
        messages: What the user should know about the volume.
        provenance: How the volume was made, JSON values; None for an acquired volume.

    Raises:
        SuperResolutionError: The array or the matrix is not that of a scalar volume.
    """

    array: np.ndarray
    ijk_to_ras: np.ndarray
    messages: tuple[Message, ...] = ()
    provenance: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        check_type(self.array)
        object.__setattr__(self, "ijk_to_ras", geometry.check_ijk_to_ras(self.ijk_to_ras))
        object.__setattr__(self, "messages", tuple(self.messages))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size (si, sj, sk) in mm."""
        i, j, k = (float(side) for side in geometry.spacing(self.ijk_to_ras))
        return i, j, k

    @property
    def size(self) -> tuple[int, int, int]:
        """Number of voxels (ni, nj, nk)."""
        k, j, i = self.array.shape
        return i, j, k

    @classmethod
    def read(cls, path: str | Path, frame: int | None = None, series: str | None = None) -> Volume:
        """Read a volume; see `io.formats.read_volume`."""
        from .io.formats import read_volume

        return read_volume(path, frame, series)

    def save(self, path: str | Path) -> None:
        """Write the volume; see `io.formats.write_volume`."""
        from .io.formats import write_volume

        write_volume(path, self)

    @classmethod
    def from_sitk(cls, image: sitk.Image) -> Volume:
        """Return a SimpleITK image as a volume."""
        import SimpleITK as sitk

        lps = np.eye(4)
        direction = np.reshape(image.GetDirection(), (3, 3))
        lps[:3, :3] = direction * image.GetSpacing()
        lps[:3, 3] = image.GetOrigin()
        return cls(sitk.GetArrayFromImage(image), geometry.LPS_TO_RAS @ lps)

    def to_sitk(self) -> sitk.Image:
        """Return the volume as a SimpleITK image at the same place in space."""
        import SimpleITK as sitk

        lps = geometry.LPS_TO_RAS @ self.ijk_to_ras
        image = sitk.GetImageFromArray(self.array)
        image.SetSpacing(self.spacing)
        image.SetOrigin(lps[:3, 3].tolist())
        image.SetDirection((lps[:3, :3] / np.array(self.spacing)).ravel().tolist())
        return image
