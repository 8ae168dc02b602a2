"""upscale IN OUT, and what it shares with upscale-many."""

import time
from pathlib import Path

import numpy as np

from ..core import geometry
from ..core.errors import MRISuperResError
from ..core.files import check_output, read_volume, write_volume
from ..core.job import UpscaleJob
from ..core.methods import MethodCache
from ..core.progress import duration
from ..core.upscale import upscale


def run(arguments, console, cancelled):
    """Returns the line that tells what was written. Raises MRISuperResError, Cancelled."""
    start = time.monotonic()
    job = UpscaleJob(arguments.model, arguments.scale, arguments.axis, arguments.device, arguments.precision)
    check_output(arguments.output, arguments.input)
    methods = MethodCache()
    method = methods.get(job)
    result = upscale_file(arguments.input, arguments.output, job, methods, console, cancelled, arguments.frame, arguments.series)
    return (f"Written: {arguments.output}, {'×'.join(map(str, result.volume.shape[::-1]))} voxels of "
            f"{'×'.join(f'{s:.4g}' for s in np.round(geometry.spacing(result.ijk_to_ras), 6))} mm ({result.volume.dtype.name}), "
            f"model {method.name} ×{method.scale}, {duration(time.monotonic() - start)}")


def upscale_file(source, target, job, methods, console, cancelled, frame=None, series=None):
    """Reads, enlarges and writes a volume; returns the UpscaleResult. Raises MRISuperResError, Cancelled."""
    try:
        return _upscale_file(source, target, job, methods, console, cancelled, frame, series)
    except MemoryError as e:
        raise MRISuperResError(f"There is not enough memory to read {Path(source).name}, or to write what becomes of it: close other programs, crop the volume "
                               "or choose a smaller scale.", "memory") from e


def _upscale_file(source, target, job, methods, console, cancelled, frame, series):
    volume = read_volume(source, frame, series)
    for message in volume.messages:
        console.message(message)
    try:
        result = upscale(volume.array, volume.ijk_to_ras, job, methods, console.progress, cancelled)
    except MemoryError as e:
        gib = volume.array.nbytes * methods.get(job).scale**2 / 2**30
        raise MRISuperResError(f"There is not enough memory: the output alone takes {gib:.1f} GiB, and the work on it several times as much; "
                               "close other programs, crop the volume or choose a smaller scale.", "memory") from e
    for message in result.messages:
        console.message(message)
    result.provenance["input"] |= {"file": Path(source).name, "frame": frame, "series": series}
    write_volume(target, result.volume, result.ijk_to_ras, result.provenance)
    return result
