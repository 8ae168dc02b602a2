"""upsample IN OUT, and what it shares with batch."""

import functools
import time
from pathlib import Path

import numpy as np

from ..core import geometry
from ..core.errors import SuperResolutionError
from ..core.io import check_output, read_volume, write_volume
from ..core.methods.registry import MethodRegistry
from ..core.options import UpsamplingOptions
from ..core.progress import format_duration
from ..core.upsampling import upsample


def run(arguments, console, cancelled):
    """Returns the line that tells what was written. Raises SuperResolutionError, Cancelled."""
    start = time.monotonic()
    job = UpsamplingOptions(
        arguments.model, arguments.scale, arguments.axis, arguments.device, arguments.precision
    )
    write = writer(
        arguments.output, arguments.input, arguments.dicom, arguments.frame, arguments.series
    )
    methods = MethodRegistry()
    method = methods.get(job)
    result = upsample_file(
        arguments.input, write, job, methods, console, cancelled, arguments.frame, arguments.series
    )
    return (
        f"Written: {arguments.output}, {'×'.join(map(str, result.volume.shape[::-1]))} voxels of "
        f"{'×'.join(f'{s:.4g}' for s in np.round(geometry.spacing(result.ijk_to_ras), 6))} mm ({result.volume.dtype.name}), "
        f"model {method.name} ×{method.scale}, {format_duration(time.monotonic() - start)}"
    )


def writer(target, source, as_dicom, frame=None, series=None):
    """The function that will write the volume made of `source`: write(array, ijk_to_ras, provenance). Raises SuperResolutionError where it could not.

    as_dicom: a folder with a derived series, where the name of `target` says which kind of file it is otherwise.
    """
    if not as_dicom:
        check_output(target, source)
        return functools.partial(write_volume, target)
    from ..core.io.dicom_write import DicomSeriesWriter, find_source_series

    return DicomSeriesWriter(target, find_source_series(source, frame, series)).write


def upsample_file(source, write, job, methods, console, cancelled, frame=None, series=None):
    """Reads, enlarges and writes a volume; returns the UpsamplingResult. write: see writer. Raises SuperResolutionError, Cancelled."""
    try:
        return _upsample_file(source, write, job, methods, console, cancelled, frame, series)
    except MemoryError as e:
        raise SuperResolutionError(
            f"There is not enough memory to read {Path(source).name}, or to write what becomes of it: close other programs, crop the volume "
            "or choose a smaller scale.",
            "memory",
        ) from e


def _upsample_file(source, write, job, methods, console, cancelled, frame, series):
    volume = read_volume(source, frame, series)
    for message in volume.messages:
        console.message(message)
    try:
        result = upsample(
            volume.array, volume.ijk_to_ras, job, methods, console.progress, cancelled
        )
    except MemoryError as e:
        gib = volume.array.nbytes * methods.get(job).scale ** 2 / 2**30
        raise SuperResolutionError(
            f"There is not enough memory: the output alone takes {gib:.1f} GiB, and the work on it several times as much; "
            "close other programs, crop the volume or choose a smaller scale.",
            "memory",
        ) from e
    for message in result.messages:
        console.message(message)
    result.provenance["input"] |= {"file": Path(source).name, "frame": frame, "series": series}
    write(result.volume, result.ijk_to_ras, result.provenance)
    return result
