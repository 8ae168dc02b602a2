"""Texts about an input and a task: geometry, memory and time, messages of several parts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..core import geometry
from ..core.errors import SuperResolutionError
from ..core.messages import Message
from ..core.options import UpsamplingOptions
from ..core.progress import format_duration
from ..core.system import (
    RunEstimate,
    available_memory,
    estimate_grid_run,
    estimate_run,
    format_bytes,
)
from ..core.through_plane.grid import OutputGrid
from ..core.upsampling import spacing_messages
from .nodes import ijkToRAS, modalityMessages, sliceAxisOf
from .speeds import adaptationMegapixels, estimateSeconds, runsBetweenSlices

if TYPE_CHECKING:
    from ..core.models.card import ModelCard


def outputGrid(node: slicer.vtkMRMLVolumeNode, options: UpsamplingOptions) -> OutputGrid:
    """Plan the output of a volume node.

    Args:
        node: A volume that can be upsampled.
        options: Options with `isotropic` or `spacing`.

    Raises:
        SuperResolutionError: See `OutputGrid.plan`.
    """
    return OutputGrid.plan(ijkToRAS(node), node.GetImageData().GetDimensions(), options)


def describeGeometry(node: slicer.vtkMRMLVolumeNode, options: UpsamplingOptions) -> str:
    """Return two lines: the slice direction, and size and spacing before and after.

    Args:
        node: A volume that can be upsampled.
        options: The options, with a scale, or a grid that `outputGrid` can plan.
    """
    matrix = ijkToRAS(node)
    axis = sliceAxisOf(node, options.slice_axis)
    size, spacing = np.array(node.GetImageData().GetDimensions()), geometry.spacing(matrix)
    if options.has_output_grid:
        grid = outputGrid(node, options)
        newSize, newSpacing = np.array(grid.size), np.array(grid.spacing)
    else:
        factors = np.array(axis.factors(options.scale))
        newSize, newSpacing = size * factors, spacing / factors
    return "\n".join(
        [
            axis.description(matrix),
            _("{size} → {newSize} voxels, {newSpacing} mm").format(
                size=_product(size), newSize=_product(newSize), newSpacing=_product(newSpacing)
            ),
        ]
    )


def trainingMessages(
    node: slicer.vtkMRMLVolumeNode, sliceAxis: str, cards: Iterable[ModelCard]
) -> list[Message]:
    """Return warnings about a modality or slices that models were not trained on."""
    return [
        *modalityMessages(node),
        *spacing_messages(ijkToRAS(node), sliceAxisOf(node, sliceAxis), cards),
    ]


def describeEstimate(
    nodes: Sequence[slicer.vtkMRMLVolumeNode],
    options: UpsamplingOptions,
    card: ModelCard | None,
    betweenCard: ModelCard | None = None,
    isCold: bool = False,
    availableMemory: Callable[[], int | None] = available_memory,
) -> tuple[str, str]:
    """Return a line about size, memory and time, and a warning or an empty text.

    Args:
        nodes: Volumes that can be upsampled; frames of a sequence repeat their volume.
        options: The options, with a scale or a grid.
        card: The card of the in-plane network; None for an interpolation method.
        betweenCard: The card of the network between slices, of which only a grid makes use; None
            for an interpolation.
        isCold: True if the worker process must be started.
        availableMemory: Returns the available memory in bytes, or None if it is unknown.
    """
    try:
        estimate, inPlane = _estimate(nodes, options)
    except SuperResolutionError as error:
        return "", str(error)
    available = availableMemory()
    line = _("Output: {size}").format(size=format_bytes(estimate.output_bytes))
    if options.has_output_grid and len(set(nodes)) == 1:
        line += _(" ({voxels} voxels)").format(
            voxels=_product(np.array(outputGrid(nodes[0], options).size))
        )
    works = [(card, inPlane)] if card is not None and inPlane else []
    if options.has_output_grid and betweenCard is not None:
        work = _workBetweenSlices(nodes, options)
        works += [(betweenCard, work)] if work else []
    seconds = estimateSeconds(works, options, isCold)
    if seconds is not None:
        line += _(", about {time}").format(time=_duration(*seconds))
    if estimate.fits(available):
        return line, ""
    return line, _(
        "Needs about {needed} of memory; {available} is available. "
        "Close other applications, crop the volume or choose {smaller}."
    ).format(
        needed=format_bytes(estimate.peak_bytes),
        available=format_bytes(available),
        smaller=_("a larger spacing") if options.has_output_grid else _("a smaller scale"),
    )


def _estimate(
    nodes: Sequence[slicer.vtkMRMLVolumeNode], options: UpsamplingOptions
) -> tuple[RunEstimate, float]:
    """Return size and memory, and the megapixels that are upsampled in-plane.

    Raises:
        SuperResolutionError: A requested grid is not possible.
    """
    inputs = {
        node: (node.GetImageData().GetDimensions(), node.GetImageData().GetScalarSize())
        for node in set(nodes)
    }
    if options.has_output_grid:
        grids = {node: outputGrid(node, options) for node in inputs}
        pixels = [math.prod(inputs[node][0]) * (grids[node].scale or 0) ** 2 for node in nodes]
        estimate = estimate_grid_run([(*inputs[node], grids[node].size) for node in nodes])
        return estimate, sum(pixels) / 1e6
    axes = {node: sliceAxisOf(node, options.slice_axis) for node in inputs}
    estimate = estimate_run([(*inputs[node], axes[node]) for node in nodes], options.scale)
    return estimate, estimate.megapixels


def _workBetweenSlices(
    nodes: Sequence[slicer.vtkMRMLVolumeNode], options: UpsamplingOptions
) -> float:
    """Return the megapixels of the network between slices, as `estimateSeconds` expects them."""
    megapixels = 0.0
    for node, count in Counter(nodes).items():
        grid = outputGrid(node, options)
        if grid.slices > node.GetImageData().GetDimensions()[grid.axis.index]:
            voxels = math.prod(grid.size) / 1e6
            work = voxels * runsBetweenSlices(options) + adaptationMegapixels(options)
            megapixels += count * work
    return megapixels


def mergedMessages(parts: list[tuple[str, list[Message]]]) -> list[Message]:
    """Merge the messages of all parts of a task, each kind once.

    Messages are of one kind if they have the same level, code and order within their part. The text
    of a kind that some parts lack says where it occurred.

    Args:
        parts: (name of the part, messages) for every part.
    """
    found: dict[tuple[str, str, int], list[tuple[str, Message]]] = {}
    for part, messages in parts:
        ranks: dict[tuple[str, str], int] = {}
        for message in messages:
            kind = (message.level, message.code)
            ranks[kind] = ranks.get(kind, 0) + 1
            found.setdefault((*kind, ranks[kind]), []).append((part, message))
    merged = []
    for occurrences in found.values():
        part, message = occurrences[0]
        text = message.text
        if len(occurrences) < len(parts):
            others = len(occurrences) - 1
            where = _("{part} and {n} more").format(part=part, n=others) if others else part
            text = f"{where}: {text}" if where else text
        merged.append(Message(message.level, message.code, text))
    return merged


def _duration(low: float, high: float) -> str:
    """Return an estimated duration as "12 s", or a range as "3–12 s"."""
    first, last = (format_duration(max(1, seconds)) for seconds in (low, high))
    if first == last:
        return first
    return f"{first.removesuffix(' s') if high < 59.5 else first}–{last}"


def _product(numbers: np.ndarray) -> str:
    return " × ".join(
        f"{number:.3g}" if number != int(number) else str(int(number)) for number in numbers
    )
