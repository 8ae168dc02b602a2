"""Cost of a comparison relative to its networks: python Testing/Benchmarks/compare_benchmark.py

Times, in turns and in one process, the comparison and its networks alone on the same low-resolution
slices. Prints medians. Run it on an idle computer, or with OMP_NUM_THREADS=1 and --processor-time,
which other programs hardly affect.
"""

import argparse
import statistics
import sys
import time

import numpy as np
from benchmark_tools import body, cores, in_turns, ratio
from MRISuperResLib.core.comparison.compare import compare_methods
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.comparison.stack import SliceStack
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.volume import Volume

METHODS = "nearest,bilinear,bicubic,bicubic+bp,fast-x{scale}-psnr"


def measure(volume, matrix, options, registry, repeats, clock=time.perf_counter):
    """Return the medians of "comparison" and "networks" in seconds, and of their "ratio"."""
    stack = SliceStack(Volume(volume, matrix), options)
    low = np.stack([stack.read(number)[0] for number in range(len(stack))])
    networks = {
        method.name: method
        for name in options.methods
        for method in [registry.get(options.upsampling_options(name.removesuffix("+bp")))]
        if method.cards
    }
    if not networks:
        sys.exit("no network among the methods")
    size = min(network.batch_size(*low.shape[1:]) for network in networks.values())

    def networks_alone():
        for start in range(0, len(low), size):
            for network in networks.values():
                network(low[start : start + size])

    times = in_turns(
        {
            "networks": networks_alone,
            "comparison": lambda: compare_methods(
                Volume(volume, matrix), options, registry=registry
            ),
        },
        repeats,
        clock,
    )
    return {"ratio": ratio(times, "comparison", "networks")} | {
        name: statistics.median(values) for name, values in times.items()
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--size",
        type=int,
        nargs=3,
        default=(256, 256, 30),
        metavar=("I", "J", "K"),
        help="volume size; default: 256 256 30",
    )
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument(
        "--methods", default=METHODS, help="comma-separated list; default: %(default)s"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=5, help="default: 5")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="measure processor time of all threads instead of elapsed time",
    )
    arguments = parser.parse_args()
    methods = tuple(arguments.methods.format(scale=arguments.scale).split(","))
    volume, matrix, registry = (
        body(arguments.size[::-1]),
        np.diag([1.0, 1.0, 3.0, 1.0]),
        MethodRegistry(),
    )
    print(
        f"{'×'.join(map(str, arguments.size))} voxels, "
        f"{len(methods)} methods ({', '.join(methods)}) ×{arguments.scale}, "
        f"{cores()} CPU cores, device {arguments.device}, "
        f"{'processor' if arguments.processor_time else 'elapsed'} time, "
        f"median of {arguments.repeats}"
    )
    print("mode           ratio  comparison  networks alone    difference")
    clock = time.process_time if arguments.processor_time else time.perf_counter
    for reference in (True, False):
        options = ComparisonOptions(methods, arguments.scale, reference, device=arguments.device)
        found = measure(volume, matrix, options, registry, arguments.repeats, clock)
        print(
            f"{'reference' if reference else 'no reference':13}  {found['ratio']:5.2f}  "
            f"{found['comparison']:8.2f} s  {found['networks']:12.2f} s  "
            f"{found['comparison'] - found['networks']:10.2f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
