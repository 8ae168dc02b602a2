"""Runs that a script starts: in the background, or until they are finished, while the application stays alive."""

import contextlib

from ..core.errors import SuperResolutionError
from ..scene.tasks import CancellingProgress, TaskState
from .event_loop import EventLoop


@contextlib.contextmanager
def asRuntimeError():
    """What the user can mend is a RuntimeError with one sentence."""
    try:
        yield
    except SuperResolutionError as error:
        raise RuntimeError(str(error)) from error


def scriptedRun(start, progressCallback=None, onFinished=None, waitForCompletion=True):
    """Starts a run and returns its SceneTask, at once, or at its end, which may be that the progress callback has cancelled it.

    start(onProgress, onFinished): starts it and returns the SceneTask. progressCallback(done, total): in slices; where it returns
    False, the run is cancelled. onFinished(job): called at the end, however it ends.
    Raises RuntimeError with one sentence for the user where it was waited for and there is no result, and whatever the
    progress callback raises.
    """
    progress = CancellingProgress(progressCallback) if progressCallback else None
    loop = EventLoop()

    def onEnd(job):
        loop.quit()
        if onFinished:
            onFinished(job)

    job = start(progress, onEnd)
    if progress:
        progress.run = job
    if not waitForCompletion:
        return job
    loop.run()
    if progress and progress.error:
        raise progress.error
    wasAsked = progress and progress.hasCancelled and job.state is TaskState.CANCELLED
    if job.state is not TaskState.FINISHED and not wasAsked:
        raise RuntimeError(job.message)
    return job
