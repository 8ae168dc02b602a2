"""What the worker does for its kinds of request: arrays are read, handed to the core, and written; models are taken into the user's folder.

Request   output                        fields of its result event
upsample   an .npy file                  output ijkToRAS provenance messages
compare   a folder, where are written   output, outputs (name stage file provenance) ijkToRAS reference low lowIJKToRAS (files or null)
          .npy files                    axis (axis plane) table dots messages
install   -                             name scale
import    -                             name scale
"""

import contextlib
import errno
import os
from dataclasses import asdict
from typing import cast

import numpy as np

from ..core.errors import SuperResolutionError
from ..core.methods.registry import MethodRegistry
from ..core.options import UpsamplingOptions


class Jobs:
    """Keeps loaded networks between jobs. upsample, compare: the functions of the core, or test doubles of them."""

    def __init__(self, upsample=None, compare=None):
        self._upsample, self._compare = upsample, compare
        self._methods = MethodRegistry()

    def run(self, request, progress, cancelled):
        """The fields of the result event. Raises SuperResolutionError, Cancelled, and whatever the core does."""
        if request["request"] in ("install", "import"):
            return self._add_model(request)
        volume, matrix = read_array(request["input"]), np.array(request["ijkToRAS"], dtype=float)
        job = self._run_compare if request["request"] == "compare" else self._run_upsample
        return {"output": request["output"], **job(volume, matrix, request, progress, cancelled)}

    @staticmethod
    def discard(request):
        """Removes what a job has written that did not come to its end; of a comparison that is left to whoever made the folder."""
        if request["request"] == "upsample":
            with contextlib.suppress(OSError):
                os.remove(request["output"])

    @staticmethod
    def _add_model(request):
        if request["request"] == "install":
            from ..core.models.user_models import install

            card = install(request["path"])
        else:
            from ..core.models.convert import import_checkpoint

            card = import_checkpoint(request["path"], request["name"])
        return {"name": card.name, "scale": card.scale}

    def _run_upsample(self, volume, matrix, request, progress, cancelled):
        upsample = self._upsample
        if upsample is None:
            from ..core.upsampling import upsample
        result = upsample(
            volume,
            matrix,
            UpsamplingOptions.from_dict(request["job"]),
            methods=self._methods,
            allocate=lambda shape, dtype: map_array(request["output"], shape, dtype),
            progress=progress,
            cancelled=cancelled,
        )
        cast(np.memmap, result.volume).flush()
        return {
            "ijkToRAS": result.ijk_to_ras.tolist(),
            "provenance": result.provenance,
            "messages": list(result.messages),
        }

    def _run_compare(self, volume, matrix, request, progress, cancelled):
        from ..core.options import ComparisonOptions

        compare = self._compare
        if compare is None:
            from ..core.comparison.compare import compare
        folder = request["output"]
        files = {}

        def allocate(name, shape, dtype):
            files[name] = f"{len(files)}.npy"
            return map_array(os.path.join(folder, files[name]), shape, dtype)

        result = compare(
            volume,
            matrix,
            ComparisonOptions.from_dict(request["job"]),
            methods=self._methods,
            allocate=allocate,
            progress=progress,
            cancelled=cancelled,
        )
        for output in result.outputs:
            cast(np.memmap, output.volume).flush()
        for name, array in (("reference", result.reference), ("low", result.low)):
            if array is not None:
                write_array(os.path.join(folder, f"{name}.npy"), array)
        return {
            "outputs": [
                {
                    "name": o.name,
                    "stage": o.stage,
                    "file": files[o.name],
                    "provenance": o.provenance,
                }
                for o in result.outputs
            ],
            "ijkToRAS": result.ijk_to_ras.tolist(),
            "reference": None if result.reference is None else "reference.npy",
            "low": "low.npy",
            "lowIJKToRAS": result.low_ijk_to_ras.tolist(),
            "axis": {"axis": result.axis.axis, "plane": result.axis.plane},
            "table": result.table.to_dict(),
            "dots": [asdict(dot) for dot in result.dots],
            "messages": list(result.messages),
        }


def read_array(path):
    """The array of an .npy file. Raises SuperResolutionError where there is none."""
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise SuperResolutionError(
            "The copy of the volume that was made for this run is gone: start the run again."
        ) from None
    except (OSError, ValueError, EOFError) as error:
        raise SuperResolutionError(
            "The copy of the volume that was made for this run cannot be read: start the run again."
        ) from error


def write_array(path, array):
    """Writes an .npy file that appears whole or not at all. Raises SuperResolutionError where it cannot be written."""
    part = path + ".part"
    try:
        with open(part, "wb") as file:
            np.save(file, array, allow_pickle=False)
        os.replace(part, path)
    except OSError as error:
        raise _no_room(error) from error
    finally:
        if os.path.exists(part):
            os.remove(part)


def map_array(path, shape, dtype):
    """An .npy file as an array, so that large results need no memory. Raises SuperResolutionError where there is no room for it."""
    try:
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        if hasattr(
            os, "posix_fallocate"
        ):  # a full disk would otherwise end the process at the first write
            with open(path, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))
        return array
    except OSError as error:
        raise _no_room(error) from error


def _no_room(error):
    """Why nothing can be written: the folder is gone, the memory for a view of the file is not enough, or else the disk is full."""
    if error.errno == errno.ENOENT:
        return SuperResolutionError(
            "The temporary folder of this run is gone: start the run again.", "environment"
        )
    if error.errno == errno.ENOMEM:
        return SuperResolutionError(
            "The memory of this computer is not enough for the result: close other programs, crop the volume or choose a smaller scale.",
            "memory",
        )
    return SuperResolutionError(
        f"The result cannot be written to the temporary folder ({error.strerror}): free some space there and start again.",
        "environment",
    )
