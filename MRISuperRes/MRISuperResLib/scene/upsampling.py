"""Upsampling of a volume node or a sequence node: the strategies of its tasks."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from ..core.intensity import common_intensity_range
from ..core.options import UpsamplingOptions
from ..core.progress import PartsProgress, Progress
from ..core.volume import Volume
from .labels import LabelSource, addLabels, placeLabels
from .nodes import (
    createOutput,
    imageSteps,
    isOutput,
    removeNode,
    sliceCount,
    updateOutput,
    volumeFromNode,
)
from .sequences import (
    addFrame,
    addToScene,
    frameTitle,
    makeEmptyCopy,
    sequenceOf,
    upsamplableFrames,
)
from .speeds import SpeedMeter, runsBetweenSlices
from .steps import Steps
from .uncertainty import addUncertaintyMap, removeUncertaintyMap


def whyNotReplaceable(
    outputNode: slicer.vtkMRMLNode | None, inputNode: slicer.vtkMRMLNode | None
) -> str:
    """Return one sentence about why a node cannot hold the output, or an empty text if it can.

    Args:
        outputNode: Node to replace; None for a new one.
        inputNode: Node to upsample.
    """
    if outputNode is None:
        return ""
    if outputNode is inputNode:
        return _("The output would replace the input. Choose another output volume.")
    if outputNode.GetClassName() != "vtkMRMLScalarVolumeNode":
        return _("“{name}” is not a scalar volume. Choose another output volume.").format(
            name=outputNode.GetName()
        )
    if sequenceOf(outputNode) is not None:
        return _(
            "“{name}” shows a frame of a sequence, which would be lost. "
            "Choose another output volume."
        ).format(name=outputNode.GetName())
    return ""


def whyNotOwnOutput(node: slicer.vtkMRMLVolumeNode | None) -> str:
    """Return one sentence about why the panel must not replace a volume, or an empty text.

    It may fill a new node and a volume without voxels, and replace an output of this module.
    """
    if node is None or isOutput(node):
        return ""
    if node.GetImageData() is None or not node.GetImageData().GetNumberOfPoints():
        return ""
    return _(
        "“{name}” is not an output of this module and would be lost. Choose another output volume."
    ).format(name=node.GetName())


class VolumeUpsampling:
    """Strategy that upsamples a volume node; see `steps.Strategy`.

    Args:
        options: The options.
        outputNode: Volume node to replace; None for a new one.
        meter: Remembers the speed of the task, if given.
        labelsNode: Label map or segmentation that comes along as a new node, if given.
        labelInterpolation: "nearest" or "smooth".
    """

    def __init__(
        self,
        options: UpsamplingOptions,
        outputNode: slicer.vtkMRMLScalarVolumeNode | None = None,
        meter: SpeedMeter | None = None,
        labelsNode: slicer.vtkMRMLDisplayableNode | None = None,
        labelInterpolation: str = "nearest",
    ) -> None:
        self._options, self._meter = options, meter
        self._outputId = outputNode.GetID() if outputNode else None
        self._givenId = labelsNode.GetID() if labelsNode else None
        self._labelInterpolation, self._labelsId = labelInterpolation, None
        self._labels: LabelSource | None = None
        self._volume: Volume | None = None
        self._spread: np.ndarray | None = None
        self._upsampledLabels: list[np.ndarray] = []

    @property
    def part(self) -> str:
        """“Labels” after the volume; empty before."""
        return _("Labels") if self._volume is not None else ""

    @property
    def result(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The output volume."""
        return slicer.mrmlScene.GetNodeByID(self._outputId) if self._outputId else None

    @property
    def labelsResult(self) -> slicer.vtkMRMLDisplayableNode | None:
        """The labels on the voxels of the output volume."""
        return slicer.mrmlScene.GetNodeByID(self._labelsId) if self._labelsId else None

    def begin(self, inputNode: slicer.vtkMRMLNode | None) -> Volume:
        """Return the input volume."""
        reason = whyNotReplaceable(self.result, inputNode)
        if reason:
            raise SuperResolutionError(reason)
        volume = volumeFromNode(inputNode)
        if self._givenId:
            labelsNode = slicer.mrmlScene.GetNodeByID(self._givenId)
            if labelsNode is None:
                raise SuperResolutionError(_("The labels were deleted. Choose others, or none."))
            self._labels = LabelSource.of(labelsNode, inputNode)
        return volume

    def request(self, folder: str) -> dict[str, Any]:
        """Return the request to upsample the volume, or the next layer of its labels."""
        if self._volume is None:
            return _request(self._options, folder)
        return {
            "request": "labels",
            "size": list(self._volume.size),
            "outputIJKToRAS": self._volume.ijk_to_ras.tolist(),
            "interpolation": self._labelInterpolation,
            "output": os.path.join(folder, f"labels-{len(self._upsampledLabels)}.npy"),
        }

    def accept(
        self,
        event: dict[str, Any],
        inputNode: slicer.vtkMRMLScalarVolumeNode,
        parentTransformNode: slicer.vtkMRMLTransformNode | None,
    ) -> Steps[Volume | None]:
        """Return the next layer of labels, or add the output to the scene after the last."""
        if self._volume is None:
            self._volume = _volume(event)
            if event.get("uncertainty"):
                self._spread = _loaded(event["uncertainty"])
            _remember(self._meter, self._volume, self._options)
        else:
            self._upsampledLabels.append(_loaded(event["output"]))
        if self._labels is not None and len(self._upsampledLabels) < len(self._labels.layers):
            return self._labels.layers[len(self._upsampledLabels)]
        volume = self._volume
        image = yield from imageSteps(volume.array, inputNode.GetImageData().GetScalarType())
        labelsNode = None
        if self._labels is not None:
            labelsNode = yield from addLabels(self._labels, self._upsampledLabels, volume)
        output = self.result
        isNew = output is None
        try:
            if isNew:
                output = createOutput(inputNode, volume, parentTransformNode, image)
            else:
                updateOutput(output, inputNode, volume, parentTransformNode, image)
                removeUncertaintyMap(output)
            if self._spread is not None:
                addUncertaintyMap(output, self._spread, volume.provenance)
        except Exception:
            for node in (labelsNode, output if isNew else None):
                if node is not None:
                    removeNode(node)
            raise
        self._outputId = output.GetID()
        if labelsNode is not None:
            placeLabels(labelsNode, output)
            self._labelsId = labelsNode.GetID()
        return None

    def progress(self, progress: Progress) -> Progress:
        """Return the progress of the volume."""
        if self._meter is not None:
            self._meter.update(progress)
        return progress

    def end(self) -> None:
        """Release the voxels."""
        self._volume, self._spread, self._labels, self._upsampledLabels = None, None, None, []


