"""Devices and processes of a run, and the share of every batch that a process prefetches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.validation import invalid

from ..options.settings import Settings

PRECISIONS = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}
"""Precisions in the terms of accelerate."""


class Sampler(Protocol):
    """Source of batches, see `data.sampler.PatchSampler`."""

    def batch(self, step: int, part: int = 0, parts: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return a part of the batch of a step."""


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
        _check(accelerator, settings)
        yield accelerator
    finally:
        accelerator.end_training()


def _check(accelerator: Accelerator, settings: Settings) -> None:
    if settings.precision == "float16" and accelerator.scaler is None:
        # accelerate would silently compute in float32
        raise invalid("The precision float16 needs a GPU: choose bfloat16 or float32.")
    count = accelerator.num_processes
    if settings.batch % count:
        raise invalid(
            f"A batch of {settings.batch} patches cannot be divided evenly among {count} "
            f"processes: choose a multiple of {count}."
        )


def memory_error(accelerator: Accelerator, patches: int) -> SuperResolutionError:
    """Return the error for a training step that did not fit into memory.

    Args:
        accelerator: Device of the run.
        patches: Patches per forward pass.
    """
    return SuperResolutionError(
        f"Out of memory on {accelerator.device} with {patches} patches at a time: choose a smaller "
        f"“micro_batch”, for example {max(1, patches // 2)}. The result stays the same.",
        "memory",
    )


class Batches:
    """The batches of this process; the next one is made while the network works on this one.

    Args:
        sampler: Sampler whose batches depend on the seed and the step only.
        accelerator: Number of this process and of all processes; device.
    """

    def __init__(self, sampler: Sampler, accelerator: Accelerator) -> None:
        self._sampler, self._accelerator = sampler, accelerator
        self._pool = ThreadPoolExecutor(1)
        self._next: tuple[int, Future[tuple[np.ndarray, np.ndarray]]] | None = None

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return (low, high) of a step: (n, 1, h, w) float32 on the device."""
        is_ready = self._next is not None and self._next[0] == step
        low, high = self._next[1].result() if self._next and is_ready else self._make(step)
        self._next = (step + 1, self._pool.submit(self._make, step + 1))
        return self._moved(low), self._moved(high)

    def close(self) -> None:
        """Stop prefetching."""
        self._pool.shutdown(cancel_futures=True)

    def _make(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        return self._sampler.batch(
            step, self._accelerator.process_index, self._accelerator.num_processes
        )

    def _moved(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(
            self._accelerator.device, memory_format=torch.channels_last
        )
