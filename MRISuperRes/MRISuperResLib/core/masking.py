"""Voxels that take no part: those without image (NaN, padding, fill values), or outside a mask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .errors import SuperResolutionError
from .messages import Message, info, warning

if TYPE_CHECKING:
    from .volume import Volume

FILL_SHARE = 0.01
"""Smallest part of the voxels that a fill value has."""
LOW_FILL, HIGH_FILL = -1000, 32767
"""Usual fill values are this low (-1000, -1024, -2000, -32768) or at least this high."""
FILL_GAP = 0.2
"""Smallest distance of a usual low fill value from the image, as a part of the image's range. Other
fill values are whole numbers as far away as the range is wide."""
RANGE = (0.1, 99.9)
"""Percentiles of the image that count as its range here."""


@dataclass(frozen=True, eq=False)
class ImageVoxels:
    """Voxels of a volume that are image, apart from those that are not.

    Attributes:
        array: (k, j, i); the array of the volume itself if all voxels are image, otherwise a copy
            in which the others have the lowest value of the image.
        missing: Boolean (k, j, i), True for voxels without image; None if there are none.
        messages: Messages about voxels without image.
    """

    array: np.ndarray
    missing: np.ndarray | None
    messages: tuple[Message, ...]

    @classmethod
    def of(cls, volume: Volume, outcome: str = "") -> Self:
        """Find the voxels without image: NaN, infinite, padding (`Volume.padding`) and fill values.

        Args:
            volume: The volume.
            outcome: A sentence about what becomes of these voxels, for the messages.

        Raises:
            SuperResolutionError: No voxel is image.
        """
        array, missing = volume.array, missing_voxels(volume.array, volume.padding)
        if missing is None:
            return cls(array, None, ())
        if missing.all():
            raise SuperResolutionError(
                "Every voxel of the volume is NaN, infinite or padding: there is no image to "
                "upsample."
            )
        filled = array.copy()
        filled[missing] = array[~missing].min()
        return cls(filled, missing, tuple(_describe(array, missing, outcome)))

    @property
    def values(self) -> np.ndarray:
        """The intensities of the image: any shape."""
        return self.array if self.missing is None else self.array[~self.missing]

    def values_inside(self, inside: np.ndarray) -> np.ndarray:
        """Return the intensities of the image inside a mask, (n,).

        Raises:
            SuperResolutionError: There are none (kind "settings").
        """
        is_image = inside if self.missing is None else inside & ~self.missing
        if not is_image.any():
            raise SuperResolutionError(
                "The mask holds no voxel of the image: draw it on the anatomy.", "settings"
            )
        return self.array[is_image]


def inside_of(mask: Volume, volume: Volume) -> np.ndarray:
    """Return the voxels of a volume that lie inside a mask.

    Args:
        mask: A volume on the same voxel grid; inside it is neither 0 nor NaN.
        volume: The volume.

    Returns:
        Boolean (k, j, i).

    Raises:
        SuperResolutionError: The grids differ (kind "settings").
    """
    if not mask.is_aligned_with(volume):
        raise SuperResolutionError(
            "The mask and the volume do not lie on one voxel grid "
            f"({mask.describe_grids(volume)}, or another place). "
            "Resample the mask to the volume by nearest neighbor.",
            "settings",
        )
    return (mask.array != 0) & (mask.array == mask.array)


def extended(image: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Replace the pixels outside a mask by the nearest ones inside.

    A network sees them instead of what is outside, without an edge where the mask ends.

    Args:
        image: (h, w).
        inside: Boolean (h, w), not all False.
    """
    # Imported here because the panel imports this module and must not wait for scipy.
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(~inside, return_distances=False, return_indices=True)
    nearest: np.ndarray = image[rows, columns]
    return nearest


def missing_voxels(
    array: np.ndarray,
    padding: np.ndarray | None = None,
    fills: Iterable[np.generic] | None = None,
) -> np.ndarray | None:
    """Find the voxels without image.

    Args:
        array: Any shape, integer or real.
        padding: Boolean, the same shape; True for voxels that are known to be padding.
        fills: Fill values of the volume of which the array is a part; None: those of the array.

    Returns:
        Boolean, the same shape; None if all voxels are image.
    """
    missing = padding
    if array.dtype.kind == "f" and not (is_finite := np.isfinite(array)).all():
        missing = ~is_finite if missing is None else missing | ~is_finite
    if fills is None:
        fills = fill_values(array if missing is None else array[~missing])
    for value in fills:
        is_fill = array == value
        missing = is_fill if missing is None else missing | is_fill
    return missing


def fill_values(values: np.ndarray) -> list[np.generic]:
    """Find the values at the ends of the range that fill a part of a volume without image.

    A fill value is a single negative value below the image or a single large one above it, far
    from every other value (see FILL_GAP) and frequent. Zero is never one: it is the dark background
    of ordinary volumes, which belongs to the image.

    Args:
        values: Any shape, integer or real, finite.
    """
    if not values.size:
        return []
    found, low, high = [], values.min(), values.max()
    if low < 0 and _is_fill(values, low):
        found.append(low)
        values = values[values != low]
    if high >= HIGH_FILL and _is_fill(values, high):
        found.append(high)
    return found


def _is_fill(values: np.ndarray, end: Any) -> bool:
    """Return True if the lowest or highest value is a fill value."""
    is_end = values == end
    count = np.count_nonzero(is_end)
    if count == values.size or count < FILL_SHARE * values.size:
        return False
    others = values[~is_end]
    # Python numbers, since differences may not fit the type.
    gap = min(abs(end.item() - others.min().item()), abs(end.item() - others.max().item()))
    low, high = np.percentile(others, RANGE)
    if end <= LOW_FILL:
        return bool(low < high <= low + gap / FILL_GAP)
    # the background of a z score is far away as well, but hardly ever a whole number
    return bool(low < high <= low + gap) and float(end) % 1 == 0


def _describe(array: np.ndarray, missing: np.ndarray, outcome: str) -> Iterable[Message]:
    """Yield the messages about voxels without image, each ending with the outcome."""
    values = array[missing]
    is_finite = np.isfinite(values)
    if not is_finite.all():
        count = values.size - np.count_nonzero(is_finite)
        text = (
            f"{count} of {array.size} voxels are NaN or infinite. Their neighbors are computed as "
            f"if these voxels were dark. {outcome}"
        )
        yield warning("non-finite", text.strip())
    if is_finite.any():
        low, high = values[is_finite].min(), values[is_finite].max()
        text = (
            f"{np.count_nonzero(is_finite)} of {array.size} voxels are padding "
            f"({low:g}{f' to {high:g}' if high > low else ''}), not image. Their neighbors are "
            f"computed as if these voxels were dark. {outcome}"
        )
        yield info("padding", text.strip())
