"""Test doubles of `core.upsampling.upsample_volume`, for the child process of the worker.

Each has the signature of the real function. Those without a result also stand in for
`core.comparison.compare.compare_methods`.
"""

import os
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError, translate_device_errors
from MRISuperResLib.core.progress import Progress
from MRISuperResLib.core.upsampling import upsample_volume

calls = []


def counting(volume, options, *, registry, on_progress, is_cancelled, allocate):
    calls.append(registry)
    output = allocate(volume.array.shape, volume.array.dtype)
    output[:] = volume.array
    same_registry = all(each is registry for each in calls)
    provenance = {"calls": len(calls), "same_registry": same_registry}
    return replace(volume, array=output, provenance=provenance)


def until_cancelled(volume, options, *, registry, on_progress, is_cancelled, allocate):
    on_progress(Progress(0, 3))
    while not is_cancelled():
        pass
    raise Cancelled


def deaf(volume, options, *, registry, on_progress, is_cancelled, allocate):
    on_progress(Progress(0, 3))
    threading.Event().wait()  # forever


def out_of_memory(volume, options, *, registry, on_progress, is_cancelled, allocate):
    raise MemoryError


def buggy(volume, options, *, registry, on_progress, is_cancelled, allocate):
    return 1 / 0


def crashing(volume, options, *, registry, on_progress, is_cancelled, allocate):
    on_progress(Progress(0, 3))
    print("last words of the worker", flush=True)
    os._exit(7)


def talkative(volume, options, **rest):
    print("a library prints this")
    print('{"event": "result", "id": "faked"}', flush=True)
    os.write(1, b"a C library writes this\n")
    subprocess.run([sys.executable, "-c", "print('a program prints this')"])
    return upsample_volume(volume, options, **rest)


def without_torch(volume, options, **rest):
    result = upsample_volume(volume, options, **rest)
    assert "torch" not in sys.modules
    return result


def too_large_for_the_disk(volume, options, *, registry, on_progress, is_cancelled, allocate):
    allocate((2**14, 2**14, 2**14), np.uint8)  # 4 TiB


def halfway(volume, options, *, registry, on_progress, is_cancelled, allocate):
    allocate(volume.array.shape, volume.array.dtype)[0] = volume.array[0]
    return 1 / 0


def gated(volume, options, *, on_progress, is_cancelled, **rest):
    """Wait halfway through the slices for the file that the first process argument names."""

    def report(progress):
        on_progress(progress)
        while (
            progress.done == progress.total // 2
            and not os.path.exists(sys.argv[1])
            and not is_cancelled()
        ):
            pass

    return upsample_volume(
        volume,
        replace(options, batch_size=1),
        on_progress=report,
        is_cancelled=is_cancelled,
        **rest,
    )


@translate_device_errors
def losing_the_gpu(volume, options, *, registry, on_progress, is_cancelled, allocate):
    on_progress(Progress(1, 3))
    raise RuntimeError(
        "CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later."
    )


def second_gated(volume, options, **rest):
    """As `gated`, from the second job on."""
    calls.append(volume)
    return (gated if len(calls) > 1 else upsample_volume)(volume, options, **rest)


def only_small(volume, options, **rest):
    if volume.array.size > 100:
        raise MemoryError
    return upsample_volume(volume, options, **rest)


def without_packages(volume, options, **rest):
    raise SuperResolutionError("PyTorch is missing.", "packages")


def gated_compare(volume, options, *, on_progress, is_cancelled, **rest):
    """As `gated`, before the first slice."""
    from MRISuperResLib.core.comparison.compare import compare_methods  # slow to import

    def report(progress):
        on_progress(progress)
        while not os.path.exists(sys.argv[1]) and not is_cancelled():
            pass

    return compare_methods(volume, options, on_progress=report, is_cancelled=is_cancelled, **rest)


def for_both_jobs(name):
    """Return {"upsample": the double, "compare": its twin, or the double itself}."""
    return {
        "upsample": globals()[name],
        "compare": globals().get(f"{name}_compare", globals()[name]),
    }
