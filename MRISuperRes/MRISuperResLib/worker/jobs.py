"""Jobs of the worker: upsample and compare arrays, install and import models, check packages."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from ..core.errors import SuperResolutionError
from ..core.methods.registry import MethodRegistry
from ..core.options import ComparisonOptions, UpsamplingOptions
from ..core.progress import CancelCheck, ProgressCallback
from ..core.volume import Volume
from .packages import check_package
from .protocol import Request

if TYPE_CHECKING:
    from ..core.comparison.results import Comparison
    from ..core.messages import Message


Job = Callable[[Request, ProgressCallback, CancelCheck], dict[str, Any]]
"""Called as job(request, on_progress, is_cancelled); returns the fields of the result event."""


class Upsample(Protocol):
    """Signature of `core.upsampling.upsample_volume` as the worker calls it."""

    def __call__(
        self,
        volume: Volume,
        options: UpsamplingOptions,
        *,
        registry: MethodRegistry,
        on_progress: ProgressCallback,
        is_cancelled: CancelCheck,
        allocate: Callable[[tuple[int, ...], np.dtype], np.ndarray],
    ) -> Volume:
        """Upsample a volume."""
        ...


class Compare(Protocol):
    """Signature of `core.comparison.compare.compare_methods` as the worker calls it."""

    def __call__(
        self,
        volume: Volume,
        options: ComparisonOptions,
        *,
        registry: MethodRegistry,
        on_progress: ProgressCallback,
        is_cancelled: CancelCheck,
        allocate: Callable[[str, tuple[int, ...], np.dtype], np.ndarray],
    ) -> Comparison:
        """Compare methods on a volume."""
        ...


class Jobs:
    """Runner of jobs that keeps loaded networks between them.

    Args:
        upsample: Test double of `core.upsampling.upsample_volume`.
        compare: Test double of `core.comparison.compare.compare_methods`.
    """

    def __init__(self, upsample: Upsample | None = None, compare: Compare | None = None) -> None:
        self._upsample, self._compare = upsample, compare
        self._registry = MethodRegistry()

    def job_for(self, request: Request) -> Job:
        """Return the function for a request."""
        jobs: dict[str, Job] = {
            "upsample": self.upsample,
            "compare": self.compare,
            "labels": upsample_labels,
            "install": install,
            "import": import_checkpoint,
            "check": check_package,
        }
        return jobs[request["request"]]

    @staticmethod
    def discard(request: Request) -> None:
        """Delete the unfinished output of a job; files of a comparison stay in its folder."""
        if request["request"] in ("upsample", "labels"):
            for path in (request["output"], _uncertainty_path(request)):
                with contextlib.suppress(OSError):
                    os.remove(path)

    def upsample(
        self, request: Request, on_progress: ProgressCallback, is_cancelled: CancelCheck
    ) -> dict[str, Any]:
        """Upsample a volume.

        Result fields: output, ijkToRAS, provenance, uncertainty (a file, or None), messages.

        Raises:
            SuperResolutionError: An error that the user can fix.
            Cancelled: `is_cancelled` returned True.
        """
        from ..core.upsampling import upsample_volume

        result = (self._upsample or upsample_volume)(
            _input(request),
            UpsamplingOptions.from_dict(request["options"]),
            registry=self._registry,
            on_progress=on_progress,
            is_cancelled=is_cancelled,
            allocate=lambda shape, dtype: map_array(request["output"], shape, dtype),
        )
        _flush(result.array)
        return {
            "output": request["output"],
            "ijkToRAS": result.ijk_to_ras.tolist(),
            "provenance": result.provenance,
            "uncertainty": _write_uncertainty(result, request),
            "messages": _to_dicts(result.messages),
        }

    def compare(
        self, request: Request, on_progress: ProgressCallback, is_cancelled: CancelCheck
    ) -> dict[str, Any]:
        """Compare methods on a volume.

        Result fields: output (the folder of the files below), outputs (each with name, stage, file
        and provenance), ijkToRAS, reference and low (files; without reference: None), lowIJKToRAS,
        axis (fields of `SliceAxis`), table, lesions, messages.

        Raises:
            SuperResolutionError: An error that the user can fix.
            Cancelled: `is_cancelled` returned True.
        """
        from ..core.comparison.compare import compare_methods

        folder = request["output"]
        files: dict[str, str] = {}

        def allocate(name: str, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
            files[name] = f"{len(files)}.npy"
            return map_array(os.path.join(folder, files[name]), shape, dtype)

        result = (self._compare or compare_methods)(
            _input(request),
            ComparisonOptions.from_dict(request["options"]),
            registry=self._registry,
            on_progress=on_progress,
            is_cancelled=is_cancelled,
            allocate=allocate,
        )
        for output in result.outputs:
            _flush(output.volume.array)
        for name, kept in (("reference", result.reference), ("low", result.low)):
            if kept is not None:
                write_array(os.path.join(folder, f"{name}.npy"), kept.array)
        return {
            "output": folder,
            "outputs": [
                {
                    "name": output.name,
                    "stage": output.stage,
                    "file": files[output.name],
                    "provenance": output.volume.provenance,
                }
                for output in result.outputs
            ],
            "ijkToRAS": result.outputs[0].volume.ijk_to_ras.tolist(),
            "reference": None if result.reference is None else "reference.npy",
            "low": "low.npy",
            "lowIJKToRAS": result.low.ijk_to_ras.tolist(),
            "axis": asdict(result.axis),
            "table": result.table.to_dict(),
            "lesions": [asdict(lesion) for lesion in result.lesions],
            "messages": _to_dicts(result.messages),
        }


def upsample_labels(
    request: Request, on_progress: ProgressCallback, is_cancelled: CancelCheck
) -> dict[str, Any]:
    """Upsample a label map to the grid of an output; result fields: output, messages.

    Raises:
        SuperResolutionError: The grids do not fit.
    """
    from ..core import labels

    voxels = np.broadcast_to(np.zeros((), np.uint8), request["size"][::-1])
    result = labels.upsample_labels(
        _input(request),
        Volume(voxels, np.array(request["outputIJKToRAS"], dtype=float)),
        request["interpolation"],
    )
    write_array(request["output"], result.array)
    return {"output": request["output"], "messages": _to_dicts(result.messages)}


def install(
    request: Request, on_progress: ProgressCallback, is_cancelled: CancelCheck
) -> dict[str, Any]:
    """Install a model; result fields: name, scale (None: it upsamples between slices)."""
    from ..core.models.user_models import install_model

    card = install_model(request["path"])
    return {"name": card.name, "scale": None if card.is_through_plane else card.scale}


def import_checkpoint(
    request: Request, on_progress: ProgressCallback, is_cancelled: CancelCheck
) -> dict[str, Any]:
    """Import a checkpoint as a model; result fields: name, scale."""
    from ..core.models import convert

    card = convert.import_checkpoint(request["path"], request["name"])
    return {"name": card.name, "scale": card.scale}


def _uncertainty_path(request: Request) -> str:
    return str(request["output"]) + ".uncertainty.npy"


def _write_uncertainty(result: Volume, request: Request) -> str | None:
    if result.uncertainty is None:
        return None
    path = _uncertainty_path(request)
    write_array(path, result.uncertainty.array)
    return path


def _input(request: Request) -> Volume:
    return Volume(
        read_array(request["input"]),
        np.array(request["ijkToRAS"], dtype=float),
        slice_thickness=request.get("sliceThickness"),
    )


def _to_dicts(messages: tuple[Message, ...] | list[Message]) -> list[dict[str, str]]:
    return [message.to_dict() for message in messages]


def _flush(array: np.ndarray) -> None:
    if isinstance(array, np.memmap):
        array.flush()


def read_array(path: str) -> np.ndarray:
    """Read an .npy file.

    Raises:
        SuperResolutionError: The file is missing or not readable.
    """
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
        return array
    except FileNotFoundError:
        raise SuperResolutionError(
            "The temporary copy of the volume is missing. Start again."
        ) from None
    except (OSError, ValueError, EOFError) as error:
        raise SuperResolutionError(
            "The temporary copy of the volume is not readable. Start again."
        ) from error


def write_array(path: str, array: np.ndarray) -> None:
    """Write an .npy file, atomically.

    Raises:
        SuperResolutionError: The file cannot be written.
    """
    part = path + ".part"
    try:
        with open(part, "wb") as file:
            np.save(file, array, allow_pickle=False)
        os.replace(part, path)
    except OSError as error:
        raise _write_error(error) from error
    finally:
        if os.path.exists(part):
            os.remove(part)


def map_array(path: str, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """Allocate an .npy file as an array, so that large outputs need no memory.

    Raises:
        SuperResolutionError: The file cannot be written, for example because the disk is full.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
        if hasattr(os, "posix_fallocate"):
            # otherwise a full disk ends the process at the first write
            with open(path, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))
        return array
    except OSError as error:
        raise _write_error(error) from error


def _write_error(error: OSError) -> SuperResolutionError:
    if error.errno == errno.ENOENT:
        return SuperResolutionError(
            "The temporary folder of this task is missing. Start again.", "environment"
        )
    if error.errno == errno.ENOMEM:
        return SuperResolutionError(
            "Out of memory for the output. Close other applications, crop the volume or choose a "
            "smaller scale.",
            "memory",
        )
    return SuperResolutionError(
        "The output cannot be written to the temporary folder "
        f"({error.strerror or 'the disk is full'}). Free some space there and start again.",
        "environment",
    )
