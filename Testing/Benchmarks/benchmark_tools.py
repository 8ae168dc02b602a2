"""Helpers of the benchmarks: a volume, alternating timing, the computer's speed, and tables."""

import os
import platform
import statistics
import time

import numpy as np
from scipy.ndimage import gaussian_filter


def body(shape, seed=0):
    """Make a round body with tissue and noise in air, (k, j, i), int16."""
    random = np.random.default_rng(seed)
    k, j, i = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    inside = np.hypot(j, i) < 0.8 - 0.2 * k**2
    tissue = gaussian_filter(random.random(shape), (0, 2, 2))
    tissue = (tissue - tissue.min()) / np.ptp(tissue)
    return (inside * (200 + 800 * tissue) + np.abs(random.normal(0, 8, shape))).astype(np.int16)


def seconds(function, clock=time.perf_counter):
    start = clock()
    function()
    return clock() - start


def in_turns(functions, repeats, clock=time.perf_counter):
    """Time functions in turns, so that other load on the computer affects all alike.

    All functions run once without timing first.

    Returns:
        {name: [seconds of every repeat]}.
    """
    for function in functions.values():
        function()
    times = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(seconds(function, clock))
    return times


def ratio(times, numerator, denominator):
    """Return the median over the repeats of the ratio of two times."""
    return statistics.median(a / b for a, b in zip(times[numerator], times[denominator]))


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def processor():
    from MRISuperResTrainingLib.evaluation.speed import processor

    return f"{processor()}, {cores()} cores, Python {platform.python_version()}"


def matrix_rate(device, dtype, side=None):
    """Measure the floating-point operations per second of large matrix products."""
    import torch

    side = side or (8192 if device.type == "cuda" else 2048)
    a, b = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))

    def product():
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    product()
    return 2 * side**3 / min(seconds(product) for _ in range(5))


def operations(net):
    """Count the floating-point operations of all convolutions per low-resolution pixel."""
    import torch

    counted, side = [], 16
    hooks = [
        conv.register_forward_hook(
            lambda conv, _, out: counted.append(
                2 * conv.weight.numel() * out.shape[2] * out.shape[3]
            )
        )
        for conv in net.modules()
        if isinstance(conv, torch.nn.Conv2d)
    ]
    with torch.inference_mode():
        net(torch.zeros(1, 1, side, side))
    for hook in hooks:
        hook.remove()
    return sum(counted) / side**2


def table(header, rows):
    """Format a table: the first column is left-aligned, the others are right-aligned."""
    cells = [list(map(str, row)) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths))
        )
        for row in cells
    )
