"""Speed of networks on this computer: measured in every run, used by the next estimate."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import slicer

from ..core.errors import SuperResolutionError
from ..core.method_name import MethodName
from ..core.models.store import ModelStore
from ..core.options import UpsamplingOptions
from ..core.output_plan import STEP_MEGAVOXELS
from ..core.system import device_kind, thread_count

if TYPE_CHECKING:
    from ..core.models.card import ModelCard
    from ..core.progress import Progress
    from ..worker.client import WorkerProcess

SETTING = "MRISuperRes/MeasuredSpeeds"
MIN_SECONDS = 0.2
"""Shorter runs say little about the speed."""
START_SECONDS = (2.0, 6.0)
"""Range of the start of the worker process with PyTorch, until it was measured."""
MAX_SPEEDUP = 4
"""Other processors are up to this many times faster than that of a card; twice per core."""
ENSEMBLE_RUNS = 8
ORIENTATIONS = 2
"""Runs of a network between slices, in place of one in-plane."""


class SpeedMeter:
    """Meter of one task, which remembers its speed.

    Args:
        options: Options of the task.
        isCold: True if the worker process must be started.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        options: UpsamplingOptions,
        isCold: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options, self._isCold, self._clock = options, isCold, clock
        self._requestTime = clock()
        self._startSeconds = self._seconds = 0.0

    @classmethod
    def of(cls, options: UpsamplingOptions, worker: WorkerProcess) -> Self:
        """Return the meter of a task that a worker process will run."""
        return cls(options, isCold=worker.pid is None)

    def update(self, progress: Progress) -> None:
        """Take in the progress of the current volume."""
        if self._isCold and not self._startSeconds:
            self._startSeconds = self._clock() - self._requestTime
        if progress.rate:
            self._seconds = progress.total / progress.rate

    def remember(self, methodName: str, voxels: int) -> None:
        """Remember the speed of a finished volume.

        Args:
            methodName: Name of the method that the worker used.
            voxels: Number of voxels of the output.
        """
        card = _cardOf(methodName)
        if card is None or self._seconds < MIN_SECONDS:
            return
        speed = self._seconds / (voxels / 1e6 * _runs(self._options))
        measured = _read()
        place = _dict(measured.get(_place(self._options)))
        place["networks"] = {**_dict(place.get("networks")), networkOf(card): speed}
        if card.cpu_speed:
            place["relative"] = speed / card.cpu_speed["seconds_per_megapixel"]
        if self._startSeconds:
            place["start"] = self._startSeconds
        measured[_place(self._options)] = place
        slicer.app.userSettings().setValue(SETTING, json.dumps(measured))


def runsBetweenSlices(options: UpsamplingOptions) -> int:
    """Return how often a network between slices computes every voxel, beside the self-ensemble."""
    return 1 if options.ensemble else ORIENTATIONS


def adaptationMegapixels(options: UpsamplingOptions) -> float:
    """Return the work of the adaptation to a volume, which the self-ensemble does not repeat."""
    return options.adapt * STEP_MEGAVOXELS / _runs(options)


def networkOf(card: ModelCard) -> str:
    """Return scale and architecture as text; networks that share it are equally fast."""
    return json.dumps([card.scale, card.architecture], sort_keys=True)


def estimateSeconds(
    works: Sequence[tuple[ModelCard, float]], options: UpsamplingOptions, isCold: bool
) -> tuple[float, float] | None:
    """Return the shortest and the longest time of a task in seconds, or None if it is unknown.

    Both are equal if the network was measured on this computer with these options. Another network
    is as much faster or slower than its card says as the last one that was measured. Without any
    measurement, the range covers other processors than that of the card.

    Args:
        works: (card, megapixels of its outputs) of the networks that run one after the other;
            without any, the time is unknown.
        options: Options of the task.
        isCold: True if the worker process must be started.
    """
    place = _dict(_read().get(_place(options)))
    ranges = []
    for card, megapixels in works:
        speeds = _speeds(card, place, options)
        if speeds is None:
            return None
        ranges.append([speed * megapixels * _runs(options) for speed in speeds])
    if not ranges:
        return None
    start = _positive(place.get("start"))
    starts = (start, start) if start else START_SECONDS
    low, high = (
        sum(seconds) + (start if isCold else 0) for seconds, start in zip(zip(*ranges), starts)
    )
    return low, high


def _speeds(
    card: ModelCard, place: dict[str, Any], options: UpsamplingOptions
) -> tuple[float, float] | None:
    """Return the range of seconds per megapixel, or None."""
    measured = _positive(_dict(place.get("networks")).get(networkOf(card)))
    if measured:
        return measured, measured
    if not card.cpu_speed or device_kind(options.device) != "cpu":  # cards have CPU times only
        return None
    speed, relative = card.cpu_speed["seconds_per_megapixel"], _positive(place.get("relative"))
    if relative:
        return speed * relative, speed * relative
    threads = thread_count() / card.cpu_speed["threads"]
    return speed / min(MAX_SPEEDUP, 2 * max(1, threads)), speed / min(1, threads)


def _cardOf(methodName: str) -> ModelCard | None:
    """Return the card of a network; None for interpolations and back-projected methods."""
    name, store = MethodName.parse(methodName), ModelStore()
    if name.back_projected:
        return None
    try:
        return (store.model(name.base) if name.alpha is None else store.pair(name.base)[0]).card
    except SuperResolutionError:
        return None


def _place(options: UpsamplingOptions) -> str:
    """Return what decides the speed of a network: computer, device, precision and threads."""
    device, precision = options.device, options.precision
    if device_kind(device) == "cpu":
        device, precision = "cpu", "float32" if precision == "auto" else precision
    return f"{platform.node()} {device} {precision} {thread_count()}"


def _runs(options: UpsamplingOptions) -> int:
    return ENSEMBLE_RUNS if options.ensemble else 1


def _read() -> dict[str, Any]:
    """Return the measured speeds; empty if the setting is missing or damaged."""
    try:
        return _dict(json.loads(slicer.app.userSettings().value(SETTING) or ""))
    except (TypeError, ValueError, RecursionError):
        return {}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _positive(value: object) -> float:
    """Return a number that can be a speed or a duration, else 0."""
    isNumber = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if isNumber and 1e-6 < value < 1e6 else 0.0