class SequenceUpsampling:
    """Strategy that upsamples every frame of a sequence node; see `steps.Strategy`.

    The output is a new sequence with the same index. All frames share one intensity range, so
    that they do not flicker.

    Args:
        options: The options.
        meter: Remembers the speed of the task, if given.
    """

    def __init__(self, options: UpsamplingOptions, meter: SpeedMeter | None = None) -> None:
        self._options, self._meter = options, meter
        self._outputId: str | None = None
        self._parts = PartsProgress([])

    @property
    def part(self) -> str:
        """The frame that is being processed, such as "Frame 2 of 5"; empty for a single frame."""
        if self._parts.count < 2:
            return ""
        return _("Frame {number} of {count}").format(
            number=self._parts.number + 1, count=self._parts.count
        )

    @property
    def result(self) -> slicer.vtkMRMLSequenceNode | None:
        """The output sequence."""
        return slicer.mrmlScene.GetNodeByID(self._outputId) if self._outputId else None

    def begin(self, sequenceNode: slicer.vtkMRMLNode | None) -> Volume:
        """Return the first frame."""
        frames = upsamplableFrames(sequenceNode)
        if self._options.adapt and len(frames) > 1:  # each frame would have another network
            raise SuperResolutionError(
                _(
                    "Adaptation trains for one volume, and this sequence has {count} frames. "
                    "Upsample one frame, or leave out the adaptation."
                ).format(count=len(frames))
            )
        self._values = [sequenceNode.GetNthIndexValue(n) for n in range(len(frames))]
        self._parts = PartsProgress(
            [sliceCount(frame, self._options.slice_axis) for frame in frames]
        )
        volumes = [volumeFromNode(frame) for frame in frames]
        total = sum(volume.array.size for volume in volumes)
        self._options = replace(
            self._options, intensity_range=common_intensity_range(volumes, total)
        )
        self._output, self._provenance = makeEmptyCopy(sequenceNode), None
        return volumeFromNode(frames[0])

    def request(self, folder: str) -> dict[str, Any]:
        """Return the request to upsample one frame."""
        return _request(self._options, folder)

    def accept(
        self,
        event: dict[str, Any],
        sequenceNode: slicer.vtkMRMLSequenceNode,
        parentTransformNode: slicer.vtkMRMLTransformNode | None,
    ) -> Steps[Volume | None]:
        """Keep a frame and return the next one; after the last, add the output to the scene."""
        frame, number = self._frame(sequenceNode), self._parts.number
        volume = _volume(event)
        _remember(self._meter, volume, self._options)
        provenance = volume.provenance | {
            "intensity": volume.provenance["intensity"] | {"of": "all frames of the sequence"}
        }
        framed = replace(
            volume, provenance=provenance | {"frame": frameTitle(sequenceNode, number)}
        )
        image = yield from imageSteps(volume.array, frame.GetImageData().GetScalarType())
        addFrame(self._output, sequenceNode, self._values[number], frame, framed, image)
        self._provenance = self._provenance or provenance
        if number + 1 < self._parts.count:
            self._parts.number += 1
            return volumeFromNode(self._frame(sequenceNode))
        addToScene(self._output, sequenceNode, self._provenance | {"frames": self._parts.count})
        self._outputId = self._output.GetID()
        return None

    def progress(self, progress: Progress) -> Progress:
        """Return the progress over the slices of all frames."""
        if self._meter is not None:
            self._meter.update(progress)
        return self._parts.whole(progress)

    def end(self) -> None:
        """Release the frames of an output that was not completed."""
        self._output = None

    def _frame(self, sequenceNode: slicer.vtkMRMLSequenceNode) -> slicer.vtkMRMLScalarVolumeNode:
        frame = sequenceNode.GetDataNodeAtValue(self._values[self._parts.number])
        if frame is None or sequenceNode.GetNumberOfDataNodes() != self._parts.count:
            raise SuperResolutionError(_("The sequence was changed meanwhile. Start again."))
        return frame


def _request(options: UpsamplingOptions, folder: str) -> dict[str, Any]:
    return {
        "request": "upsample",
        "options": options.to_dict(),
        "output": os.path.join(folder, "output.npy"),
    }


def _remember(meter: SpeedMeter | None, volume: Volume, options: UpsamplingOptions) -> None:
    record = volume.provenance
    # the time of two networks, or with a training, says nothing about one of them
    if meter is None or "in_plane_model" in record or "adaptation" in record:
        return
    runs = runsBetweenSlices(options) if "slice_thickness" in record else 1
    meter.remember(record["model"]["name"], volume.array.size * runs)


def _volume(event: dict[str, Any]) -> Volume:
    """Return the worker's result; its file is deleted when the task ends."""
    return Volume(
        _loaded(event["output"]),
        np.array(event["ijkToRAS"]),
        provenance=event["provenance"],
    )


def _loaded(path: str) -> np.ndarray:
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
