"""Volume: voxels and their position in space."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from . import geometry, intensity
from .errors import SuperResolutionError
from .messages import Message

if TYPE_CHECKING:
    import SimpleITK as sitk

SPACE_FIELDS = ("sform_code", "qform_code")
GRID_TOLERANCE = 1e-3
"""Largest difference between two grids, mm, and mm per voxel."""


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
        padding: Boolean (k, j, i), True for voxels without image as the file declares them; None
            if it declares none.
        is_labels: True if the file declares its voxels to be labels.
        slice_thickness: Thickness of the slices along k that the file states, mm; None if it states
            none.
        uncertainty: Spread of an upsampled volume, on its grid and in its intensities, float32 (see
            `core.uncertainty`); None if it was not requested.

    Raises:
        SuperResolutionError: The array or the matrix is not that of a scalar volume, or the
            intensities are too large.
    """

    array: np.ndarray
    ijk_to_ras: np.ndarray
    messages: tuple[Message, ...] = ()
    provenance: dict[str, Any] | None = None
    header: Mapping[str, str] = field(default_factory=dict)
    padding: np.ndarray | None = None
    is_labels: bool = False
    slice_thickness: float | None = None
    uncertainty: Volume | None = None

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

    def is_aligned_with(self, other: Volume) -> bool:
        """Return True if both have the same voxel grid."""
        return self.size == other.size and np.allclose(
            self.ijk_to_ras, other.ijk_to_ras, rtol=0, atol=GRID_TOLERANCE
        )

    def describe_grids(self, other: Volume) -> str:
        """Describe the voxel grids of two volumes, for the error that they differ."""
        return " and ".join(
            f"{'×'.join(map(str, each.size))} voxels of {geometry.format_sides(each.spacing)} mm"
            for each in (self, other)
        )

    @property
    def space(self) -> dict[str, str]:
        """Fields of the header that name the space of the coordinates; maps keep these alone."""
        return {key: value for key, value in self.header.items() if key in SPACE_FIELDS}

    @classmethod
    def read(
        cls,
        path: str | Path,
        frame: int | None = None,
        series: str | None = None,
        labels: bool = False,
    ) -> Volume:
        """Read a volume from a file or a DICOM folder.

        Args:
            path: NIfTI, NRRD or MetaImage file, DICOM file, or folder with a DICOM series.
            frame: Index of the volume in a file with several (4D), counted from 0.
            series: Series Instance UID, for a DICOM folder with several series.
            labels: True to read a label map as well, which is refused otherwise.

        Raises:
            SuperResolutionError: The file does not hold one scalar volume, or cannot be read.
        """
        from .io.formats import read_volume

        return read_volume(path, frame, series, labels)

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
    def of(cls, source: object) -> Volume:
        """Convert a volume, a SimpleITK image or a tuple (array (k, j, i), ijk_to_ras).

        Raises:
            SuperResolutionError: It is none of these, or no scalar volume.
        """
        if isinstance(source, Volume):
            return source
        if is_sitk_image(source):
            return cls.from_sitk(source)
        if isinstance(source, tuple) and len(source) == 2:
            array, ijk_to_ras = source
            return cls(np.asarray(array), np.asarray(ijk_to_ras))
        raise SuperResolutionError(
            "The source must be a path, a Volume, a SimpleITK image or a tuple (array, "
            f"ijk_to_ras), not {type(source).__name__}.",
            "settings",
        )

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


def is_sitk_image(source: object) -> TypeGuard[sitk.Image]:
    """Return True for a SimpleITK image, without importing SimpleITK."""
    module = sys.modules.get("SimpleITK")
    return module is not None and isinstance(source, module.Image)


class Frames:
    """Volumes of one size and type at one place, such as the frames of a 4D file.

    A frame is read or computed whenever it is accessed, so that one at a time is in memory.

    Args:
        count: Number of frames, at least 1.
        make: Returns the frame of an index, counted from 0.
    """

    def __init__(self, count: int, make: Callable[[int], Volume]) -> None:
        self._numbers, self._make = range(count), make

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, number: int) -> Volume:
        return self._make(self._numbers[number])

    def __iter__(self) -> Iterator[Volume]:
        return map(self._make, self._numbers)

    @classmethod
    def read(cls, path: str | Path, series: str | None = None) -> Frames:
        """Open a file or a DICOM folder with one or more volumes; see `Volume.read`."""
        from .io.formats import read_frames

        return read_frames(path, series=series)

    def save(self, path: str | Path) -> None:
        """Write a 4D file with the provenance of the first frame; see `Volume.save`."""
        from .io.formats import write_volume

        write_volume(path, self)


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
