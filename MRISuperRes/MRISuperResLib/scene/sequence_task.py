"""A run over all frames of a sequence of volumes: one after the other through the worker, and together into the scene."""

import re
from dataclasses import replace

from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from ..core.intensity import common_intensity_range
from ..core.progress import ProgressMeter
from .sequence_nodes import frameTitle, proxyOf, upsamplableFrames
from .sequence_output import addFrame, addToScene, makeEmptyCopy
from .upsampling_task import UpsamplingTask
from .volume_nodes import sliceCount, upsamplableVolume


class SequenceTask(UpsamplingTask):
    """Makes a sequence with the same index, in which every frame is upsampled. The gray levels of all frames are mapped alike, so that they do not flicker.

    number: of the frame that is being processed, from 0; count: of all frames.
    inputNode: a sequence node of scalar volumes. The rest: see UpsamplingTask; the output sequence is a new one, and the progress counts the slices of all frames.
    """

    def __init__(self, worker, inputNode, job, onProgress=None, onFinished=None):
        super().__init__(worker, inputNode, job, None, onProgress, onFinished)

    @property
    def shownNode(self):
        """The volume that shows the present frame of the output, or None; `shownInput`: that of the input."""
        return proxyOf(self.outputNode) if self.outputNode is not None else None

    @property
    def shownInput(self):
        return proxyOf(self.inputNode) if self.inputNode is not None else None

    def _firstArray(self, sequenceNode):
        frames = upsamplableFrames(sequenceNode)
        self.number, self.count = 0, len(frames)
        self._values = [sequenceNode.GetNthIndexValue(n) for n in range(self.count)]
        self._slices = [sliceCount(frame, self._job.axis) for frame in frames]
        self._job = replace(
            self._job,
            intensity_range=common_intensity_range(
                [upsamplableVolume(frame)[0] for frame in frames]
            ),
        )
        self._output, self._provenance, self._meter = (
            makeEmptyCopy(sequenceNode),
            None,
            ProgressMeter(),
        )
        self._messages = {}  # without their numbers -> (number of the frame, message)
        return upsamplableVolume(frames[0])

    def _deletedMessage(self):
        return _("Cancelled: the input sequence was deleted.")

    def _makeNodes(self, sequenceNode, parentTransformNode, event):
        frame, title = self._frame(sequenceNode), frameTitle(sequenceNode, self.number)
        provenance = event["provenance"] | {
            "intensity": event["provenance"]["intensity"] | {"of": "all frames of the sequence"}
        }
        addFrame(
            self._output,
            sequenceNode,
            self._values[self.number],
            frame,
            self._array(event),
            event["ijkToRAS"],
            provenance | {"frame": title},
        )
        self._provenance = self._provenance or provenance
        self.number += 1
        if self.number < self.count:
            return upsamplableVolume(self._frame(sequenceNode))
        addToScene(self._output, sequenceNode, self._provenance | {"frames": self.count})
        self._outputId = self._output.GetID()
        return None

    def _frame(self, sequenceNode):
        frame = sequenceNode.GetDataNodeAtValue(self._values[self.number])
        if frame is None or sequenceNode.GetNumberOfDataNodes() != self.count:
            raise SuperResolutionError(
                _("The sequence was changed during the run: start it again.")
            )
        return frame

    def _progress(self, event):
        now = self._meter.update(
            sum(self._slices[: self.number]) + event["done"], sum(self._slices)
        )
        return now.done, now.total, now.rate, now.remaining

    def _failure(self, message):
        return _("Frame {number} of {count} failed, and nothing was made: {reason}").format(
            number=self.number + 1, count=self.count, reason=message
        )

    def _takeMessages(self, messages):
        """What is said of several frames, but for its numbers, is said once."""
        for message in messages:
            self._messages.setdefault(re.sub(r"[\d.]+", "", message), (self.number, message))
        several = self.count > 1
        self.messages = [
            _("Frame {number}: {message}").format(number=number, message=message)
            if several and number > 1
            else message
            for number, message in self._messages.values()
        ]

    def _end(self, state, message):
        self._output = None  # of a run without a result nothing stays, not even in memory
        super()._end(state, message)
