"""Strategies of tasks: what one kind of task sends to the worker and makes of the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import slicer
from slicer.i18n import tr as _

from ..core.messages import Message
from ..core.progress import Progress, ProgressMeter

if TYPE_CHECKING:
    from ..core.volume import Volume


class Strategy(Protocol):
    """What one kind of task sends to the worker and makes of its results.

    A strategy serves one task. It keeps IDs of nodes, never nodes.
    """

    @property
    def part(self) -> str:
        """Input that is being processed, such as "Frame 2 of 5"; empty if there is only one."""
        ...

    @property
    def result(self) -> Any:
        """Output of a finished task, or None after it was removed from the scene."""
        ...

    def begin(self, inputNode: slicer.vtkMRMLNode) -> Volume:
        """Check the input and return the first volume for the worker.

        Raises:
            SuperResolutionError: The input cannot be processed.
        """
        ...

    def request(self, folder: str) -> dict[str, Any]:
        """Return the fields of the worker's request, apart from the input."""
        ...

    def accept(
        self,
        event: dict[str, Any],
        inputNode: slicer.vtkMRMLNode,
        parentTransformNode: slicer.vtkMRMLTransformNode | None,
    ) -> Volume | None:
        """Take a result of the worker and return the next volume for it, if any.

        With the last result the output is added to the scene. An exception leaves the scene as
        it was.
        """
        ...

    def progress(self, progress: Progress) -> Progress:
        """Return the progress of the whole task, given that of the present volume."""
        ...

    def end(self) -> None:
        """Release what only a running task needs."""
        ...


class PartsProgress:
    """Progress over several inputs that are processed one after the other.

    Attributes:
        number: Index of the present input, from 0.
        count: Number of inputs.

    Args:
        slices: Number of slices of every input.
    """

    def __init__(self, slices: list[int]) -> None:
        self.number, self.count = 0, len(slices)
        self._slices, self._meter = slices, ProgressMeter()

    def whole(self, progress: Progress) -> Progress:
        """Return the progress over all inputs, given that of the present one."""
        done = sum(self._slices[: self.number]) + progress.done
        return self._meter.update(done, sum(self._slices))


def mergedMessages(parts: list[tuple[str, list[Message]]]) -> list[Message]:
    """Return the messages of all parts of a task, each kind once.

    Messages are of one kind if they share level and code and have the same rank among those in
    their part. A kind that some parts lack says where it occurred.

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
            text = f"{where}: {text}"
        merged.append(Message(message.level, message.code, text))
    return merged
