"""Voxel grid formed by the slices of a DICOM series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import SuperResolutionError
from ..messages import Message, warning
from .checks import choose_frame, unknown_orientation
from .dicom_file import Slice, separation_advice
from .dicom_frames import choose_images

DISTANCE_TOLERANCE = 0.02
"""Rounding of positions in headers: mm, and also a fraction of the slice spacing."""
DIRECTION_TOLERANCE = SPACING_TOLERANCE = 1e-3


def grid_of(
    name: str, slices: Sequence[Slice], frame: int | None, messages: list[Message]
) -> tuple[list[Slice], np.ndarray]:
    """Arrange slices as a voxel grid.

    Args:
        name: Name of the series, for errors.
        slices: All images, in any order.
        frame: Index of the image to use where each position holds several; None for only one.
        messages: Receives warnings about missing information.

    Returns:
        The slices of the frame in the order of their positions along the slice normal, and the
        matrix from voxel indices to LPS coordinates, (4, 4), mm.

    Raises:
        SuperResolutionError: The slices form no complete, regular grid.
    """
    first = slices[0]
    _check_alike(name, slices)
    row, column, origin = _plane(name, slices, messages)
    normal = np.cross(row, column)
    spacing = first.numbers("PixelSpacing", 2)
    if spacing is None:
        spacing = np.ones(2)
        messages.append(warning("position", f"{name} gives no pixel size; 1 mm is assumed."))
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1] = row * spacing[1], column * spacing[0]
    if len(slices) == 1:
        choose_frame(name, 1, frame)
        lps[:3, 2], lps[:3, 3] = normal * _thickness(name, first, messages), origin
        return list(slices), lps

    positions = np.array([_position(name, image) for image in slices])
    places = _places(name, slices, positions @ normal)
    chosen = choose_images(name, slices, places, frame, messages)
    arranged, positions = [slices[n] for n in chosen], positions[chosen]
    if len(arranged) > 1:
        step = _step(name, arranged, positions, normal)
    elif first.whole is not None and all(image.whole is first.whole for image in slices):
        step = normal * _thickness(name, first, messages)
    else:
        raise SuperResolutionError(
            f"All images of {name} are at the same position. Use one of its files."
        )
    lps[:3, 2], lps[:3, 3] = step, positions[0]
    return arranged, lps


def _plane(
    name: str, slices: Sequence[Slice], messages: list[Message]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return unit vectors along a row and a column, and the position of the first slice, LPS."""
    orientation = slices[0].numbers("ImageOrientationPatient", 6)
    origin = slices[0].numbers("ImagePositionPatient", 3)
    if orientation is None or origin is None:
        if len(slices) > 1:
            raise SuperResolutionError(
                f"The slice positions of {name} are missing. Export it again as MR images, not as "
                "secondary captures."
            )
        messages.append(unknown_orientation(name, "no image position", "pixel grid"))
        return np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), np.zeros(3)
    row, column = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if abs(np.array(lengths) - 1).max() > 0.01:
        raise SuperResolutionError(f"The slice direction of {name} is not usable. Export it again.")
    return row / lengths[0], column / lengths[1], origin


def _thickness(name: str, image: Slice, messages: list[Message]) -> float:
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        thickness = image.numbers(keyword, 1)
        if thickness is not None and thickness[0] > 0:
            return float(thickness[0])
    messages.append(warning("thickness", f"{name} gives no slice thickness; 1 mm is assumed."))
    return 1.0


def _check_alike(name: str, slices: Sequence[Slice]) -> None:
    """Refuse slices that differ in size, pixel size or direction."""
    first, action = slices[0], separation_advice(slices)
    for image in slices[1:]:
        if image.size != first.size:
            sizes = [f"{one.name} {one.size[0]}×{one.size[1]}" for one in (first, image)]
            raise SuperResolutionError(
                f"The slices of {name} differ in size ({', '.join(sizes)} pixels). {action}"
            )
        for keyword, count, label, tolerance in (
            ("ImageOrientationPatient", 6, "direction", DIRECTION_TOLERANCE),
            ("PixelSpacing", 2, "pixel size", SPACING_TOLERANCE),
        ):
            one, other = first.numbers(keyword, count), image.numbers(keyword, count)
            if (one is None) != (other is None) or (
                one is not None and other is not None and np.abs(one - other).max() > tolerance
            ):
                raise SuperResolutionError(
                    f"The slices of {name} differ in their {label} ({first.name} and "
                    f"{image.name}), as in a localizer. {action}"
                )


def _position(name: str, image: Slice) -> np.ndarray:
    position = image.numbers("ImagePositionPatient", 3)
    if position is None:
        raise SuperResolutionError(
            f"{image.name}, of {name}, does not say where it lies. Export the series again."
        )
    return position


def _places(name: str, slices: Sequence[Slice], heights: np.ndarray) -> list[list[int]]:
    """Return the indices of the images at each position, in order of height."""
    order = [int(n) for n in np.argsort(heights, kind="stable")]
    places = [[order[0]]]
    for n in order[1:]:
        if heights[n] - heights[places[-1][0]] > DISTANCE_TOLERANCE:
            places.append([])
        places[-1].append(n)
    counts = {len(place) for place in places}
    if len(counts) > 1:
        raise SuperResolutionError(
            f"Images are missing from {name}, or it mixes volumes: some positions hold "
            f"{min(counts)} images, others {max(counts)}. {separation_advice(slices)}"
        )
    return places


def _step(
    name: str, slices: Sequence[Slice], positions: np.ndarray, normal: np.ndarray
) -> np.ndarray:
    """Return the LPS vector from one slice to the next; refuse uneven positions."""
    gaps = np.diff(positions @ normal)
    usual = float(np.median(gaps))
    tolerance = DISTANCE_TOLERANCE * (1 + usual)
    widest = int(np.argmax(np.abs(gaps - usual)))
    if abs(gaps[widest] - usual) > tolerance:
        raise SuperResolutionError(
            f"A slice is missing from {name}, or the slices are not evenly spaced: "
            f"{slices[widest].name} and {slices[widest + 1].name} are "
            f"{gaps[widest]:.4g} mm apart, others {usual:.4g} mm. Export the whole series again."
        )
    step: np.ndarray = (positions[-1] - positions[0]) / (len(positions) - 1)
    line = positions[0] + np.arange(len(positions))[:, None] * step
    if np.linalg.norm(positions - line, axis=1).max() > tolerance + 0.1 * usual:
        raise SuperResolutionError(
            f"The slices of {name} do not lie on a straight line. Export the series again, without "
            "motion correction of single slices."
        )
    return step
