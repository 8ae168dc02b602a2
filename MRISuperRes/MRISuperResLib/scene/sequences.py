"""Sequences of volumes: their frames, their browser, and output sequences."""

from __future__ import annotations

import slicer
import vtk
from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from ..core.volume import Volume
from .nodes import (
    copyDisplay,
    fillFrame,
    placeBeside,
    recordProvenance,
    removeNode,
    whyNotUpsamplable,
)
from .output_names import outputName


def sequencesLogic() -> slicer.vtkSlicerSequencesLogic | None:
    """Return the logic of the module Sequences; None if the application lacks the module."""
    module = getattr(slicer.modules, "sequences", None)
    return module.logic() if module is not None else None


def sequenceOf(volumeNode: slicer.vtkMRMLNode | None) -> slicer.vtkMRMLSequenceNode | None:
    """Return the sequence whose current frame a volume node shows, if any."""
    logic = sequencesLogic()
    browser = (
        logic.GetFirstBrowserNodeForProxyNode(volumeNode)
        if logic is not None and volumeNode is not None
        else None
    )
    return browser.GetSequenceNode(volumeNode) if browser is not None else None


def browserOf(
    sequenceNode: slicer.vtkMRMLSequenceNode,
) -> slicer.vtkMRMLSequenceBrowserNode | None:
    """Return the first browser that plays a sequence, if any."""
    return sequencesLogic().GetFirstBrowserNodeForSequenceNode(sequenceNode)


def proxyOf(sequenceNode: slicer.vtkMRMLSequenceNode) -> slicer.vtkMRMLNode | None:
    """Return the volume that shows the current frame of a sequence, if any."""
    browser = browserOf(sequenceNode)
    return browser.GetProxyNode(sequenceNode) if browser is not None else None


def shownVolume(node: slicer.vtkMRMLNode | None) -> slicer.vtkMRMLNode | None:
    """Return the volume that views show for a node: itself, or the proxy of a sequence."""
    if node is not None and node.IsA("vtkMRMLSequenceNode"):
        return proxyOf(node)
    return node


def framesOf(sequenceNode: slicer.vtkMRMLSequenceNode) -> list[slicer.vtkMRMLNode | None]:
    """Return the volume nodes of a sequence in order; they are not in the scene."""
    return [sequenceNode.GetNthDataNode(n) for n in range(sequenceNode.GetNumberOfDataNodes())]


def whyNotUpsamplableSequence(node: slicer.vtkMRMLNode | None) -> str:
    """Return one sentence about why a sequence cannot be upsampled, or an empty text if it can."""
    if node is None or not node.IsA("vtkMRMLSequenceNode"):
        return _("Choose a sequence of volumes.")
    if sequencesLogic() is None:
        return _(
            "The module Sequences is not loaded. Enable it in the application settings and restart."
        )
    if not node.GetNumberOfDataNodes():
        return _("The sequence “{name}” has no frames. Load it again, or choose another.").format(
            name=node.GetName()
        )
    for number, frame in enumerate(framesOf(node)):
        reason = (
            whyNotUpsamplable(frame)
            if frame is not None
            else _("The frame is empty. Remove it from the sequence.")
        )
        if reason:
            return _("{frame} of “{name}”: {reason}").format(
                frame=frameTitle(node, number), name=node.GetName(), reason=reason
            )
    return ""


def upsamplableFrames(node: slicer.vtkMRMLNode | None) -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Return the frames of a sequence.

    Raises:
        SuperResolutionError: The sequence cannot be upsampled.
    """
    reason = whyNotUpsamplableSequence(node)
    if reason:
        raise SuperResolutionError(reason)
    return framesOf(node)


def frameTitle(sequenceNode: slicer.vtkMRMLSequenceNode, number: int) -> str:
    """Return a title such as "Frame 3 of 20 (time 0.5 s)"; `number` counts from 0."""
    words = (
        sequenceNode.GetIndexName(),
        sequenceNode.GetNthIndexValue(number),
        sequenceNode.GetIndexUnit(),
    )
    return _("Frame {number} of {count} ({index})").format(
        number=number + 1,
        count=sequenceNode.GetNumberOfDataNodes(),
        index=" ".join(filter(None, words)),
    )


def makeEmptyCopy(sequenceNode: slicer.vtkMRMLSequenceNode) -> slicer.vtkMRMLSequenceNode:
    """Return a sequence node with the index of another one and no frames, not in the scene."""
    output = slicer.vtkMRMLSequenceNode()
    output.SetIndexName(sequenceNode.GetIndexName())
    output.SetIndexUnit(sequenceNode.GetIndexUnit())
    output.SetIndexType(sequenceNode.GetIndexType())
    output.SetNumericIndexValueTolerance(sequenceNode.GetNumericIndexValueTolerance())
    return output


def addFrame(
    output: slicer.vtkMRMLSequenceNode,
    inputSequence: slicer.vtkMRMLSequenceNode,
    value: str,
    inputFrame: slicer.vtkMRMLScalarVolumeNode,
    volume: Volume,
    image: vtk.vtkImageData,
) -> None:
    """Add a result to a sequence.

    Args:
        output: The output sequence.
        inputSequence: The sequence that was upsampled.
        value: Index value of the frame.
        inputFrame: The frame that was upsampled.
        volume: The result, with its provenance.
        image: Its voxels, in the scalar type of the input frame.
    """
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(inputFrame.GetName())
    fillFrame(node, inputFrame, volume, image)
    recordProvenance(node, inputSequence, volume.provenance)
    output.SetDataNodeAtValue(node, value)


def addToScene(
    output: slicer.vtkMRMLSequenceNode,
    inputSequence: slicer.vtkMRMLSequenceNode,
    provenance: dict,
) -> None:
    """Add a complete sequence to the scene; if that fails, the scene stays as it was.

    It is played by the browser of its input, or by a new one if the input has none.
    """
    scene = slicer.mrmlScene
    output.SetName(outputName(inputSequence.GetName(), provenance))
    recordProvenance(output, inputSequence, provenance)
    browser, newBrowser = browserOf(inputSequence), None
    try:
        scene.AddNode(output)
        if browser is None:
            browser = newBrowser = scene.AddNewNodeByClass(
                "vtkMRMLSequenceBrowserNode",
                scene.GenerateUniqueName(output.GetName() + " browser"),
            )
        browser.AddSynchronizedSequenceNode(output)
        sequencesLogic().UpdateProxyNodesFromSequences(browser)  # creates the proxy
        _copyAppearance(proxyOf(inputSequence), browser.GetProxyNode(output))
    except Exception:
        proxy = browser.GetProxyNode(output) if browser is not None else None
        if browser is not None:
            # before the proxy is removed, or the browser would create it again
            browser.RemoveSynchronizedSequenceNode(output.GetID())
        for node in (proxy, newBrowser, output):
            if node is not None and scene.IsNodePresent(node):
                removeNode(node)
        raise


def _copyAppearance(
    inputProxy: slicer.vtkMRMLNode | None, proxy: slicer.vtkMRMLScalarVolumeNode
) -> None:
    """Copy display, transform and place in the subject hierarchy from the proxy of the input."""
    if inputProxy is None:
        return
    copyDisplay(inputProxy, proxy)
    proxy.SetAndObserveTransformNodeID(inputProxy.GetTransformNodeID())
    placeBeside(inputProxy, proxy)
