"""Speed of the networks: python Testing/Benchmarks/network_benchmark.py

Compares `upsample_volume` with spandrel's RRDBNet (eager, float32, slice by slice), with the same
weights and volume, in turns and in one process. Prints medians, the speedup, and the rate relative
to matrix products. The weights are random, because the time does not depend on them. Run it on an
idle computer.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from benchmark_tools import body, in_turns, matrix_rate, operations, processor, ratio, table
from MRISuperResLib.core.networks import make_generator
from MRISuperResLib.core.intensity import Intensity
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.inference.device import resolve_device
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume

sys.path.append(str(Path(__file__).parents[1] / "Core"))
from made_models import write_network
from made_torchvision import declare_missing_operators

FAST = {"network": "compact", "blocks": 16, "features": 32}
MATRIX = np.diag([1.0, 1.0, 3.0, 1.0])


def write_models(folder, scale, blocks):
    """Write models with random weights, "rrdb" and "fast", and return their networks."""
    torch.manual_seed(0)
    nets = {}
    for name, architecture in (("rrdb", {"blocks": blocks}), ("fast", FAST)):
        net = nets[name] = make_generator(architecture, scale).eval()
        # keeps output intensities about as large as those of trained networks
        torch.nn.init.normal_(net.conv_last.weight, std=0.01)
        write_network(folder, name, net, scale=scale, architecture=architecture)
    return nets


def plain_path(net, volume, device):
    """Return a function that upsamples slice by slice with spandrel's network."""
    declare_missing_operators()
    from spandrel import ModelLoader

    plain = ModelLoader().load_from_state_dict(dict(net.state_dict())).model.eval().to(device)
    intensity = Intensity.of(volume)

    def run():
        with torch.no_grad():
            slices = [
                plain(torch.from_numpy(intensity.normalize(slice_)).float()[None, None].to(device))[
                    0, 0
                ]
                .cpu()
                .numpy()
                for slice_ in volume
            ]
        return intensity.restore(np.stack(slices))

    return run


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--size",
        type=int,
        nargs=3,
        metavar=("I", "J", "K"),
        help="volume size; default: 64 64 12, on a GPU 256 256 60",
    )
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--blocks", type=int, default=23, help="RRDBs; default: 23")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=5, help="default: 5")
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    size = arguments.size or ((256, 256, 60) if device.type == "cuda" else (64, 64, 12))
    volume = body(size[::-1])
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    print(
        f"{'×'.join(map(str, size))} voxels ×{arguments.scale}, RRDB-{arguments.blocks}; {name}, "
        f"PyTorch {torch.__version__}, median of {arguments.repeats}"
    )

    with tempfile.TemporaryDirectory() as folder:
        nets = write_models(folder, arguments.scale, arguments.blocks)
        registry, outputs = MethodRegistry(ModelStore([folder])), {}

        def ours(model, precision):
            options = UpsamplingOptions(model, arguments.scale, "k", str(device), precision)

            def run():
                outputs[model, precision] = upsample_volume(
                    Volume(volume, MATRIX), options, registry=registry
                )

            return run

        def plain():
            outputs["plain"] = reference()

        reference = plain_path(nets["rrdb"], volume, device)
        cases = [
            (model, precision) for model in ("rrdb", "fast") for precision in ("float32", "half")
        ]
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        times = in_turns(
            {"plain": plain} | {case: ours(*case) for case in cases}, arguments.repeats
        )

    rates = {
        dtype: matrix_rate(device, getattr(torch, dtype))
        for dtype in {outputs[case].provenance["precision"] for case in cases}
    }
    extent = np.ptp(volume)
    rows = [
        ("plain, float32", "1.00", *_speed(times["plain"], size, operations(nets["rrdb"])), "", "")
    ]
    for model, precision in cases:
        result = outputs[model, precision]
        used, work = result.provenance["precision"], operations(nets[model])
        *speed, flops = _speed(times[model, precision], size, work)
        difference = (
            f"{np.abs(result.array.astype(float) - outputs['plain']).max() / extent:.1e}"
            if model == "rrdb"
            else ""
        )
        rows.append(
            (
                f"{model}, {precision}" + (f" ({used})" if precision == "half" else ""),
                f"{ratio(times, 'plain', (model, precision)):.2f}",
                *speed,
                flops,
                f"{100 * float(flops) * 1e9 / rates[used]:.0f} %",
                difference,
            )
        )
    print(
        table(
            (
                "path",
                "speedup",
                "s",
                "s/slice",
                "Gflop/s",
                "% of matrix rate",
                "largest difference",
            ),
            rows,
        )
    )
    print(
        "matrix rate: "
        + ", ".join(f"{dtype} {rate / 1e9:.0f} Gflop/s" for dtype, rate in sorted(rates.items()))
    )
    for precision in ("float32", "half"):
        speedup = ratio(times, ("rrdb", precision), ("fast", precision))
        print(f"speedup of fast over RRDB-{arguments.blocks}, {precision}: {speedup:.1f}")
    if device.type == "cuda":
        print(f"peak GPU memory: {torch.cuda.max_memory_allocated(device) / 2**30:.2f} GiB")


def _speed(times, size, work):
    """Return (s, s/slice, Gflop/s)."""
    median = statistics.median(times)
    return f"{median:.2f}", f"{median / size[2]:.3f}", f"{work * np.prod(size) / median / 1e9:.0f}"


if __name__ == "__main__":
    main()
