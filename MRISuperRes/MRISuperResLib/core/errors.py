"""Exceptions that end a task early: errors that the user can fix, cancellation, device failures.

PyTorch may raise a failure long after its cause, in an unrelated call. Exception types and error
codes identify a failure where PyTorch has them. Memory allocators and GPU libraries raise a plain
RuntimeError, which is identified by a fixed token in its text.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

KINDS = ("input", "model", "settings", "environment", "packages", "memory", "device")

MEMORY_TOKENS = (
    "out of memory",  # CUDA and MPS, before PyTorch 2.5 and in calls of the runtime
    "not enough memory",  # CPU allocator on Windows
    "can't allocate memory",  # CPU allocator on Linux and macOS
    "STATUS_ALLOC_FAILED",  # cuBLAS, cuDNN
)
LOADER_TOKENS = (
    "failed to map segment",  # of a shared library, on Linux
    "annot allocate memory",
    "can't start new thread",
)
"""Texts of ImportErrors, OSErrors and RuntimeErrors for lack of memory or address space."""
FAILURE_TOKENS = (
    "CUDA error",
    "CUDA driver error",
    "HIP error",
    "cuDNN error",
    "CUDNN_STATUS",
    "CUBLAS_STATUS",
    "CUSOLVER_STATUS",
    "CUFFT_",
    "NCCL error",
    "MPS backend",
)
CUDA_ERROR_MEMORY_ALLOCATION = 2

P = ParamSpec("P")
R = TypeVar("R")


class SuperResolutionError(Exception):
    """An error that the user can fix; its text says what happened, where, and what to do.

    Attributes:
        kind: "input" (the volume), "model" (a model's files), "settings" (the options),
            "environment" (disk, missing hardware), "packages" (Python packages missing or broken),
            "memory", or "device" (a GPU failed; the process that used it cannot use it again).
    """

    def __init__(self, message: str, kind: str = "input") -> None:
        super().__init__(message)
        if kind not in KINDS:
            raise ValueError(f"unknown kind of error: {kind!r}")
        self.kind = kind


class Cancelled(Exception):  # noqa: N818 (not an error)
    """Cancellation of a task by its caller."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if a device or the computer ran out of memory."""
    return (
        isinstance(error, MemoryError)
        or _is_torch_error(error, "OutOfMemoryError")
        or (
            isinstance(error, RuntimeError)
            and (
                getattr(error, "error_code", None) == CUDA_ERROR_MEMORY_ALLOCATION
                or any(token in str(error) for token in MEMORY_TOKENS)
            )
        )
        or (
            isinstance(error, (ImportError, OSError, RuntimeError))
            and any(token in str(error) for token in LOADER_TOKENS)
        )
    )


def is_device_failure(error: BaseException) -> bool:
    """Return True if a GPU or its driver failed; this process cannot use the GPU again."""
    return _is_torch_error(error, "AcceleratorError") or (
        isinstance(error, RuntimeError) and any(token in str(error) for token in FAILURE_TOKENS)
    )


def translate_device_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function: device failures become a SuperResolutionError.

    The kind is "memory" or "device". A failed task does not continue on another device, since
    earlier results of a failing GPU may be wrong.
    """

    @functools.wraps(function)
    def translated(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except RuntimeError as error:  # callers that know the size translate MemoryError
            if is_out_of_memory(error):
                raise SuperResolutionError(
                    "Out of memory. Close other applications, choose the device cpu, or crop the "
                    "volume.",
                    "memory",
                ) from error
            if is_device_failure(error):
                reason = str(error).splitlines()[0].rstrip(".")
                raise SuperResolutionError(
                    f"The GPU failed ({reason}); nothing was changed. Start again. If it fails "
                    "again, choose the device cpu and restart the computer.",
                    "device",
                ) from error
            raise

    return translated


def _is_torch_error(error: BaseException, name: str) -> bool:
    """Return True for an error type of newer PyTorch versions, without importing PyTorch."""
    kind = getattr(sys.modules.get("torch"), name, None)
    return isinstance(kind, type) and isinstance(error, kind)
