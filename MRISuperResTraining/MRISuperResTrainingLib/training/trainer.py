"""Training runs: prepared volumes, the PSNR stage, the GAN stage.

Several processes are started by `torchrun` or `accelerate launch`. Each has a part of every batch;
the result is that of one process except for rounding. All see the same run folder and volumes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import accelerate
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.messages import Message, info, warning
from MRISuperResLib.core.progress import CancelCheck, Progress, ProgressCallback
from MRISuperResLib.core.provenance import versions
from MRISuperResLib.core.validation import invalid

from ..data.preparation import PreparedVolume, prepare
from ..data.slice_sampler import make_pairs, make_sampler
from ..data.sources import Skipped, Source
from ..data.split import Split, split_subjects
from ..networks.vgg import find_lpips, load_vgg
from ..options.settings import Settings
from ..runs import lock
from ..runs.events import Event, EventCallback, EventLog
from ..runs.folder import RunFolder
from .stage_run import Batches, StageRun
from .stages import make_stage
from .start import check_start
from .validation import Validation

PRECISIONS = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}
"""Names of the precisions in accelerate."""


def train(
    settings: Settings,
    sources: Sequence[Source],
    run: str | Path,
    card: dict[str, str] | None = None,
    cache: str | Path | None = None,
    on_event: EventCallback | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
    skipped: Sequence[tuple[str, str]] = (),
) -> RunFolder:
    """Train in a new run folder.

    Args:
        settings: Settings of the run.
        sources: Volume files.
        run: Folder of the run; created if needed.
        card: Fields of the model cards: "title", "limits", "license", "made_for".
        cache: Folder of the prepared volumes; None: `data.cache.default_folder()`.
        on_event: Called with every event (see `runs.events`), in the first process only.
        on_progress: Called with the number of steps of both stages, in the first process only.
        is_cancelled: Called between volumes and between steps. A stop can also be requested with
            `runs.lock.request_stop`. A checkpoint is written before Cancelled is raised.
        skipped: Files that were left out when the sources were read, each with the reason.

    Returns:
        The folder of the run.

    Raises:
        SuperResolutionError: The run cannot start, or failed for a reason that the user can fix.
        Cancelled: A stop was requested.
    """
    with accelerator_for(settings) as accelerator:
        folder = RunFolder(run, accelerator.is_main_process)
        folder.check_new()
        start = check_start(settings)
        perceptual = _Perceptual(settings)
        accelerator.wait_for_everyone()  # until all processes have seen that the folder is new
        with _locked(folder, accelerator, is_cancelled) as is_stop_requested:
            volumes, unusable = _prepared(accelerator, sources, settings, cache, is_stop_requested)
            unusable = [*skipped, *unusable]
            if not volumes:
                reason = ": ".join(unusable[0]) if unusable else "add some."
                raise SuperResolutionError(f"No usable training volumes. {reason}")
            split = split_subjects(volumes, settings.data.validation_share, settings.seed)
            held_out = [
                (Path(volume.source.path).name, volume.sha256)
                for volume in volumes
                if volume.source.subject not in split.train
            ]
            messages = [
                *start.messages,
                *start.split_messages(held_out),
                *_data_messages(volumes, unusable, split),
            ]
            folder.describe(
                {
                    "settings": settings.to_dict(),
                    "card": card or {},
                    "sources": [source.to_dict() for source in sources],
                    "cache": str(cache) if cache else None,
                    "split": split.to_dict(),
                    "started_from": start.ancestors,
                    "volumes": [_described(volume) for volume in volumes],
                    "unusable": unusable,
                    "versions": versions() | {"accelerate": accelerate.__version__},
                    "messages": [message.to_dict() for message in messages],
                }
            )
            listener = _listener(settings, on_event, on_progress)
            _Run(accelerator, settings, folder, perceptual, is_stop_requested).run(
                volumes, split, listener
            )
    return folder


def resume(
    run: str | Path,
    on_event: EventCallback | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> RunFolder:
    """Continue a run from its last checkpoint.

    On the same machine the result is bit for bit that of an uninterrupted run.

    Args:
        run: Folder of the run.
        on_event: As for `train`.
        on_progress: As for `train`.
        is_cancelled: As for `train`.

    Raises:
        SuperResolutionError: The folder holds no run, or a volume has changed since its start.
        Cancelled: A stop was requested.
    """
    description = RunFolder(run).description()
    settings = Settings.from_dict(description["settings"])
    with accelerator_for(settings) as accelerator:
        folder = RunFolder(run, accelerator.is_main_process)
        perceptual = _Perceptual(settings)
        with _locked(folder, accelerator, is_cancelled) as is_stop_requested:
            sources = [Source.from_dict(values) for values in description["sources"]]
            volumes, _ = _prepared(
                accelerator, sources, settings, description["cache"], is_stop_requested
            )
            _check_unchanged(volumes, description["volumes"])
            split = Split.from_dict(description["split"])
            listener = _listener(settings, on_event, on_progress)
            _Run(accelerator, settings, folder, perceptual, is_stop_requested).run(
                volumes, split, listener
            )
    return folder


@contextlib.contextmanager
def accelerator_for(settings: Settings) -> Iterator[Accelerator]:
    """Yield an Accelerator of the requested precision on the available devices and processes.

    Raises:
        SuperResolutionError: The precision is not available on this computer, or the batch cannot
            be divided among the processes (kind "settings").
    """
    # the only way to another precision in the same interpreter
    AcceleratorState._reset_state(reset_partial_state=True)  # type: ignore[no-untyped-call]
    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    try:
        # without cpu=True, processes that torchrun started on a CPU would not find each other
        accelerator = Accelerator(mixed_precision=PRECISIONS[settings.precision], cpu=not has_gpu)
    except ValueError as e:
        raise invalid(
            f"The precision {settings.precision} is not available on this computer ({e}): choose "
            "float32."
        ) from e
    try:
        _check_accelerator(accelerator, settings)
        yield accelerator
    finally:
        accelerator.end_training()


def _check_accelerator(accelerator: Accelerator, settings: Settings) -> None:
    if settings.precision == "float16" and accelerator.scaler is None:
        # accelerate would silently compute in float32
        raise invalid("The precision float16 needs a GPU: choose bfloat16 or float32.")
    count = accelerator.num_processes
    if settings.batch % count:
        raise invalid(
            f"A batch of {settings.batch} patches cannot be divided evenly among {count} "
            f"processes: choose a multiple of {count}."
        )


class _Perceptual:
    """Perceptual networks that the settings need, loaded before hours of work."""

    def __init__(self, settings: Settings) -> None:
        gan = settings.gan
        self.vgg = load_vgg("vgg19", gan.vgg) if gan and gan.perceptual_weight else None
        self.lpips = find_lpips() if gan else None


class _Run:
    """The stages of a run, from its start or its last checkpoint to its end."""

    def __init__(
        self,
        accelerator: Accelerator,
        settings: Settings,
        folder: RunFolder,
        perceptual: _Perceptual,
        is_stop_requested: Callable[[], bool],
    ) -> None:
        self._accelerator, self._settings, self._folder = accelerator, settings, folder
        self._perceptual, self._is_stop_requested = perceptual, is_stop_requested

    def run(self, volumes: Sequence[PreparedVolume], split: Split, listener: EventCallback) -> None:
        """Train until the end of the last stage."""
        accelerator, settings = self._accelerator, self._settings
        state = self._folder.checkpoint()
        accelerator.wait_for_everyone()  # until all processes have read it
        batches = Batches(make_sampler(split.training(volumes), settings), accelerator)
        validation = self._validation(split.validating(volumes))
        log = EventLog(self._folder.path, listener, accelerator.is_main_process)
        names = settings.stages
        with (
            contextlib.closing(log),
            contextlib.closing(batches),
            torch.backends.cudnn.flags(enabled=True, deterministic=True),  # type: ignore[no-untyped-call]
        ):
            log.write(
                "start",
                state["stage"] if state else names[0],
                state["step"] if state else 0,
                resumed=state is not None,
                processes=accelerator.num_processes,
                device=str(accelerator.device),
                precision=settings.precision,
                steps={name: settings.stage(name).steps for name in names},
                messages=[] if state else self._folder.description()["messages"],
            )
            for name in names[names.index(state["stage"]) :] if state else names:
                accelerator.wait_for_everyone()  # until the models of the stage before exist
                stage = make_stage(name, accelerator, settings, self._folder, self._perceptual.vgg)
                stage_run = StageRun(
                    stage, batches, validation, self._folder, log, self._is_stop_requested
                )
                if state and state["stage"] == name:
                    stage_run.restore(state)
                stage_run.run()
            log.write("end", names[-1], settings.stage(names[-1]).steps)

    def _validation(self, volumes: Sequence[PreparedVolume]) -> Validation | None:
        pairs = make_pairs(volumes, self._settings)
        if not len(pairs):
            return None
        return Validation(
            self._accelerator, self._settings, pairs, self._perceptual.vgg, self._perceptual.lpips
        )


@contextlib.contextmanager
def _locked(
    folder: RunFolder, accelerator: Accelerator, is_cancelled: CancelCheck | None
) -> Iterator[Callable[[], bool]]:
    """Lock the run for these processes, and yield a check for a requested stop."""
    folder.make()
    with lock.locked_run(folder.path) if accelerator.is_main_process else contextlib.nullcontext():
        accelerator.wait_for_everyone()  # until an old stop request is cleared
        yield lambda: lock.is_stop_requested(folder.path) or bool(is_cancelled and is_cancelled())


def _prepared(
    accelerator: Accelerator,
    sources: Sequence[Source],
    settings: Settings,
    cache: str | Path | None,
    is_stop_requested: Callable[[], bool],
) -> tuple[list[PreparedVolume], Skipped]:
    """The first process of a machine prepares the volumes; the others find them in the cache."""
    with accelerator.local_main_process_first():
        return prepare(
            sources, settings.data, cache, is_cancelled=is_stop_requested, scale=settings.scale
        )


def _listener(
    settings: Settings, on_event: EventCallback | None, on_progress: ProgressCallback | None
) -> EventCallback:
    """Return a listener that reports events and the steps of both stages."""

    def report(event: Event) -> None:
        if on_event:
            on_event(event)
        if on_progress and event["event"] in ("start", "step", "end"):
            before = settings.psnr.steps if event["stage"] == "gan" else 0
            is_last = event["stage"] == settings.stages[-1]
            remaining = event.get("remaining") if is_last else None
            done = before + event["step"]
            on_progress(Progress(done, settings.steps, event.get("rate"), remaining))

    return report


def _described(volume: PreparedVolume) -> dict[str, Any]:
    """Description of a volume for run.json."""
    return {
        **volume.source.to_dict(),
        "sha256": volume.sha256,
        "low_sha256": volume.low_sha256,
        "spacing": list(volume.spacing),
        "slice_spacing": volume.slice_spacing,
        "slices": len(volume.kept),
        "left_out": {str(number): reason for number, reason in volume.left_out.items()},
        "messages": [message.to_dict() for message in volume.messages],
    }


def _data_messages(
    volumes: Sequence[PreparedVolume], unusable: Skipped, split: Split
) -> list[Message]:
    left_out = [
        info(
            "data",
            f"{volume.source.label}: {len(volume.left_out)} of {len(volume.slices)} slices left "
            "out, with little or no anatomy.",
        )
        for volume in volumes
        if volume.left_out
    ]
    files = [warning("data", f"{path}: {reason}") for path, reason in unusable]
    return [*split.messages, *files, *left_out]


def _check_unchanged(
    volumes: Sequence[PreparedVolume], described: Sequence[dict[str, Any]]
) -> None:
    now = {
        (volume.source.path, volume.source.series): (volume.sha256, volume.low_sha256)
        for volume in volumes
    }
    for entry in described:
        hashes = entry["sha256"], entry.get("low_sha256", "")
        if now.get((entry["path"], entry.get("series", ""))) != hashes:
            raise SuperResolutionError(
                f"{entry['path']} is missing or has changed since the run started: restore it, or "
                "start a new run."
            )
