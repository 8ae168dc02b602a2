"""What a whole run costs: python Testing/Benchmarks/job_benchmark.py

From file to file, by the way that the command line goes: the parts of a run and the share of all that is not the network; how this grows with slices, with
their size and with the scale, and what memory it takes beside the output; what a first run costs more than a second; what a worker adds, which is warm. Every
row has a process of its own. Run it on a machine that does nothing else.
"""

import argparse
import contextlib
import json
import os
import pkgutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

import numpy as np
from benchmark_tools import body, processor, seconds, table

MATRIX = np.diag([1.0, 1.0, 3.0, 1.0])
SIZE, SCALE = (256, 256, 60), 2
GROWTH = [
    ((256, 256, 15), 2),
    ((256, 256, 30), 2),
    ((256, 256, 60), 2),
    ((128, 128, 60), 2),
    ((384, 384, 60), 2),
    ((256, 256, 60), 4),
    ((256, 256, 60), 8),
]
PARTS = ("read", "normalize", "network", "restore, place", "write")


class Clock:
    """Seconds spent in functions, by name."""

    def __init__(self):
        self.seconds = dict.fromkeys(
            ("read", "of", "normalize", "network", "upsample", "write"), 0.0
        )

    def watch(self, target, name):
        function = pkgutil.resolve_name(target)

        def timed(*arguments, **keywords):
            start = time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                self.seconds[name] += time.perf_counter() - start

        return mock.patch(target, timed)

    def parts(self):
        took = self.seconds
        normalize = took["of"] + took["normalize"]
        return dict(
            zip(
                PARTS,
                (
                    took["read"],
                    normalize,
                    took["network"],
                    took["upsample"] - normalize - took["network"],
                    took["write"],
                ),
            )
        )


class MemoryWatch:
    """The largest part of the process's memory that is its own, not that of mapped files; Linux only, 0 elsewhere."""

    def __enter__(self):
        self.before = self.most = self._own()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    @property
    def grown(self):
        return self.most - self.before

    def _watch(self):
        while not self._end.wait(0.002):
            self.most = max(self.most, self._own())

    @staticmethod
    def _own():
        try:
            _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
        except OSError:
            return 0
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def one_run(source, target, job, methods):
    """(seconds of each part, bytes of memory, bytes of the output) of a run from file to file."""
    from MRISuperResLib.cli import upsample as command

    class Console:
        def message(self, text): ...
        def progress(self, done, total): ...

    clock = Clock()
    core = "MRISuperResLib.core"
    with contextlib.ExitStack() as stack, MemoryWatch() as memory:
        for name, what in (
            (f"{core}.runner.run", "network"),
            (f"{core}.intensity.Intensity.normalize", "normalize"),
            (f"{core}.upsampling.mask_non_finite", "of"),
            (f"{core}.intensity.Intensity.of", "of"),
            ("MRISuperResLib.cli.upsample.read_volume", "read"),
            ("MRISuperResLib.cli.upsample.upsample", "upsample"),
            ("MRISuperResLib.cli.upsample.write_volume", "write"),
        ):
            stack.enter_context(clock.watch(name, what))
        result = command.upsample_file(
            source, command.writer(target, source, as_dicom=False), job, methods, Console(), None
        )
    return clock.parts(), memory.grown, result.volume.nbytes


def measure(size, scale, model, device, suffix, repeats):
    """In a process of its own: {"cold": seconds that a first run takes beyond a second one; "parts", "total": medians; "memory", "output": bytes}."""
    from MRISuperResLib.core.io.writing import write_volume
    from MRISuperResLib.core.options import UpsamplingOptions
    from MRISuperResLib.core.methods.registry import MethodRegistry

    with tempfile.TemporaryDirectory() as folder:
        small, source, target = (Path(folder, f"{name}{suffix}") for name in ("small", "in", "out"))
        volume = body(size[::-1])
        write_volume(small, volume[:1], MATRIX, {})
        write_volume(source, volume, MATRIX, {})
        del volume
        job, methods = (
            UpsamplingOptions(model.format(scale=scale), scale, "k", device),
            MethodRegistry(),
        )
        first, second = (seconds(lambda: one_run(small, target, job, methods)) for _ in range(2))
        runs = [one_run(source, target, job, methods) for _ in range(repeats)]
    return {
        "cold": first - second,
        "parts": {part: statistics.median(parts[part] for parts, _, _ in runs) for part in PARTS},
        "total": statistics.median(sum(parts.values()) for parts, _, _ in runs),
        "memory": runs[0][1],
        "output": runs[0][2],
    }


