"""Difference maps: outputs against reference, input, or the PSNR model of their pair."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from ...core.geometry import SliceAxis
from ...core.resampling import difference_map, inconsistency_map
from ...core.volume import Volume
from ..nodes import (
    ATTRIBUTE_PREFIX,
    addTemporaryNode,
    fillVolume,
    ijkToRAS,
    imageSteps,
    removeNode,
)
from ..steps import finish
from . import nodes
from .nodes import ComparisonNodes

LEGEND = "vtkMRMLColorLegendDisplayNode"
ERROR, CONSISTENCY, HALLUCINATION = "error", "consistency", "hallucination"
PERCENTILE = 99.5
"""Percentile of all maps of a kind that gets the brightest color, so that outliers do not darken
the rest."""

STEP_VOXELS = 2**21
"""Voxels per step, which takes about 0.1 s."""
SAMPLES = 200_000
"""Voxels of each map from which the percentile is estimated."""

INFERNO = (
    (0.001, 0.000, 0.014),
    (0.088, 0.045, 0.225),
    (0.258, 0.039, 0.406),
    (0.416, 0.090, 0.433),
    (0.578, 0.148, 0.404),
    (0.736, 0.216, 0.330),
    (0.865, 0.317, 0.226),
    (0.955, 0.454, 0.099),
    (0.988, 0.616, 0.024),
    (0.966, 0.798, 0.166),
    (0.988, 0.998, 0.645),
)
"""Samples of matplotlib's color map inferno: lightness grows evenly from black."""

KIND = ATTRIBUTE_PREFIX + "Map"
"""Attribute of a map node: the key of its kind."""


@dataclass(frozen=True)
class MapKind:
    """A kind of difference map.

    Attributes:
        key: Identifier.
        title: Formula, for a list.
        name: Noun, for node names and legends.
        help: One sentence for a tooltip.
    """

    key: str
    title: str
    name: str
    help: str


def mapKinds(comparison: ComparisonNodes) -> list[MapKind]:
    """Return the kinds of maps that are possible for a comparison."""
    kinds = []
    if comparison.reference is not None:
        kinds.append(
            MapKind(
                ERROR, _("|SR − reference|"), _("error"), _("Absolute error against the reference")
            )
        )
    if comparison.low is not None:
        kinds.append(
            MapKind(
                CONSISTENCY,
                _("|degraded(SR) − input|"),
                _("inconsistency"),
                _("Inconsistency with the input after degradation"),
            )
        )
    if _partners(comparison):
        kinds.append(
            MapKind(
                HALLUCINATION,
                _("|GAN − PSNR|"),
                _("added detail"),
                _("Detail added by the GAN model, possibly hallucinated"),
            )
        )
    return kinds


class ComparisonMaps:
    """Maps of a comparison, computed on demand and kept in the scene."""

    def __init__(self, comparison: ComparisonNodes) -> None:
        self._comparison = comparison

    def found(self, kind: str) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
        """Return the existing maps of a kind by method name."""
        found = {
            node.GetAttribute(ATTRIBUTE_PREFIX + "Model"): node
            for node in self._comparison.nodes(nodes.MAP)
            if node.GetAttribute(KIND) == kind
        }
        return {method: found[method] for method in self._comparison.outputs if method in found}

    def steps(self, kind: str) -> Iterator[tuple[int, int]]:
        """Compute the missing maps of a kind in short steps, so that the application can respond.

        Yields:
            (number of finished maps, number of maps).
        """
        methods = [
            method
            for method in self._comparison.outputs
            if kind != HALLUCINATION or method in _partners(self._comparison)
        ]
        for number, method in enumerate(methods):
            yield number, len(methods)
            if method not in self.found(kind):
                for _slab in self._add(kind, method):
                    yield number, len(methods)
        self._showAlike(kind)
        yield len(methods), len(methods)

    def make(self, kind: str) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
        """Compute all maps of a kind, and return them by method name."""
        for _step in self.steps(kind):
            pass
        return self.found(kind)

    def _add(self, kind, method):
        """Add a map, unless a node that it needs was deleted; yield between slabs."""
        comparison = self._comparison
        output, other = self._sources(kind, method)
        if output is None or other is None:
            return
        compute = (
            partial(
                inconsistency_map,
                axis=comparison.axis,
                scale=comparison.options.scale,
                degradation=comparison.options.degradation,
            )
            if kind == CONSISTENCY
            else difference_map
        )
        arrays = slicer.util.arrayFromVolume(output), slicer.util.arrayFromVolume(other)
        difference = yield from differenceSteps(compute, *arrays, comparison.axis)
        if self._sources(kind, method) == (output, other):
            self._addNode(kind, method, output, other, difference)

    def _sources(self, kind, method):
        """Return the output and the volume to subtract; None for a deleted node."""
        comparison = self._comparison
        others = {
            ERROR: comparison.reference,
            CONSISTENCY: comparison.low,
            HALLUCINATION: _partners(comparison).get(method),
        }
        return comparison.outputs.get(method), others[kind]

    def _addNode(self, kind, method, output, other, difference):
        described = next(known for known in mapKinds(self._comparison) if known.key == kind)
        name = f"{output.GetName()} {described.name}"
        node = addMap(name, described.name, output, other, difference, self._colors())
        node.SetAttribute(ATTRIBUTE_PREFIX + "Model", method)
        node.SetAttribute(KIND, kind)
        self._comparison.add(nodes.MAP, node)

    def _colors(self):
        """Return the color table of all maps of the comparison."""
        colors = next(iter(self._comparison.nodes(nodes.COLORS)), None)
        if colors is None:
            colors = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", _("Differences"))
            fillColors(colors)
            self._comparison.add(nodes.COLORS, colors)
        return colors

    def _showAlike(self, kind):
        """Set the same window and level for all maps of a kind."""
        found = self.found(kind).values()
        brightest = brightestOf(found)
        for node in found:
            node.GetDisplayNode().SetWindowLevel(brightest or 1, (brightest or 1) / 2)


