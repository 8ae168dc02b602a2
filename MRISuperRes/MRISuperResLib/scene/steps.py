"""Strategies of tasks, and the short steps of their work, between which events are processed."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import slicer

from ..core.progress import Progress

if TYPE_CHECKING:
    from ..core.volume import Volume

Result = TypeVar("Result")
Steps: TypeAlias = Generator[None, None, Result]
"""Generator that yields after every step, and returns the result; closing it undoes the steps."""


def finish(steps: Steps[Result]) -> Result:
    """Take all steps at once, and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


class Strategy(Protocol):
    """Part of a task that depends on its kind: inputs, requests and outputs.

    A strategy belongs to one task. It keeps IDs of nodes, never nodes.
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
    ) -> Steps[Volume | None]:
        """Process a result of the worker in steps; return the next volume for it, if any.

        The last result adds the output to the scene. An exception, or a stop after any step,
        leaves the scene unchanged.
        """
        ...

    def progress(self, progress: Progress) -> Progress:
        """Return the progress of the whole task, given that of the current volume."""
        ...

    def end(self) -> None:
        """Release resources of a running task."""
        ...
