"""Speed of the GAN stage: python Testing/Benchmarks/training_benchmark.py

Compares a training step with a plain loop in the order of BasicSR's ESRGANModel (five passes of the
discriminator, float32, NCHW), with the same networks and batch, in turns and in one process. Also
prints the share of the training time spent waiting for data. VGG19 has random weights. Run it on an
idle computer.
"""

import argparse
import copy
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from benchmark_tools import body, in_turns, processor, ratio, table
from MRISuperResLib.core.io.formats import write_volume
from MRISuperResLib.core.volume import Volume
from MRISuperResLib.core.networks import make_generator
from MRISuperResTrainingLib.data.preparation import prepare
from MRISuperResTrainingLib.data.sampler import PatchSampler
from MRISuperResTrainingLib.data.sources import read_sources
from MRISuperResTrainingLib.training.stage_run import Batches
from MRISuperResTrainingLib.training.stages import GanStage
from MRISuperResTrainingLib.training.trainer import accelerator_for
from MRISuperResTrainingLib.training.losses import perceptual
from MRISuperResTrainingLib.networks import vgg
from MRISuperResTrainingLib.networks.discriminators import make_discriminator
from MRISuperResTrainingLib.networks.vgg import VGG
from MRISuperResTrainingLib.options.presets import preset
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

GENERATORS = {
    "fast": {"network": "compact", "blocks": 16, "features": 32},
    "rrdb-23": {"network": "rrdb", "blocks": 23},
    "rrdb-6": {"network": "rrdb", "blocks": 6},
}


def random_vgg(folder):
    """Write and load a VGG19 with random weights."""
    random, weights, features_in, index = np.random.default_rng(0), {}, 3, 0
    for count, width in zip(vgg.CONVOLUTIONS["vgg19"], vgg.WIDTHS):
        for _ in range(count):
            values = random.normal(
                0, np.sqrt(2 / (9 * features_in)), (width, features_in, 3, 3)
            ).astype(np.float32)
            weights[f"features.{index}.weight"] = torch.from_numpy(values)
            weights[f"features.{index}.bias"] = torch.zeros(width)
            features_in, index = width, index + 2
        index += 1
    torch.save(weights, Path(folder, "vgg19.pth"))
    return VGG("vgg19", Path(folder, "vgg19.pth"))


class PlainLoop:
    """Training loop in the order of BasicSR's ESRGANModel.optimize_parameters."""

    def __init__(self, numbers, ema, generator, discriminator, vgg, device):
        self._numbers, self._ema, self._vgg = numbers, ema, vgg.to(device)
        self._generator, self._discriminator = generator.to(device), discriminator.to(device)
        self._trained = [p for p in discriminator.parameters() if p.requires_grad]
        self._average = [p.detach().clone() for p in generator.parameters()]
        self._optimizers = [
            torch.optim.Adam(parameters, lr=1e-4)
            for parameters in (generator.parameters(), self._trained)
        ]

    def step(self, low, high):
        numbers, generator, discriminator = self._numbers, self._generator, self._discriminator
        self._train_discriminator(False)
        self._optimizers[0].zero_grad()
        output = generator(low)
        real, fake = discriminator(high).detach(), discriminator(output)
        loss = numbers.content_weight * F.l1_loss(
            output, high
        ) + numbers.perceptual_weight * perceptual(self._vgg, output, high)
        loss = (
            loss
            + numbers.adversarial_weight
            * (self._gan(real - fake.mean(), False) + self._gan(fake - real.mean(), True))
            / 2
        )
        loss.backward()
        self._optimizers[0].step()

        self._train_discriminator(True)
        self._optimizers[1].zero_grad()
        fake, real = discriminator(output).detach(), discriminator(high)
        (self._gan(real - fake.mean(), True) * 0.5).backward()
        fake = discriminator(output.detach())
        (self._gan(fake - real.detach().mean(), False) * 0.5).backward()
        self._optimizers[1].step()
        with torch.no_grad():
            get_ema_multi_avg_fn(self._ema)(self._average, list(generator.parameters()), None)

    def _train_discriminator(self, is_trained):
        for parameter in self._trained:
            parameter.requires_grad_(is_trained)

    @staticmethod
    def _gan(logits, is_real):
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(is_real)))


