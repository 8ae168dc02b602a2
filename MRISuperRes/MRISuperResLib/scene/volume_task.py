"""The main run: from a volume node through the worker to the output node."""

from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from .output_nodes import createOutput, updateOutput
from .upsampling_task import UpsamplingTask


class VolumeTask(UpsamplingTask):
    """outputNode: a volume node; the rest: see UpsamplingTask."""

    def __init__(self, worker, inputNode, job, outputNode=None, onProgress=None, onFinished=None):
        if outputNode is not None and outputNode is inputNode:
            raise SuperResolutionError(
                _("The output would replace the input: choose another output volume.")
            )
        super().__init__(worker, inputNode, job, outputNode, onProgress, onFinished)

    @property
    def shownNode(self):
        """The volume that shows the output; `shownInput`: the one that shows the input."""
        return self.outputNode

    @property
    def shownInput(self):
        return self.inputNode

    def _makeNodes(self, inputNode, parentTransformNode, event):
        result = (self._array(event), event["ijkToRAS"], event["provenance"], parentTransformNode)
        output = self._node(self._outputId)
        if output is None:
            output = createOutput(inputNode, *result)
        else:
            updateOutput(output, inputNode, *result)
        self._outputId = output.GetID()
