"""How the slices of a DICOM series lie in space, from their headers: the grid that they make, or what is wrong with it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SuperResolutionError
from .checks import choose_frame

POSITION, ORIENTATION, PIXEL_SPACING, GAP, THICKNESS, NUMBER = (
    "0020|0032",
    "0020|0037",
    "0028|0030",
    "0018|0088",
    "0018|0050",
    "0020|0013",
)

DISTANCE_TOLERANCE = 0.02
"""mm, and also the part of the slice distance, that headers may round away."""


@dataclass(frozen=True)
class Slice:
    """The header of a file with one image. size: (ni, nj); values: header elements by tag, as text."""

    path: Path
    size: tuple
    components: int
    values: dict

    def text(self, tag):
        return self.values.get(tag, "").strip(" \0")

    def numbers(self, tag, count):
        """A vector, or None where the element is missing or not made of count finite numbers."""
        try:
            numbers = np.array([float(part) for part in self.text(tag).split("\\")])
        except ValueError:
            return None
        return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def grid_of(name, slices, frame, messages):
    """(the slices of one frame in order along the normal, IJKToLPS)"""
    first = slices[0]
    _check_alike(name, slices)
    rows, columns, origin = _plane(name, slices, messages)
    spacing = first.numbers(PIXEL_SPACING, 2)
    if spacing is None:
        spacing = np.ones(2)
        messages.append(f"{name} gives no pixel size: 1 mm was taken.")
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1] = rows * spacing[1], columns * spacing[0]
    if len(slices) == 1:
        choose_frame(name, 1, frame)
        thickness = next(
            (
                t[0]
                for t in (first.numbers(GAP, 1), first.numbers(THICKNESS, 1))
                if t is not None and t[0] > 0
            ),
            None,
        )
        if thickness is None:
            messages.append(f"{name} gives no slice thickness: 1 mm was taken.")
        lps[:3, 2], lps[:3, 3] = np.cross(rows, columns) * (thickness or 1.0), origin
        return slices, lps

    positions = np.array([_position(name, image) for image in slices])
    stacks = _stacks(name, slices, positions @ np.cross(rows, columns))
    chosen = choose_frame(name, len(stacks), frame)
    slices, positions = [slices[n] for n in stacks[chosen]], positions[stacks[chosen]]
    if len(slices) == 1:
        raise SuperResolutionError(
            f"All images of {name} lie at the same place: give one of its files."
        )
    step = _step(name, slices, positions, np.cross(rows, columns))
    lps[:3, 2], lps[:3, 3] = step, positions[0]
    return slices, lps


def _plane(name, slices, messages):
    """Unit vectors along a row and a column, and the position of the first slice, LPS."""
    orientation = slices[0].numbers(ORIENTATION, 6)
    origin = slices[0].numbers(POSITION, 3)
    if orientation is None or origin is None:
        if len(slices) > 1:
            raise SuperResolutionError(
                f"{name[0].upper()}{name[1:]} does not say where its slices lie: export it again as MR images, not as secondary captures."
            )
        messages.append(
            f"{name} does not say how the patient lies: the pixel grid was taken as it is, names such as axial may be wrong."
        )
        return np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), np.zeros(3)
    rows, columns = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(rows), np.linalg.norm(columns)
    if abs(np.array(lengths) - 1).max() > 0.01:
        raise SuperResolutionError(
            f"{name[0].upper()}{name[1:]} gives no usable slice direction: export it again."
        )
    return rows / lengths[0], columns / lengths[1], origin


def _check_alike(name, slices):
    """Raises SuperResolutionError where slices differ in size, pixel size or direction."""
    first = slices[0]
    for image in slices[1:]:
        if image.size != first.size:
            raise SuperResolutionError(
                f"The slices of {name} differ in size ({first.path.name} has {first.size[0]}×{first.size[1]} pixels, "
                f"{image.path.name} {image.size[0]}×{image.size[1]}): put only those of one volume into the folder."
            )
        for tag, count, what, tolerance in (
            (ORIENTATION, 6, "direction", 1e-3),
            (PIXEL_SPACING, 2, "pixel size", 1e-3),
        ):
            one, other = first.numbers(tag, count), image.numbers(tag, count)
            if (one is None) != (other is None) or (
                one is not None and np.abs(one - other).max() > tolerance
            ):
                raise SuperResolutionError(
                    f"The slices of {name} differ in their {what} ({first.path.name} and {image.path.name}), as in a localizer: "
                    "put only those of one volume into the folder."
                )


def _position(name, image):
    position = image.numbers(POSITION, 3)
    if position is None:
        raise SuperResolutionError(
            f"{image.path.name}, of {name}, does not say where it lies: export the series again."
        )
    return position


def _stacks(name, slices, heights):
    """Indices of the slices in order of height, one list for each image that every position holds."""
    order = sorted(range(len(slices)), key=lambda n: heights[n])
    places = [[order[0]]]
    for n in order[1:]:
        if heights[n] - heights[places[-1][0]] > DISTANCE_TOLERANCE:
            places.append([])
        places[-1].append(n)
    counts = {len(place) for place in places}
    if len(counts) > 1:
        raise SuperResolutionError(
            f"{name[0].upper()}{name[1:]} is not complete, or mixes volumes: some positions hold {min(counts)} "
            f"images, others {max(counts)}; put only the slices of one volume into the folder."
        )
    for place in places:
        place.sort(
            key=lambda n: (
                slices[n].numbers(NUMBER, 1) if slices[n].numbers(NUMBER, 1) is not None else [0]
            )[0]
        )
    return [list(stack) for stack in zip(*places)]


def _step(name, slices, positions, normal):
    """The way from one slice to the next, after making sure that all are that far apart, LPS."""
    gaps = np.diff(positions @ normal)
    usual = float(np.median(gaps))
    tolerance = DISTANCE_TOLERANCE * (1 + usual)
    widest = int(np.argmax(np.abs(gaps - usual)))
    if abs(gaps[widest] - usual) > tolerance:
        raise SuperResolutionError(
            f"A slice is missing from {name}, or the slices are not evenly spaced: {slices[widest].path.name} and "
            f"{slices[widest + 1].path.name} are {gaps[widest]:.4g} mm apart, others {usual:.4g} mm; export the whole series again."
        )
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    line = positions[0] + np.arange(len(positions))[:, None] * step
    if np.linalg.norm(positions - line, axis=1).max() > tolerance + 0.1 * usual:
        raise SuperResolutionError(
            f"The slices of {name} do not lie on a straight line: export the series again, without motion correction of single slices."
        )
    return step
