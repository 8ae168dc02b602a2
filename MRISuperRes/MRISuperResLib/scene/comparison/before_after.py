"""Input and output of a run: found in the scene, with the consistency map of the output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import slicer
from slicer.i18n import tr as _

from ...core.geometry import VOXEL_AXES, SliceAxis, choose_reformat_axis, upsampled_ijk_to_ras
from ...core.masking import fill_values, missing_voxels
from ...core.options import SCALES
from ...core.resampling import inconsistency_map
from ...core.slice_profile import slice_centers
from ...core.through_plane.thick_slices import ThickSlices
from ..nodes import ATTRIBUTE_PREFIX, addTemporaryNode, ijkToRAS, removeNode
from ..output_names import outputKind
from ..sequences import sequenceOf, shownVolume
from .maps import addMap, brightestOf, differenceSteps, fillColors

DEGRADATION = "bicubic"
"""Degradation of the output for the map, as in back-projection."""
MIN_BRIGHTEST = 1.0
"""Smallest inconsistency, in percent, that gets the brightest color: rounding stays dark."""


@dataclass(frozen=True)
class UpsampledPair:
    """Input and output of a run, both in the scene when they were found.

    Attributes:
        inputId, outputId: IDs of the volume nodes; of a sequence, those that show its frames.
        model: Name of the model.
        kind: What was requested: "×2", "isotropic" or "0.5 mm".
        axis: Slice direction.
        factors: Voxels of the output per voxel of the input along i, j and k.
        coverage: Slice thickness, as a part of the slice spacing; None if the output is no finer
            than the input between slices.
        intensityRange: (low, high) of the intensities that the run normalized to 0 and 1.
    """

    inputId: str
    outputId: str
    model: str
    kind: str
    axis: SliceAxis
    factors: tuple[float, ...]
    coverage: float | None
    intensityRange: tuple[float, float]

    @classmethod
    def of(
        cls, inputVolume: slicer.vtkMRMLScalarVolumeNode | None, result: slicer.vtkMRMLNode | None
    ) -> Self | None:
        """Return the pair of a volume and an output, a volume or a sequence.

        None if either is missing, or if the output does not occupy exactly the space of the input
        on an upsampled grid: another node may have the recorded ID.
        """
        output = shownVolume(result)
        record = result.GetAttribute(ATTRIBUTE_PREFIX + "Provenance") if result else None
        if not record or not all(map(_hasVoxels, (inputVolume, output))):
            return None
        try:
            values = json.loads(record)
            slices, intensity = values["slices"], values["intensity"]
            axis = SliceAxis(VOXEL_AXES.index(slices["axis"]), slices["plane"], slices["reason"])
            isGrid = "factors" in values
            thickness = values.get("slice_thickness")
            pair = cls(
                inputVolume.GetID(),
                output.GetID(),
                values["model"]["name"],
                outputKind(values) if isGrid else "×{}".format(values["scale"]),
                axis,
                tuple(values["factors"]) if isGrid else axis.factors(values["scale"]),
                thickness / values["input"]["spacing"][axis.index] if thickness else None,
                (intensity["low"], intensity["high"]),
            )
        except (KeyError, TypeError, ValueError):  # of another version
            return None
        return pair if pair.isAligned else None

    @classmethod
    def newestOf(cls, inputVolume: slicer.vtkMRMLScalarVolumeNode | None) -> Self | None:
        """Return the pair of a volume and its newest output in the scene, if any."""
        sources = {
            node.GetID() for node in (inputVolume, sequenceOf(inputVolume)) if node is not None
        }
        results = [
            node
            for className in ("vtkMRMLScalarVolumeNode", "vtkMRMLSequenceNode")
            for node in slicer.util.getNodesByClass(className)
            if node.GetAttribute(ATTRIBUTE_PREFIX + "InputID") in sources
        ]
        results.sort(key=lambda node: node.GetAttribute(ATTRIBUTE_PREFIX + "Date") or "")
        pairs = (cls.of(inputVolume, node) for node in reversed(results))
        return next((pair for pair in pairs if pair is not None), None)

    @property
    def input(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The input volume; None after it was deleted."""
        return slicer.mrmlScene.GetNodeByID(self.inputId)

    @property
    def output(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The output volume; None after it was deleted."""
        return slicer.mrmlScene.GetNodeByID(self.outputId)

    @property
    def isAligned(self) -> bool:
        """True while both volumes exist and the output is on the upsampled grid of the input."""
        if not all(map(_hasVoxels, (self.input, self.output))):
            return False
        size = np.multiply(self.input.GetImageData().GetDimensions(), self.factors).round()
        expected = upsampled_ijk_to_ras(ijkToRAS(self.input), self.factors)
        return np.array_equal(self.output.GetImageData().GetDimensions(), size) and np.allclose(
            ijkToRAS(self.output), expected, rtol=1e-5, atol=1e-4
        )

    @property
    def viewAxis(self) -> SliceAxis:
        """Voxel axis of the slices to show: reformats if the output is finer between slices."""
        if self.coverage is None:
            return self.axis
        return choose_reformat_axis(ijkToRAS(self.input), self.axis)

    @property
    def whyNoMap(self) -> str:
        """One sentence about why there is no consistency map; empty if there can be one."""
        inPlane = np.delete(self.factors, self.axis.index)
        if self.coverage is None and inPlane[0] == inPlane[1] and inPlane[0] in SCALES:
            return ""
        if self.coverage is not None and (inPlane == 1).all():
            return ""
        return _(
            "There is no consistency map for these voxels. "
            "It needs ×2, ×4 or ×8, or in-plane voxels like those of the input."
        )


class ConsistencyMap:
    """Inconsistency of an output: the difference between the degraded output and the input.

    In percent of the intensity range of the run. Voxels without image (NaN, padding) are 0. The
    map is hidden from node lists, and not saved with the scene.

    Args:
        pair: Input and output.

    Attributes:
        mean: Mean over the voxels of the image, percent; None until the map is complete.
    """

    def __init__(self, pair: UpsampledPair) -> None:
        self._pair = pair
        self._nodeId = self._colorsId = ""
        self.mean: float | None = None

    @property
    def node(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The map; None until it is complete, and after it was deleted."""
        return slicer.mrmlScene.GetNodeByID(self._nodeId)

    def steps(self) -> Iterator[None]:
        """Compute the map in short steps, so that the application can respond.

        There is none if a volume was deleted, or if either has another voxel grid now; see also
        `UpsampledPair.whyNoMap`.
        """
        pair = self._pair
        inputVolume, output = pair.input, pair.output
        if not pair.isAligned or pair.whyNoMap:
            return
        array, low = slicer.util.arrayFromVolume(output), slicer.util.arrayFromVolume(inputVolume)
        fills = fill_values(low[np.isfinite(low)] if low.dtype.kind == "f" else low)
        yield
        compute = partial(_percentage, pair=pair, fills=fills)
        difference = yield from differenceSteps(compute, array, low, pair.viewAxis)
        yield
        if (pair.input, pair.output) != (inputVolume, output):
            return
        isMissing = missing_voxels(low, fills=fills)
        count = low.size - (0 if isMissing is None else np.count_nonzero(isMissing))
        self._addNodes(inputVolume, output, difference)
        self.mean = float(difference.sum(dtype=np.float64) / max(1, count))

    def remove(self) -> None:
        """Remove the map."""
        for nodeId in (self._nodeId, self._colorsId):
            node = slicer.mrmlScene.GetNodeByID(nodeId)
            if node is not None:
                removeNode(node)
        self._nodeId = self._colorsId = ""

    def _addNodes(self, inputVolume, output, difference):
        colors = addTemporaryNode("vtkMRMLColorTableNode", _("Inconsistency"))
        fillColors(colors)
        self._colorsId = colors.GetID()
        title = _("inconsistency (%)")
        name = f"{output.GetName()} {title}"
        node = addMap(name, title, output, inputVolume, difference, colors, isTemporary=True)
        self._nodeId = node.GetID()
        brightest = max(brightestOf([node]), MIN_BRIGHTEST)
        node.GetDisplayNode().SetWindowLevel(brightest, brightest / 2)


def _hasVoxels(volume):
    return (
        volume is not None
        and volume.IsA("vtkMRMLScalarVolumeNode")
        and volume.GetImageData() is not None
    )


def _percentage(output, low, pair, fills):
    """Return the inconsistency of a slab, (k, j, i) float32, percent.

    The method saw voxels without image as dark ones, and their values were restored afterwards.
    """
    missing, dark = missing_voxels(low, fills=fills), pair.intensityRange[0]
    if missing is not None:
        output = np.where(_repeated(missing, output.shape), dark, output)
        low = np.where(missing, dark, low)
    if pair.coverage is None:
        scale = max(round(factor) for factor in pair.factors)
        difference = inconsistency_map(output, low, pair.axis, scale, DEGRADATION)
    else:
        thin, thick = (each.shape[pair.axis.numpy_axis] for each in (output, low))
        degraded = ThickSlices(pair.axis, thin, thick, 1, pair.coverage).degrade(output)
        difference = np.abs(degraded - low.astype(np.float32))
    if missing is not None:
        difference[missing] = 0
    width = pair.intensityRange[1] - pair.intensityRange[0]
    difference *= 100 / (width or 1)
    return difference


def _repeated(voxels, shape):
    """Return the voxels that contain the centers of a grid of another shape (k, j, i)."""
    containing = (
        np.floor(slice_centers(size, count) + 0.5).astype(int)
        for size, count in zip(voxels.shape, shape)
    )
    return voxels[np.ix_(*containing)]