def differenceSteps(
    compute: Callable[[np.ndarray, np.ndarray], np.ndarray],
    array: np.ndarray,
    against: np.ndarray,
    axis: SliceAxis,
) -> Generator[None, None, np.ndarray]:
    """Compute a difference in slabs of about `STEP_VOXELS`, and yield between them.

    Args:
        compute: Returns the difference of a slab (k, j, i) of both volumes, float32.
        array: The output (k, j, i).
        against: The volume to subtract, with the same slices (k, j, i).
        axis: Slice direction.

    Returns:
        The difference, float32, the shape of `against`.
    """
    difference = np.empty(against.shape, np.float32)
    slices = array.shape[axis.numpy_axis]
    count = max(1, STEP_VOXELS * slices // array.size)
    for start in range(0, slices, count):
        if start:
            yield
        slab = (slice(None),) * axis.numpy_axis + (slice(start, start + count),)
        difference[slab] = compute(array[slab], against[slab])
    return difference


def addMap(
    name: str,
    title: str,
    output: slicer.vtkMRMLScalarVolumeNode,
    grid: slicer.vtkMRMLScalarVolumeNode,
    difference: np.ndarray,
    colors: slicer.vtkMRMLColorTableNode,
    isTemporary: bool = False,
) -> slicer.vtkMRMLScalarVolumeNode:
    """Add a map to the scene; if that fails, the scene stays as it was.

    Args:
        name: Name of the node, made unique.
        title: Title of the legend; it must not contain |, where VTK would split it.
        output: The output that the map is about.
        grid: The volume on whose voxel grid the map lies.
        difference: The map, float32 (k, j, i).
        colors: Its color table, see `fillColors`.
        isTemporary: Hide the map from node lists, and do not save it with the scene.
    """
    add = addTemporaryNode if isTemporary else slicer.mrmlScene.AddNewNodeByClass
    node = add("vtkMRMLScalarVolumeNode", slicer.mrmlScene.GenerateUniqueName(name))
    try:
        volume = Volume(difference, ijkToRAS(grid))
        image = finish(imageSteps(difference, vtk.VTK_FLOAT))
        fillVolume(node, output, volume, grid.GetParentTransformNode(), image)
        _color(node, colors, title)
        for n in range(node.GetNumberOfDisplayNodes()):
            node.GetNthDisplayNode(n).SetSaveWithScene(not isTemporary)
    except Exception:
        removeNode(node)
        raise
    return node


def brightestOf(maps: Iterable[slicer.vtkMRMLScalarVolumeNode]) -> float:
    """Return the value that gets the brightest color in all these maps; 0 without any."""
    samples = [slicer.util.arrayFromVolume(node).ravel() for node in maps]
    samples = [sample[:: max(1, len(sample) // SAMPLES)] for sample in samples]
    return float(np.percentile(np.concatenate(samples), PERCENTILE)) if samples else 0.0


def updateLegends(maps: Iterable[slicer.vtkMRMLVolumeNode]) -> None:
    """Update the legends of maps: views do not react to volumes that a script sets."""
    shown = {node.GetID(): node for node in maps}
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        if composite.GetForegroundVolumeID() in shown:
            flags = composite.GetInteractionFlags()
            # imitates a choice by the user, after which the view creates missing legends
            composite.SetInteractionFlags(composite.ForegroundVolumeFlag)
            composite.Modified()
            composite.SetInteractionFlags(flags)
    for node in shown.values():
        for n in range(node.GetNumberOfDisplayNodes()):
            if node.GetNthDisplayNode(n).IsA(LEGEND):
                node.GetNthDisplayNode(n).Modified()


def _partners(comparison):
    """Return {method: output of the PSNR model of its pair}, if both exist."""
    outputs = comparison.outputs
    partners = {
        method: outputs.get(node.GetAttribute(nodes.PARTNER)) for method, node in outputs.items()
    }
    return {method: node for method, node in partners.items() if node is not None}


def fillColors(node: slicer.vtkMRMLColorTableNode) -> None:
    """Set the colors of a color table node, from black to bright yellow."""
    places = np.linspace(0, 1, 256)
    red, green, blue = (
        np.interp(places, np.linspace(0, 1, len(INFERNO)), channel) for channel in zip(*INFERNO)
    )
    node.SetTypeToUser()
    node.SetNumberOfColors(256)
    for n, color in enumerate(zip(red, green, blue)):
        node.SetColor(n, str(n), *color)


def _color(node, colors, title):
    """Set colors and legend of a map."""
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(colors.GetID())
    display.SetAutoWindowLevel(False)
    display.SetApplyThreshold(False)
    display.SetInterpolate(False)
    legend = slicer.mrmlScene.AddNewNodeByClass(LEGEND, title)
    legend.SetAndObservePrimaryDisplayNode(display)
    legend.SetTitleText(title)
    legend.SetLabelFormat("%.3g")
    legend.SetNumberOfLabels(3)
    legend.SetSize(0.1, 0.4)
    node.AddAndObserveDisplayNodeID(legend.GetID())
