"""Sequences of volumes: which there are, what is in them, and how they are shown."""

import slicer
from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from .volume_nodes import whyNotUpsamplable


def sequencesLogic():
    """None in an application without the module Sequences."""
    module = getattr(slicer.modules, "sequences", None)
    return module.logic() if module is not None else None


def sequenceOf(volumeNode):
    """The sequence of which a volume node shows the present frame, or None."""
    logic = sequencesLogic()
    browser = (
        logic.GetFirstBrowserNodeForProxyNode(volumeNode)
        if logic is not None and volumeNode is not None
        else None
    )
    return browser.GetSequenceNode(volumeNode) if browser is not None else None


def browserOf(sequenceNode):
    """The first browser that plays a sequence, or None."""
    return sequencesLogic().GetFirstBrowserNodeForSequenceNode(sequenceNode)


def proxyOf(sequenceNode):
    """The volume that shows the present frame of a sequence, or None."""
    browser = browserOf(sequenceNode)
    return browser.GetProxyNode(sequenceNode) if browser is not None else None


def framesOf(sequenceNode):
    """The volume nodes of a sequence, in their order; they are in no scene of the user's."""
    return [sequenceNode.GetNthDataNode(n) for n in range(sequenceNode.GetNumberOfDataNodes())]


def whyNotUpsamplableSequence(node):
    """One sentence that says why a sequence cannot be upsampled; an empty text where it can."""
    if node is None or not node.IsA("vtkMRMLSequenceNode"):
        return _("Choose a sequence of volumes.")
    if sequencesLogic() is None:
        return _(
            "The module Sequences is not loaded: activate it in the application settings and restart."
        )
    if not node.GetNumberOfDataNodes():
        return _(
            "The sequence “{name}” has no frames: load it again, or choose another one."
        ).format(name=node.GetName())
    for number, frame in enumerate(framesOf(node)):
        reason = (
            whyNotUpsamplable(frame)
            if frame is not None
            else _("it is empty: remove it from the sequence.")
        )
        if reason:
            return _("{frame} of “{name}”: {reason}").format(
                frame=frameTitle(node, number), name=node.GetName(), reason=reason
            )
    return ""


def upsamplableFrames(node):
    """As framesOf. Raises SuperResolutionError with the sentence of `whyNotUpsamplableSequence`."""
    reason = whyNotUpsamplableSequence(node)
    if reason:
        raise SuperResolutionError(reason)
    return framesOf(node)


def frameTitle(sequenceNode, number):
    """ "Frame 3 of 20 (time 0.5 s)"; number: from 0."""
    index = " ".join(
        filter(
            None,
            (
                sequenceNode.GetIndexName(),
                sequenceNode.GetNthIndexValue(number),
                sequenceNode.GetIndexUnit(),
            ),
        )
    )
    return _("Frame {number} of {count} ({index})").format(
        number=number + 1, count=sequenceNode.GetNumberOfDataNodes(), index=index
    )
