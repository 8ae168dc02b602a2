"""Cost of upsampling from file to file: python Testing/Benchmarks/job_benchmark.py

Measures, on the path of the command line: the parts of a task and the share of everything but the
network, for several slice counts, slice sizes and scales; peak memory beyond the output; the extra
time of the first task of a process; the overhead of a warm worker process. Every row runs in a
separate process. Run it on an idle computer.
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
PARTS = ("read", "normalize", "network", "restore, store", "write")


class Clock:
    """Seconds spent in functions, by name."""

    def __init__(self):
        names = ("read", "range", "normalize", "network", "upsample", "write")
        self.seconds = dict.fromkeys(names, 0.0)

    def watch(self, target, name):
        """Return a patch of the function `target` that adds its time to `name`."""
        function = pkgutil.resolve_name(target)

        def timed(*arguments, **keywords):
            start = time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                self.seconds[name] += time.perf_counter() - start

        return mock.patch(target, timed)

    def parts(self):
        """Return the seconds of each of PARTS."""
        spent = self.seconds
        normalize = spent["range"] + spent["normalize"]
        restore = spent["upsample"] - normalize - spent["network"]
        values = (spent["read"], normalize, spent["network"], restore, spent["write"])
        return dict(zip(PARTS, values))


class MemoryWatch:
    """Peak memory of the process without mapped files, in bytes; 0 on systems other than Linux."""

    def __enter__(self):
        self.before = self.peak = self._own()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    @property
    def grown(self):
        return self.peak - self.before

    def _watch(self):
        while not self._end.wait(0.002):
            self.peak = max(self.peak, self._own())

    @staticmethod
    def _own():
        try:
            _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
        except OSError:
            return 0
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


class SilentConsole:
    """Console without output."""

    def messages(self, messages): ...

    def progress(self, progress): ...


def run_once(source, target, options, registry):
    """Upsample a file; return the seconds of each part, and the bytes of memory and output."""
    from MRISuperResLib.cli import upsample as command

    clock = Clock()
    core, cli = "MRISuperResLib.core", "MRISuperResLib.cli.upsample"
    with contextlib.ExitStack() as stack, MemoryWatch() as memory:
        for function, part in (
            (f"{core}.inference.runner.run_network", "network"),
            (f"{core}.intensity.Intensity.normalize", "normalize"),
            (f"{core}.masking.missing_voxels", "range"),
            (f"{core}.intensity.Intensity.of", "range"),
            (f"{cli}.read_frames", "read"),
            (f"{core}.upsampling.upsample_volume", "upsample"),
            (f"{core}.io.nifti.write_nifti", "write"),
            (f"{core}.io.itk.write_itk", "write"),
        ):
            stack.enter_context(clock.watch(function, part))
        output = command.make_output(target, source, as_dicom=False)
        result = command.upsample_file(source, output, options, registry, SilentConsole(), None)
    return clock.parts(), memory.grown, result.array.nbytes


def measure(size, scale, model, device, suffix, repeats):
    """Measure tasks in this process.

    Returns:
        "cold": extra seconds of the first task; "parts" and "total": median seconds; "memory" and
        "output": bytes.
    """
    from MRISuperResLib.core.methods.registry import MethodRegistry
    from MRISuperResLib.core.options import UpsamplingOptions
    from MRISuperResLib.core.volume import Volume

    with tempfile.TemporaryDirectory() as folder:
        small, source, target = (Path(folder, f"{name}{suffix}") for name in ("small", "in", "out"))
        volume = body(size[::-1])
        Volume(volume[:1], MATRIX).save(small)
        Volume(volume, MATRIX).save(source)
        del volume
        options = UpsamplingOptions(model.format(scale=scale), scale, "k", device)
        registry = MethodRegistry()
        first, second = (
            seconds(lambda: run_once(small, target, options, registry)) for _ in range(2)
        )
        runs = [run_once(source, target, options, registry) for _ in range(repeats)]
    return {
        "cold": first - second,
        "parts": {part: statistics.median(parts[part] for parts, _, _ in runs) for part in PARTS},
        "total": statistics.median(sum(parts.values()) for parts, _, _ in runs),
        "memory": runs[0][1],
        "output": runs[0][2],
    }


def measure_in_process(*arguments):
    """Call `measure` in a new process."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", json.dumps(arguments)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def measure_worker(size, scale, model, device, count):
    """Measure consecutive requests to one worker process.

    Returns:
        The seconds until the worker is ready, and for each request the seconds from request to
        result without those from the first slice to the last.
    """
    sys.path.append(str(Path(__file__).parents[1] / "Worker"))
    import worker_client

    worker_client.PATIENCE = 3600
    start = time.perf_counter()
    client = worker_client.WorkerClient()
    ready, overheads = time.perf_counter() - start, []
    request = {
        "request": "upsample",
        "options": {
            "model": model.format(scale=scale),
            "scale": scale,
            "slice_axis": "k",
            "device": device,
        },
        "input": client.path("input.npy"),
        "ijkToRAS": MATRIX.tolist(),
        "output": client.path("output.npy"),
    }
    try:
        for number in range(count):
            np.save(client.path("input.npy"), body(size[::-1]))
            start = time.perf_counter()
            client.send({**request, "id": str(number)})
            times, event = [], client.event()
            while event["event"] == "progress":
                times.append(time.perf_counter())
                event = client.event()
            if event["event"] != "result":
                sys.exit(event["message"])
            overheads.append(time.perf_counter() - start - (times[-1] - times[0]))
    finally:
        client.close()
    return ready, overheads


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        default="fast-x{scale}-psnr",
        help="{scale} is replaced by the scale; default: %(default)s",
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--format", default=".nii.gz", help="file extension; default: .nii.gz")
    parser.add_argument("--repeats", type=int, default=3, help="default: 3")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*json.loads(arguments.measure))))
        return
    print(
        f"{arguments.model}, {arguments.format}, device {arguments.device}; {processor()}, "
        f"median of {arguments.repeats}"
    )
    print("rest: everything but the network, as a share of the total")
    print("memory: peak memory of the process beyond that before the task, relative to the output")
    rows = []
    for size, scale in GROWTH:
        found = measure_in_process(
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
        f"\nextra time of the first task of a process: {warm['cold']:.2f} s "
        "(importing PyTorch, loading the weights)"
    )
    ready, overheads = measure_worker(
        SIZE, SCALE, arguments.model, arguments.device, 1 + arguments.repeats
    )
    print(
        f"worker, {'×'.join(map(str, SIZE))} ×{SCALE}: ready after {ready:.2f} s; from request to "
        f"result, without the slices: first task {overheads[0]:.2f} s, "
        f"later ones {statistics.median(overheads[1:]):.2f} s"
    )


if __name__ == "__main__":
    main()
