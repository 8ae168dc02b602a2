"""A training run: prepared volumes, the PSNR stage, the GAN stage. The same for one process and for many.

Several processes, on one machine or more, are started by `torchrun` or `accelerate launch`; each takes its part of every batch, and
the result is that of one process but for rounding. All must see the same run folder, cache and volumes.
"""

import contextlib

import accelerate
import torch

from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.provenance import versions

from ..data.preparation import prepare
from ..data.sampler import PatchSampler, SlicePairs
from ..data.source import Source
from ..data.split import Split, split_subjects
from ..networks import lpips
from ..networks.vgg import VGG, find_vgg
from ..options.settings import Settings
from ..runs import lock
from ..runs.events import EventLog
from ..runs.folder import RunFolder
from . import stages
from .accelerator import accelerator_for
from .prefetch import Batches
from .stage_run import StageRun
from .validation import Validation


def train(settings, sources, run, card=None, cache=None, progress=None, cancelled=None):
    """Trains in a folder that holds no run yet. Returns the RunFolder.

    settings: settings.Settings. sources: [data.source.Source]. run: the folder. card: fields of the model cards: {"title", "limits", "license", "made_for"}.
    cache: folder of the prepared volumes, see data.preparation. progress(event): told of every event, see loop.events, in the first
    process only. cancelled(): asked between volumes and between steps, as is whether run.lock.ask_to_stop was called; then a checkpoint
    is written, and Cancelled raised.
    Raises SuperResolutionError for whatever the user can mend, Cancelled.
    """
    with accelerator_for(settings) as accelerator:
        folder = RunFolder(run, accelerator.is_main_process)
        folder.check_new()
        stages.check(settings)
        perceptual = _Perceptual(settings)
        accelerator.wait_for_everyone()  # until all have seen that there was no run
        with _working_on(folder, accelerator, cancelled) as asked_to_stop:
            volumes, unsuitable = _prepared(accelerator, sources, settings, cache, asked_to_stop)
            if not volumes:
                raise SuperResolutionError(
                    "There is nothing to learn from: "
                    + (
                        f"{unsuitable[0][0]}: {unsuitable[0][1]}"
                        if unsuitable
                        else "give some volumes."
                    )
                )
            split = split_subjects(volumes, settings.data.validation_share, settings.seed)
            folder.describe(
                {
                    "settings": settings.to_dict(),
                    "card": card or {},
                    "sources": [source.to_dict() for source in sources],
                    "cache": str(cache) if cache else None,
                    "split": split.to_dict(),
                    "volumes": [_described(volume) for volume in volumes],
                    "unsuitable": unsuitable,
                    "versions": versions() | {"accelerate": accelerate.__version__},
                    "messages": _messages(volumes, unsuitable, split),
                }
            )
            _run(accelerator, settings, folder, volumes, split, perceptual, progress, asked_to_stop)
    return folder


def resume(run, progress=None, cancelled=None):
    """Goes on with a run from its last checkpoint; on the same machine the result is bit for bit that of a run that was never stopped.

    As train. Raises SuperResolutionError (kind "input") where a volume is not what it was.
    """
    description = RunFolder(run).description()
    settings = Settings.from_dict(description["settings"])
    with accelerator_for(settings) as accelerator:
        folder = RunFolder(run, accelerator.is_main_process)
        perceptual = _Perceptual(settings)
        with _working_on(folder, accelerator, cancelled) as asked_to_stop:
            sources = [Source.from_dict(values) for values in description["sources"]]
            volumes, _ = _prepared(
                accelerator, sources, settings, description["cache"], asked_to_stop
            )
            _check_unchanged(volumes, description["volumes"])
            _run(
                accelerator,
                settings,
                folder,
                volumes,
                Split.from_dict(description["split"]),
                perceptual,
                progress,
                asked_to_stop,
            )
    return folder


@contextlib.contextmanager
def _working_on(folder, accelerator, cancelled):
    """Takes the run for these processes. Yields asked_to_stop()."""
    folder.make()
    with lock.working_on(folder.path) if accelerator.is_main_process else contextlib.nullcontext():
        accelerator.wait_for_everyone()  # until an old wish to stop is forgotten
        yield lambda: lock.is_asked_to_stop(folder.path) or bool(cancelled and cancelled())


class _Perceptual:
    """The networks that look at images as people do, as far as the settings ask for them: found at once, before hours of work."""

    def __init__(self, settings):
        gan = settings.gan
        self.vgg = (
            VGG("vgg19", find_vgg("vgg19", gan.vgg)) if gan and gan.perceptual_weight else None
        )
        self.lpips = lpips.find() if gan else None


def _prepared(accelerator, sources, settings, cache, asked_to_stop):
    """The first process of a machine prepares the volumes, the others find them in the cache."""

    def progress(done, total):
        if asked_to_stop():
            raise Cancelled

    with accelerator.local_main_process_first():
        return prepare(sources, settings.data, cache, progress)


def _described(volume):
    """JSON values of a PreparedVolume."""
    return {
        **volume.source.to_dict(),
        "sha256": volume.sha256,
        "pixel": list(volume.pixel),
        "distance": volume.distance,
        "slices": len(volume.kept),
        "left_out": {str(number): reason for number, reason in volume.left_out.items()},
        "messages": list(volume.messages),
    }


def _messages(volumes, unsuitable, split):
    """Sentences on the data, for the user."""
    left_out = [
        f"{volume.source.path}: {len(volume.left_out)} of {len(volume.slices)} slices are left out, as they show nothing to learn from."
        for volume in volumes
        if volume.left_out
    ]
    return [*split.messages, *(f"{path}: {reason}" for path, reason in unsuitable), *left_out]


def _check_unchanged(volumes, described):
    now = {volume.source.path: volume.sha256 for volume in volumes}
    for entry in described:
        if now.get(entry["path"]) != entry["sha256"]:
            raise SuperResolutionError(
                f"{entry['path']} is not there any more, or not as it was when the run began: put it back, or begin a new run."
            )


def _run(accelerator, settings, folder, volumes, split, perceptual, progress, asked_to_stop):
    state = folder.checkpoint()
    accelerator.wait_for_everyone()  # until all have read it
    held = SlicePairs(split.validating(volumes), settings)
    validation = (
        Validation(accelerator, settings, held, perceptual.vgg, perceptual.lpips)
        if len(held)
        else None
    )
    batches = Batches(PatchSampler(split.training(volumes), settings), accelerator)
    log = EventLog(folder.path, progress, accelerator.is_main_process)
    names = stages.names(settings)
    with (
        contextlib.closing(log),
        contextlib.closing(batches),
        torch.backends.cudnn.flags(enabled=True, deterministic=True),
    ):
        log.write(
            "start",
            state["stage"] if state else names[0],
            state["step"] if state else 0,
            resumed=state is not None,
            processes=accelerator.num_processes,
            device=str(accelerator.device),
            precision=settings.precision,
            steps={name: getattr(settings, name).steps for name in names},
            messages=[] if state else folder.description()["messages"],
        )
        for name in names[names.index(state["stage"]) :] if state else names:
            accelerator.wait_for_everyone()  # until the models of the stage before are written
            run = StageRun(
                stages.make(name, accelerator, settings, folder, perceptual.vgg),
                batches,
                validation,
                folder,
                log,
                asked_to_stop,
            )
            if state and state["stage"] == name:
                run.restore(state)
            run.run()
        log.write("end", names[-1], getattr(settings, names[-1]).steps)
