"""Maps of what is invented: where a method departs from the input, from the truth, or from the faithful model of its pair."""

import itertools
from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from ...core.comparison import maps
from ..output_nodes import ATTRIBUTE_PREFIX, fillVolume, removeNode
from ..volume_nodes import ijkToRAS
from . import nodes as nodes

LEGEND = "vtkMRMLColorLegendDisplayNode"
ERROR, CONSISTENCY, INVENTED = "error", "consistency", "invented"
PERCENTILE = 99.5
"""Of all voxels of all maps of a kind, the brightest color: a single outlier must not darken everything else."""

STEP_VOXELS = 2**21
"""So many voxels of a result are looked at in one step: about a tenth of a second."""
SAMPLES = 200_000
"""Voxels of each map that are looked at for it."""

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
"""The color map of matplotlib, coarsely: black where nothing differs, and lightness grows evenly with the difference."""


KIND = ATTRIBUTE_PREFIX + "Map"
"""Attribute of a map node: which kind it is."""


@dataclass(frozen=True)
class MapKind:
    """title: what is subtracted from what; name: part of the names of the nodes; help: what it is good for."""

    key: str
    title: str
    name: str
    help: str


def mapKinds(comparison):
    """The kinds of maps that a comparison can show. comparison: ComparisonNodes."""
    kinds = []
    if comparison.reference is not None:
        kinds.append(
            MapKind(
                ERROR, _("|SR − reference|"), _("error"), _("How far each voxel is from the truth")
            )
        )
    if comparison.low is not None:
        kinds.append(
            MapKind(
                CONSISTENCY,
                _("|degraded(SR) − input|"),
                _("inconsistency"),
                _(
                    "Where a result, shrunk again, disagrees with what was put in: no true image could look like this"
                ),
            )
        )
    if _partners(comparison):
        kinds.append(
            MapKind(
                INVENTED,
                _("|GAN − PSNR|"),
                _("invention"),
                _(
                    "What the GAN model has added to the faithful model of its pair: sharp, and perhaps invented"
                ),
            )
        )
    return kinds


