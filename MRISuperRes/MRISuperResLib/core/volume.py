"""Volume: voxels and their position in space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import geometry, intensity
from .errors import SuperResolutionError
from .messages import Message

if TYPE_CHECKING:
    import SimpleITK as sitk

SPACE_FIELDS = ("sform_code", "qform_code")


@dataclass(frozen=True, eq=False)
class Volume:
    """Scalar volume on a rectangular voxel grid.

    Attributes:
        array: (k, j, i), an integer or floating-point type. NaN and infinite voxels are allowed;
            finite values lie within ±2^53.
        ijk_to_ras: Voxel indices to patient coordinates, (4, 4) float64, mm.
        messages: Messages about the volume.
        provenance: JSON values that describe how the volume was computed; None for an acquired
            volume.
        header: Further fields of the source's header that stay true after upsampling: values by
            the names of ITK's metadata dictionary, such as "sform_code" and "descrip" of NIfTI and
            the user fields of NRRD.

    Raises:
        SuperResolutionError: The array or the matrix is not that of a scalar volume, or the
            intensities are too large.
    """

    array: np.ndarray
    ijk_to_ras: np.ndarray
    messages: tuple[Message, ...] = ()
    provenance: dict[str, Any] | None = None
    header: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_array(self.array)
        if self.provenance is None:  # the range of a computed volume follows from its source
            intensity.check_range(self.array)
        object.__setattr__(self, "ijk_to_ras", geometry.check_ijk_to_ras(self.ijk_to_ras))
        object.__setattr__(self, "messages", tuple(self.messages))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size (si, sj, sk) in mm."""
        i, j, k = (float(side) for side in geometry.spacing(self.ijk_to_ras))
        return i, j, k

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxel counts (ni, nj, nk)."""
        k, j, i = self.array.shape
        return i, j, k

    @property
    def space(self) -> dict[str, str]:
        """Fields of the header that name the space of the coordinates; maps keep these alone."""
        return {key: value for key, value in self.header.items() if key in SPACE_FIELDS}

    @classmethod
    def read(cls, path: str | Path, frame: int | None = None, series: str | None = None) -> Volume:
        """Read a volume from a file or a DICOM folder.

        Args:
            path: NIfTI, NRRD or MetaImage file, DICOM file, or folder with a DICOM series.
            frame: Index of the volume in a file with several (4D), counted from 0.
            series: Series Instance UID, for a DICOM folder with several series.

        Raises:
            SuperResolutionError: The file does not hold one scalar volume, or cannot be read.
        """
        from .io.formats import read_volume

        return read_volume(path, frame, series)

    def save(self, path: str | Path) -> None:
        """Write the volume, and its provenance if it has one, as NIfTI, NRRD or MetaImage.

        Args:
            path: File name; its extension selects the format.

        Raises:
            SuperResolutionError: The file cannot be written.
        """
        from .io.formats import write_volume

        write_volume(path, self)

    @classmethod
    def from_sitk(cls, image: sitk.Image) -> Volume:
        """Convert a SimpleITK image; a 2D image becomes a volume with one slice of 1 mm.

        Raises:
            SuperResolutionError: The image is not a scalar image with two or three dimensions.
        """
        import SimpleITK as sitk

        dimension = image.GetDimension()
        if dimension not in (2, 3) or image.GetNumberOfComponentsPerPixel() != 1:
            raise SuperResolutionError(
                "The image is not a scalar volume: extract one frame or one channel first."
            )
        lps = np.eye(4)
        direction = np.reshape(image.GetDirection(), (dimension, dimension))
        lps[:dimension, :dimension] = direction * image.GetSpacing()
        lps[:dimension, 3] = image.GetOrigin()
        array = sitk.GetArrayFromImage(image)
        return cls(array if dimension == 3 else array[None], geometry.LPS_TO_RAS @ lps)

    def to_sitk(self) -> sitk.Image:
        """Convert to a SimpleITK image at the same position in space; voxels are copied.

        Raises:
            SuperResolutionError: The voxel axes are not perpendicular, which ITK cannot represent.
        """
        import SimpleITK as sitk

        lps = geometry.LPS_TO_RAS @ self.ijk_to_ras
        # ITK assumes the byte order of the computer
        image = sitk.GetImageFromArray(self.array.astype(self.array.dtype.newbyteorder("=")))
        image.SetSpacing(self.spacing)
        image.SetOrigin(lps[:3, 3].tolist())
        direction = lps[:3, :3] / np.array(self.spacing)
        if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-4):
            raise SuperResolutionError(
                "The voxel axes are not perpendicular, which SimpleITK cannot represent: "
                "resample the volume to a rectangular grid."
            )
        image.SetDirection(direction.ravel().tolist())
        return image


def _check_array(array: np.ndarray) -> None:
    """Raise SuperResolutionError unless the array is a scalar volume."""
    if array.ndim != 3:
        raise SuperResolutionError(
            f"A volume must have three dimensions, not {array.ndim}: choose one frame or channel."
        )
    if array.size == 0:
        raise SuperResolutionError("The volume has no voxels: load it again or choose another one.")
    if array.dtype.kind not in "iuf":
        raise SuperResolutionError(
            f"The volume holds {array.dtype} values, not gray levels: convert it to a scalar "
            "volume."
        )
