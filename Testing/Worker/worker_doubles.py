"""Test doubles of core.upsample.upsample, for the worker's child process; each has the signature of the real one.

Those that do not come to a result stand in for core.comparison.compare.compare, too.
"""

import os
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
from MRISuperResLib.core.inference.errors import translate_device_errors
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.upsampling import UpsamplingResult
from MRISuperResLib.core.upsampling import upsample as real_upsample

calls = []


def counting(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    calls.append(methods)
    same_methods = all(each is methods for each in calls)
    output = allocate(volume.shape, volume.dtype)
    output[:] = volume
    return UpsamplingResult(output, ijk_to_ras, {"calls": len(calls), "same_methods": same_methods})


def until_cancelled(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    progress(0, 3)
    while not cancelled():
        pass
    raise Cancelled


def deaf(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    progress(0, 3)
    threading.Event().wait()  # for ever


def out_of_memory(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    raise MemoryError


def buggy(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    return 1 / 0


def crashing(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    progress(0, 3)
    print("last words of the worker", flush=True)
    os._exit(7)


def talkative(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    print("a library prints this")
    print('{"event": "result", "id": "faked"}', flush=True)
    os.write(1, b"a C library writes this\n")
    subprocess.run([sys.executable, "-c", "print('a program prints this')"])
    return real_upsample(volume, ijk_to_ras, job, methods, progress, cancelled, allocate)


def without_torch(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    result = real_upsample(volume, ijk_to_ras, job, methods, progress, cancelled, allocate)
    assert "torch" not in sys.modules
    return result


def too_large_for_the_disk(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    allocate((2**14, 2**14, 2**14), np.uint8)  # 4 TiB


def halfway(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    allocate(volume.shape, volume.dtype)[0] = volume[0]
    return 1 / 0


def gated(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    """The core, halfway through its slices held up until the file named by the first argument of the process exists."""

    def report(done, total):
        progress(done, total)
        while done == total // 2 and not os.path.exists(sys.argv[1]) and not cancelled():
            pass

    return real_upsample(
        volume, ijk_to_ras, replace(job, batch_size=1), methods, report, cancelled, allocate
    )


@translate_device_errors
def losing_the_gpu(volume, ijk_to_ras, job, methods, allocate, progress, cancelled):
    progress(1, 3)
    raise RuntimeError(
        "CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later."
    )


def second_gated(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    """As `gated`, from the second job on."""
    calls.append(methods)
    return (gated if len(calls) > 1 else real_upsample)(
        volume, ijk_to_ras, job, methods, progress, cancelled, allocate
    )


def only_small(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    if volume.size > 100:
        raise MemoryError
    return real_upsample(volume, ijk_to_ras, job, methods, progress, cancelled, allocate)


def without_packages(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    raise SuperResolutionError("PyTorch is missing.", "packages")


def gated_compare(volume, ijk_to_ras, job, methods, progress, cancelled, allocate):
    """As `gated`, held up before the first slice."""
    from MRISuperResLib.core.comparison.compare import compare  # here, because it takes its time

    def report(done, total):
        progress(done, total)
        while not os.path.exists(sys.argv[1]) and not cancelled():
            pass

    return compare(
        volume,
        ijk_to_ras,
        job,
        methods=methods,
        allocate=allocate,
        progress=report,
        cancelled=cancelled,
    )


def for_both_jobs(name):
    """{"upsample": the double, "compare": its twin, or the double itself}."""
    return {
        "upsample": globals()[name],
        "compare": globals().get(f"{name}_compare", globals()[name]),
    }
