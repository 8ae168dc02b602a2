"""Long computations in the panel, in short steps between which the application responds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _


class IdleSteps:
    """Takes the steps of one iterator at a time, each after all pending events.

    Args:
        failureTitle: Title of the error that is displayed when a step fails.
    """

    def __init__(self, failureTitle: str) -> None:
        self._failureTitle = failureTitle
        self._steps: Iterator[Any] | None = None

    def start(
        self,
        steps: Iterator[Any],
        onEnd: Callable[[], None],
        onStep: Callable[[Any], None] = lambda step: None,
        onFailure: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the first step now and the others later, instead of those of another iterator.

        Args:
            steps: The iterator.
            onEnd: Called after the last step.
            onStep: Called with the value of every step.
            onFailure: Called after a step has failed, before the error is displayed.
        """
        self._steps = steps
        self._advance(steps, onEnd, onStep, onFailure)

    def stop(self) -> None:
        """Take no more steps."""
        self._steps = None

    def _advance(self, steps, onEnd, onStep, onFailure):
        if steps is not self._steps:
            return  # stopped, or another iterator has replaced this one
        with slicer.util.tryWithErrorDisplay(self._failureTitle):
            try:
                step = next(steps)
            except StopIteration:
                self._steps = None
                onEnd()
                return
            except Exception as error:
                self._steps = None
                onFailure()
                if isinstance(error, MemoryError):
                    raise RuntimeError(
                        _("Out of memory. Close other applications or remove other volumes.")
                    ) from error
                raise
            onStep(step)
            qt.QTimer.singleShot(0, lambda: self._advance(steps, onEnd, onStep, onFailure))