class ComparisonMaps:
    """Makes the maps of a comparison when they are asked for, and keeps them."""

    def __init__(self, comparison):
        self._comparison = comparison

    def found(self, kind):
        """{method: map node} of a kind, as far as they are in the scene."""
        found = {
            node.GetAttribute(ATTRIBUTE_PREFIX + "Model"): node
            for node in self._comparison.nodes(nodes.MAP)
            if node.GetAttribute(KIND) == kind
        }
        return {method: found[method] for method in self._comparison.outputs if method in found}

    def steps(self, kind):
        """Makes what is missing of a kind in short steps, so that the application can stay alive in between. Yields (maps done, total)."""
        methods = [
            method
            for method in self._comparison.outputs
            if kind != INVENTED or method in _partners(self._comparison)
        ]
        for number, method in enumerate(methods):
            yield number, len(methods)
            if method not in self.found(kind):
                for _slab in self._add(kind, method):
                    yield number, len(methods)
        self._showAlike(kind)
        yield len(methods), len(methods)

    def make(self, kind):
        """All maps of a kind at once, {method: node}."""
        for _step in self.steps(kind):
            pass
        return self.found(kind)

    def updateLegends(self):
        """Shows the legends of those maps that are shown: the views do not notice by themselves when a script puts a volume into them."""
        legends = {}
        for node in self._comparison.nodes(nodes.MAP):
            legends[node.GetID()] = [
                node.GetNthDisplayNode(n)
                for n in range(node.GetNumberOfDisplayNodes())
                if node.GetNthDisplayNode(n).IsA(LEGEND)
            ]
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if composite.GetForegroundVolumeID() in legends:
                flags = composite.GetInteractionFlags()
                composite.SetInteractionFlags(
                    composite.ForegroundVolumeFlag
                )  # a view makes the legends that it lacks, as when the user had chosen it
                composite.Modified()
                composite.SetInteractionFlags(flags)
        for legend in itertools.chain.from_iterable(legends.values()):
            legend.Modified()

    def _add(self, kind, method):
        """Adds nothing where a node that is needed has been deleted meanwhile. Yields between two slabs."""
        comparison = self._comparison
        output, other = self._sources(kind, method)
        if output is None or other is None:
            return
        array, against = slicer.util.arrayFromVolume(output), slicer.util.arrayFromVolume(other)
        difference = np.empty(against.shape, np.float32)
        slabs = _slabs(array.shape, comparison.axis.numpy_axis)
        for n, slab in enumerate(slabs):
            if n:
                yield
            if kind == CONSISTENCY:
                difference[slab] = maps.consistency_map(
                    array[slab],
                    against[slab],
                    comparison.axis,
                    comparison.job.scale,
                    comparison.job.degradation,
                )
            else:
                difference[slab] = maps.difference_map(array[slab], against[slab])
        if self._sources(kind, method) == (output, other):
            self._addNode(kind, method, output, other, difference)

    def _sources(self, kind, method):
        """(what is looked at, what it is compared with): volume nodes, or None where they are gone."""
        comparison = self._comparison
        others = {
            ERROR: comparison.reference,
            CONSISTENCY: comparison.low,
            INVENTED: _partners(comparison).get(method),
        }
        return comparison.outputs.get(method), others[kind]

    def _addNode(self, kind, method, output, other, difference):
        described = next(known for known in mapKinds(self._comparison) if known.key == kind)
        node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLScalarVolumeNode",
            slicer.mrmlScene.GenerateUniqueName(f"{output.GetName()} {described.name}"),
        )
        try:
            fillVolume(
                node,
                output,
                difference,
                ijkToRAS(other),
                other.GetParentTransformNode(),
                vtk.VTK_FLOAT,
            )
            node.SetAttribute(ATTRIBUTE_PREFIX + "Model", method)
            node.SetAttribute(KIND, kind)
            _color(node, self._colors(), described.name)
            self._comparison.add(nodes.MAP, node)
        except Exception:
            removeNode(node)
            raise

    def _colors(self):
        """The color table of all maps of the comparison."""
        colors = next(iter(self._comparison.nodes(nodes.COLORS)), None)
        if colors is None:
            colors = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", _("Differences"))
            fillColors(colors)
            self._comparison.add(nodes.COLORS, colors)
        return colors

    def _showAlike(self, kind):
        """The same colors for the same differences in all maps of a kind."""
        found = self.found(kind).values()
        samples = [slicer.util.arrayFromVolume(node).ravel() for node in found]
        samples = [sample[:: max(1, len(sample) // SAMPLES)] for sample in samples]
        brightest = float(np.percentile(np.concatenate(samples), PERCENTILE)) if samples else 0
        for node in found:
            node.GetDisplayNode().SetWindowLevel(brightest or 1, (brightest or 1) / 2)


def _slabs(shape, axis):
    """Indices of slices of a volume (k, j, i), so many together that a step is short."""
    count = max(1, STEP_VOXELS // (int(np.prod(shape)) // shape[axis]))
    return [
        (slice(None),) * axis + (slice(start, start + count),)
        for start in range(0, shape[axis], count)
    ]


def _partners(comparison):
    """{method: node of the PSNR model from which it departs}, where both are there."""
    outputs = comparison.outputs
    partners = {
        method: outputs.get(node.GetAttribute(nodes.PARTNER)) for method, node in outputs.items()
    }
    return {method: node for method, node in partners.items() if node is not None}


def fillColors(node):
    """Gives a color table node the colors from black to bright yellow."""
    places = np.linspace(0, 1, 256)
    red, green, blue = (
        np.interp(places, np.linspace(0, 1, len(INFERNO)), channel) for channel in zip(*INFERNO)
    )
    node.SetTypeToUser()
    node.SetNumberOfColors(256)
    for n, color in enumerate(zip(red, green, blue)):
        node.SetColor(n, str(n), *color)


def _color(node, colors, title):
    """Colors a map, and gives it a legend. title: without | signs, at which VTK would break it."""
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
