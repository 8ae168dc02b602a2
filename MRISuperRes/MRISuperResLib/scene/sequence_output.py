"""The output sequence: the same frames as its input, played together with it."""

import slicer

from .output_nodes import copyDisplay, fillFrame, outputName, placeBeside, record, removeNode
from .sequence_nodes import browserOf, proxyOf, sequencesLogic


def makeEmptyCopy(sequenceNode):
    """A sequence node, not in the scene, that has the same index as another one, but no frames."""
    output = slicer.vtkMRMLSequenceNode()
    output.SetIndexName(sequenceNode.GetIndexName())
    output.SetIndexUnit(sequenceNode.GetIndexUnit())
    output.SetIndexType(sequenceNode.GetIndexType())
    output.SetNumericIndexValueTolerance(sequenceNode.GetNumericIndexValueTolerance())
    return output


def addFrame(output, inputSequence, value, inputFrame, array, ijkToRAS, provenance):
    """Puts a result into a sequence, at an index value. array: (k, j, i), in the input frame's scalar type; ijkToRAS: (4, 4), mm."""
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(inputFrame.GetName())
    fillFrame(node, inputFrame, array, ijkToRAS)
    record(node, inputSequence, provenance)
    output.SetDataNodeAtValue(node, value)


def addToScene(output, inputSequence, provenance):
    """Shows a complete sequence: in the browser of its input, so that both play together, or else in one of its own.

    provenance: of the whole sequence. All or nothing: where it fails, the scene is as it was.
    """
    scene = slicer.mrmlScene
    output.SetName(outputName(inputSequence.GetName(), provenance))
    record(output, inputSequence, provenance)
    browser, ownBrowser = browserOf(inputSequence), None
    try:
        scene.AddNode(output)
        if browser is None:
            browser = ownBrowser = scene.AddNewNodeByClass(
                "vtkMRMLSequenceBrowserNode",
                scene.GenerateUniqueName(output.GetName() + " browser"),
            )
        browser.AddSynchronizedSequenceNode(output)
        sequencesLogic().UpdateProxyNodesFromSequences(browser)  # makes the proxy
        _showAs(proxyOf(inputSequence), browser.GetProxyNode(output))
    except Exception:
        proxy = browser.GetProxyNode(output) if browser is not None else None
        if browser is not None:
            browser.RemoveSynchronizedSequenceNode(
                output.GetID()
            )  # first: it would make the proxy again
        for node in (proxy, ownBrowser, output):
            if node is not None and scene.IsNodePresent(node):
                removeNode(node)
        raise


def _showAs(inputProxy, proxy):
    """The output's proxy looks like the input's, lies under its transform, and is listed beside it."""
    if inputProxy is None:
        return
    copyDisplay(inputProxy, proxy)
    proxy.SetAndObserveTransformNodeID(inputProxy.GetTransformNodeID())
    placeBeside(inputProxy, proxy)