def synchronized(function, device):
    def run():
        function()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return run


def compare_steps(settings, vgg, repeats):
    """Time single steps: {precision: {"plain", "ours": seconds}}, and the device."""
    torch.manual_seed(0)
    generator, discriminator = (
        make_generator(settings.generator, settings.scale),
        make_discriminator(settings.gan.discriminator, settings.data.patch),
    )
    side = settings.data.patch // settings.scale
    low, high = (
        torch.rand(settings.batch, 1, side, side),
        torch.rand(settings.batch, 1, settings.data.patch, settings.data.patch),
    )
    times = {}
    for precision in ("float32", "bfloat16"):
        values = settings.to_dict() | {"precision": precision}
        with accelerator_for(type(settings).from_dict(values)) as accelerator:
            device = accelerator.device
            ours = GanStage(
                accelerator,
                type(settings).from_dict(values),
                settings.gan,
                copy.deepcopy(generator),
                copy.deepcopy(discriminator),
                vgg,
            )
            plain = PlainLoop(
                settings.gan,
                settings.ema or 0.999,
                copy.deepcopy(generator),
                copy.deepcopy(discriminator),
                vgg,
                device,
            )
            batch = low.to(device), high.to(device)
            fast = tuple(tensor.to(memory_format=torch.channels_last) for tensor in batch)
            times[precision] = in_turns(
                {
                    "plain": synchronized(lambda: plain.step(*batch), device),
                    "ours": synchronized(lambda: ours.advance(*fast), device),
                },
                repeats,
            )
    return times, device


def waiting_share(settings, vgg, folder, steps):
    """Return the share of the training time spent waiting for batches, 0 to 1."""
    write_volume(
        Path(folder, "volume.nii.gz"),
        Volume(body((20, 320, 320)), np.diag([1.0, 1.0, 3.0, 1.0]), provenance={}),
    )
    volumes, _ = prepare(
        read_sources([Path(folder, "volume.nii.gz")])[0], settings.data, Path(folder, "cache")
    )
    with accelerator_for(settings) as accelerator:
        stage = GanStage(
            accelerator,
            settings,
            settings.gan,
            make_generator(settings.generator, settings.scale),
            make_discriminator(settings.gan.discriminator, settings.data.patch),
            vgg,
        )
        batches, waited, began = Batches(PatchSampler(volumes, settings), accelerator), 0.0, 0.0
        for step in range(steps + 1):
            if step == 1:  # no step hides the preparation of the first batch
                waited, began = 0.0, time.perf_counter()
            start = time.perf_counter()
            batch = batches(step)
            waited += time.perf_counter() - start
            stage.advance(*batch)["gradient_norm"].item()
        batches.close()
        return waited / (time.perf_counter() - began)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--generator", choices=GENERATORS, default="fast")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument(
        "--patch", type=int, default=128, help="high-resolution pixels; default: 128"
    )
    parser.add_argument("--repeats", type=int, default=5, help="default: 5")
    arguments = parser.parse_args()
    settings = preset(
        "quick",
        arguments.scale,
        generator=GENERATORS[arguments.generator],
        batch=arguments.batch,
        ema=0.999,
        data={"patch": arguments.patch},
        gan={"discriminator": "official", "adversarial_terms": "both"},
    )
    with tempfile.TemporaryDirectory() as folder:
        vgg = random_vgg(folder)
        times, device = compare_steps(settings, vgg, arguments.repeats)
        share = waiting_share(settings, vgg, folder, 2 * arguments.repeats)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    print(
        f"{arguments.generator} ×{arguments.scale}, batches of {arguments.batch} patches of "
        f"{arguments.patch}; {name}, PyTorch {torch.__version__}, "
        f"median of {arguments.repeats}"
    )
    rows = [("plain, float32", "1.00", f"{1 / statistics.median(times['float32']['plain']):.2f}")]
    rows += [
        (
            f"ours, {precision}",
            f"{ratio(found, 'plain', 'ours'):.2f}",
            f"{1 / statistics.median(found['ours']):.2f}",
        )
        for precision, found in times.items()
    ]
    print(table(("step", "speedup", "steps/s"), rows))
    print(f"waiting for data: {100 * share:.1f} % of the time")


if __name__ == "__main__":
    sys.exit(main())
