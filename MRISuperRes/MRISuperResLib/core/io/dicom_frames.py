"""Frames of a DICOM series: volumes whose images share their positions.

Images belong to a frame by the attributes of their acquisition. Numbers of images decide only
where all these attributes are equal.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..errors import SuperResolutionError
from ..messages import Message, info
from .checks import ChoiceError, choose_frame
from .dicom_file import Slice, separation_advice

_Value = tuple[int, float, str]
"""Comparable value: (0, 0, "") if it is missing, (1, number, "") or (2, 0, text)."""


@dataclass(frozen=True)
class _Attribute:
    """Attribute that distinguishes the frames of a series.

    Attributes:
        label: Name and, after a comma, unit, for messages.
        read: Returns its text; "" if it is missing.
        tolerance: Relative rounding of a number.
        may_count: True if it may differ from position to position within one volume.
        may_divide: True if the positions of one volume may be divided among a few values.
        is_strict: False if volumes may mix it.
    """

    label: str
    read: Callable[[Slice], str]
    tolerance: float = 1e-3
    may_count: bool = False
    may_divide: bool = False
    is_strict: bool = True


def _public(keyword: str) -> Callable[[Slice], str]:
    return lambda image: image.text(keyword)


def _b_value(image: Slice) -> str:
    """Return the b-value, s/mm²."""
    for text in (
        image.text("DiffusionBValue"),
        image.private_text(0x0019, "SIEMENS MR HEADER", 0x0C),
        image.private_text(0x2001, "Philips Imaging DD 001", 0x03),
    ):
        if text:
            return text
    text = image.private_text(0x0043, "GEMS_PARM_01", 0x39).split("\\")[0]
    number = _number(text)
    return text if number is None else f"{number % 1e6:g}"  # GE adds multiples of 10^9


def _gradient(image: Slice) -> str:
    """Return the direction of the diffusion gradient with two decimals."""
    text = image.text("DiffusionGradientOrientation") or image.private_text(
        0x0019, "SIEMENS MR HEADER", 0x0E
    )
    numbers = [_number(part) for part in text.split("\\")]
    return "\\".join(
        part if number is None else f"{round(number, 2) + 0.0:g}"
        for part, number in zip(text.split("\\"), numbers, strict=True)
    )


def _dimension(number: int) -> Callable[[Slice], str]:
    """Return the reader of an index of an enhanced image; indices of the slice differ by place."""

    def read(image: Slice) -> str:
        values = image.text("DimensionIndexValues").split("\\")
        return values[number] if number < len(values) else ""

    return read


DIMENSIONS = 8
"""Largest number of indices that are compared."""
ATTRIBUTES = (
    _Attribute("image type", _public("ImageType")),
    _Attribute("image component", _public("ComplexImageComponent")),
    _Attribute("image component", lambda image: image.private_text(0x0043, "GEMS_PARM_01", 0x2F)),
    _Attribute("scanning sequence", _public("ScanningSequence")),
    _Attribute("sequence variant", _public("SequenceVariant")),
    _Attribute("scan options", _public("ScanOptions")),
    _Attribute("echo time, ms", _public("EchoTime")),
    _Attribute("echo time, ms", _public("EffectiveEchoTime")),
    _Attribute("echo number", _public("EchoNumbers")),
    _Attribute("inversion time, ms", _public("InversionTime"), 0.02),
    _Attribute("flip angle, degrees", _public("FlipAngle"), 0.01),
    _Attribute("repetition time, ms", _public("RepetitionTime"), 0.2, may_count=True),
    _Attribute("b-value, s/mm²", _b_value),
    _Attribute("diffusion direction", _gradient),
    _Attribute("diffusion type", _public("DiffusionDirectionality")),
    _Attribute("spin labeling", _public("ASLContext")),
    _Attribute("velocity encoding", _public("VelocityEncodingDirection")),
    _Attribute("sequence name", _public("SequenceName")),
    _Attribute("temporal position", _public("TemporalPositionIdentifier")),
    _Attribute("stack", _public("StackID")),
    _Attribute("convolution kernel", _public("ConvolutionKernel")),
    _Attribute("tube voltage, kV", _public("KVP")),
    _Attribute("coil", _public("ReceiveCoilName"), is_strict=False),
    _Attribute(
        "acquisition number", _public("AcquisitionNumber"), 0.0, may_count=True, may_divide=True
    ),
    *(
        _Attribute(f"dimension {number + 1}", _dimension(number), is_strict=False)
        for number in range(DIMENSIONS)
    ),
)
"""In the order in which they sort frames."""
TRIGGER_TIME = "trigger time"
COUNTERS = (
    (TRIGGER_TIME, _public("TriggerTime")),
    ("instance number", _public("InstanceNumber")),
)
"""Attributes that order images where all others are equal."""


def choose_images(
    name: str,
    slices: Sequence[Slice],
    places: Sequence[Sequence[int]],
    frame: int | None,
    messages: list[Message],
) -> list[int]:
    """Return the images of one frame.

    Args:
        name: Name of the series, for errors.
        slices: All images.
        places: Indices of the images at each position; the same number at each.
        frame: Index of the frame; None for only one.
        messages: Receives messages about the chosen frame and divided acquisitions.

    Returns:
        Index of the image at each position.

    Raises:
        SuperResolutionError: Images of different kinds cannot be told apart, or the frame is not
            given or does not exist.
    """
    count = len(places[0])
    varying = [
        (attribute.label, values)
        for attribute in ATTRIBUTES
        if (values := _distinguishing(name, attribute, slices, places, messages)) is not None
    ]
    frames: dict[tuple[_Value, ...], list[list[int]]] = {}
    for place in places:
        groups: dict[tuple[_Value, ...], list[int]] = {}
        for n in place:
            groups.setdefault(tuple(values[n] for _, values in varying), []).append(n)
        for key, group in groups.items():
            frames.setdefault(key, []).append(group)
    labels = [label for label, _ in varying]
    for found in frames.values():
        if len(found) < len(places) or len({len(group) for group in found}) > 1:
            raise SuperResolutionError(
                f"{name} mixes volumes: its positions hold different combinations of "
                f"{_listed(labels)}. {separation_advice(slices)}"
            )
    order, stacks = list(labels), list[list[int]]()
    for key in sorted(frames):
        found = frames[key]
        if len(found[0]) > 1:
            counter, found = _counted(name, slices, found)
            order.append(counter)
        stacks += [list(stack) for stack in zip(*found, strict=True)]
    if frame is None and count > 1:
        state = f"{name} holds {count} frames (0 to {count - 1}), in order of {_listed(order)}."
        raise ChoiceError(state, "frame", count)
    number = choose_frame(name, count, frame)
    if count > 1:
        first = stacks[number][0]
        described = ", ".join(
            f"{_label(a.label)} {a.read(slices[first])}{_unit(a.label)}".replace("\\", "/")
            for a in ATTRIBUTES
            if a.label in labels and a.read(slices[first])
        )
        text = f"Frame {number} of {count}, in order of {_listed(order)}"
        messages.append(info("series", f"{text}: {described}." if described else f"{text}."))
    return stacks[number]


def _distinguishing(
    name: str,
    attribute: _Attribute,
    slices: Sequence[Slice],
    places: Sequence[Sequence[int]],
    messages: list[Message],
) -> list[_Value] | None:
    """Return the value of each image if frames differ in the attribute, else None.

    Raises:
        SuperResolutionError: The attribute differs between positions.
    """
    texts = [attribute.read(image) for image in slices]
    values = _rounded(texts, attribute.tolerance)
    if len(set(values)) == 1:
        return None
    contents = [Counter(values[n] for n in place) for place in places]
    if all(content == contents[0] for content in contents):
        return values
    is_counter = sum(map(len, contents)) == len(set(values))
    if not attribute.is_strict or (attribute.may_count and is_counter):
        return None
    if attribute.may_divide and all(len(content) == 1 for content in contents):
        text = f"The slices of {name} were acquired in {len(set(values))} parts"
        messages.append(info("series", f"{text} ({attribute.label}), which form one volume."))
        return None
    here = sorted(places[0], key=values.__getitem__)
    other = next(k for k, content in enumerate(contents) if content != contents[0])
    there = sorted(places[other], key=values.__getitem__)
    differing = next((n, m) for n, m in zip(here, there, strict=True) if values[n] != values[m])
    pair = " and ".join(
        f"{slices[index].name}: {texts[index] or 'none'}".replace("\\", "/") for index in differing
    )
    raise SuperResolutionError(
        f"{name} mixes volumes: its slices differ in their {_label(attribute.label)} ({pair}"
        f"{_unit(attribute.label)}). {separation_advice(slices)}"
    )


def _rounded(texts: Sequence[str], tolerance: float) -> list[_Value]:
    """Return comparable values, in which near numbers are equal."""
    numbers = {text: number for text in texts if (number := _number(text)) is not None}
    near: dict[float, float] = {}
    last = first = math.nan
    for number in sorted(set(numbers.values())):
        if not number - last <= tolerance * abs(number):
            first = number
        near[number], last = first, number
    return [
        (1, near[numbers[text]], "") if text in numbers else (2 if text else 0, 0.0, text)
        for text in texts
    ]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _counted(
    name: str, slices: Sequence[Slice], groups: Sequence[Sequence[int]]
) -> tuple[str, list[list[int]]]:
    """Order the images at each position by a number that counts frames or positions."""
    for label, read in COUNTERS:
        numbers = {n: _number(read(slices[n])) for group in groups for n in group}
        known = {n: number for n, number in numbers.items() if number is not None}
        if len(known) < len(numbers):
            continue
        ordered = [sorted(group, key=known.__getitem__) for group in groups]
        counts = [[known[n] for n in group] for group in ordered]
        if any(len(set(group)) < len(group) for group in counts):
            continue
        if label == TRIGGER_TIME or _follow(counts) or _follow([*zip(*counts, strict=True)]):
            return label, ordered
    count = len(groups[0])
    files = " and ".join(slices[n].name for n in groups[0][:2])
    raise SuperResolutionError(
        f"{name} holds {count} images at each position that cannot be told apart ({files}). "
        f"{separation_advice(slices)}"
    )


def _follow(blocks: Sequence[Sequence[float]]) -> bool:
    """Return True if no two blocks overlap."""
    ends = sorted((min(block), max(block)) for block in blocks)
    return all(one[1] < other[0] for one, other in pairwise(ends))


def _label(label: str) -> str:
    return label.split(",")[0]


def _unit(label: str) -> str:
    return f" {label.split(', ')[1]}" if "," in label else ""


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(map(_label, labels)))
