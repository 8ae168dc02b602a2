"""Tasks of scripts: wait for the result, errors as RuntimeErrors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from ..core.errors import SuperResolutionError
from ..core.progress import Progress
from ..worker.client import EventLoop
from .tasks import BackgroundTask, ScriptProgress, TaskState

ScriptCallback = Callable[[Progress], object]
"""Called with the progress; the task is cancelled when it returns False or raises an error."""


@contextlib.contextmanager
def asRuntimeError() -> Iterator[None]:
    """Raise errors that the user can fix as RuntimeErrors."""
    try:
        yield
    except SuperResolutionError as error:
        raise RuntimeError(str(error)) from error


def runTask(
    start: Callable[..., Any],
    progressCallback: ScriptCallback | None,
    onFinished: Callable[[Any], None] | None,
    waitForCompletion: bool,
) -> Any:
    """Start a task by start(onProgress, onFinished); return its result, or at once the task."""
    progress = ScriptProgress(progressCallback) if progressCallback else None
    loop = EventLoop()

    def onEnd(task: BackgroundTask) -> None:
        loop.quit()
        if onFinished:
            onFinished(task)

    task = start(progress, onEnd)
    if progress:
        progress.task = task
    if not waitForCompletion:
        return task
    loop.run()
    if progress and progress.error:
        raise progress.error
    isCancelled = progress and progress.hasCancelled and task.state is TaskState.CANCELLED
    if task.state is not TaskState.FINISHED and not isCancelled:
        raise RuntimeError(task.message)
    return task.result