def in_a_process(*arguments):
    """What a new Python says to `measure` with these arguments."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", json.dumps(arguments)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def worker(size, scale, model, device, jobs):
    """(seconds until it is ready, [seconds from the request to the result, without those from the first slice to the last] of jobs one after the other)."""
    sys.path.append(str(Path(__file__).parents[1] / "Worker"))
    import worker_client

    worker_client.PATIENCE = 3600
    start = time.perf_counter()
    client = worker_client.WorkerClient()
    ready, took = time.perf_counter() - start, []
    try:
        for number in range(jobs):
            np.save(client.path("input.npy"), body(size[::-1]))
            start = time.perf_counter()
            client.send(
                {
                    "request": "upsample",
                    "id": str(number),
                    "job": {
                        "model": model.format(scale=scale),
                        "scale": scale,
                        "axis": "k",
                        "device": device,
                    },
                    "input": client.path("input.npy"),
                    "ijkToRAS": MATRIX.tolist(),
                    "output": client.path("output.npy"),
                }
            )
            times, event = [], client.event()
            while event["event"] == "progress":
                times.append(time.perf_counter())
                event = client.event()
            if event["event"] != "result":
                sys.exit(event["message"])
            took.append(time.perf_counter() - start - (times[-1] - times[0]))
    finally:
        client.close()
    return ready, took


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        default="fast-x{scale}-psnr",
        help="{scale} stands for the scale; default: %(default)s",
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--format", default=".nii.gz", help="of the files; default: .nii.gz")
    parser.add_argument("--repeats", type=int, default=3, help="default: 3")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*json.loads(arguments.measure))))
        return
    print(
        f"{arguments.model}, {arguments.format}, device {arguments.device}; {processor()}, median of {arguments.repeats}"
    )
    print(
        "rest: all but the network; memory: of the process, beyond what it had before the run, as a multiple of the output"
    )
    rows = []
    for size, scale in GROWTH:
        found = in_a_process(
            size, scale, arguments.model, arguments.device, arguments.format, arguments.repeats
        )
        if (size, scale) == (SIZE, SCALE):
            warm = found
        rest = found["total"] - found["parts"]["network"]
        rows.append(
            (
                f"{'×'.join(map(str, size))} ×{scale}",
                f"{100 * rest / found['total']:.1f} %",
                f"{found['total']:.2f}",
                f"{found['total'] / size[2]:.3f}",
                *(f"{found['parts'][part]:.2f}" for part in PARTS),
                f"{found['memory'] / found['output']:.2f}",
                f"{found['memory'] / 2**20:.0f} MiB",
            )
        )
        print("\r" + rows[-1][0], file=sys.stderr)
    print(table(("volume", "rest", "total s", "s/slice", *PARTS, "memory", ""), rows))
    print(
        f"\nfirst run in a process beyond a second one: {warm['cold']:.2f} s (importing PyTorch, loading the weights)"
    )
    ready, jobs = worker(SIZE, SCALE, arguments.model, arguments.device, 1 + arguments.repeats)
    print(
        f"worker, {'×'.join(map(str, SIZE))} ×{SCALE}: ready after {ready:.2f} s; from the request to the result, beyond the slices: first job {jobs[0]:.2f} s, "
        f"later ones {statistics.median(jobs[1:]):.2f} s"
    )


if __name__ == "__main__":
    main()
