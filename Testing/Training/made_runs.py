"""Small training runs: settings for seconds, samplers without volumes, temporary folders."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import made_volumes
import numpy as np
import torch
from MRISuperResLib.core import resampling
from MRISuperResLib.core.networks import make_generator
from MRISuperResLib.core.metrics.perceptual import FOLDERS_VARIABLE
from MRISuperResTrainingLib.data.sources import read_sources
from MRISuperResTrainingLib.training.stages import GanStage, PsnrStage
from MRISuperResTrainingLib.training.trainer import accelerator_for, train
from MRISuperResTrainingLib.networks.discriminators import make_discriminator
from MRISuperResTrainingLib.runs.events import EventReader
from MRISuperResTrainingLib.options.presets import preset

TINY = {
    "generator": {"network": "compact", "blocks": 1, "features": 8},
    "data": {"patch": 16},
    "batch": 4,
    "ema": 0.0,
    "clip_norm": None,
    "psnr": {"steps": 20, "schedule": "constant"},
    "gan": {"steps": 4},
    "checkpoint_every": 10,
    "validate_every": 20,
}


def settings(**changes):
    """The preset quick, made smaller; changes as preset takes them."""
    values = {key: dict(value) if isinstance(value, dict) else value for key, value in TINY.items()}
    for name, change in changes.items():
        values[name] = (
            values[name] | change
            if isinstance(change, dict)
            and isinstance(values.get(name), dict)
            and name != "generator"
            else change
        )
    return preset("quick", values.pop("scale", 2), **values)


class Squares:
    """A sampler of bright rectangles; nan_at: {step: times that it gives NaN there}."""

    def __init__(self, settings, nan_at=()):
        self._settings, self.nan_at = settings, dict(nan_at)

    def batch(self, step, part=0, parts=1):
        count, side = self._settings.batch // parts, self._settings.data.patch
        high = np.zeros((count, 1, side, side), np.float32)
        for index in range(count):
            rng = np.random.default_rng((self._settings.seed, step, part * count + index))
            for _ in range(4):
                y, x = rng.integers(side - 4, size=2)
                high[index, 0, y : y + rng.integers(3, side), x : x + rng.integers(3, side)] += (
                    rng.uniform(0.2, 0.5)
                )
        low = resampling.degrade(high, self._settings.scale)
        if self.nan_at.get(step):
            self.nan_at[step] -= 1
            low = low * np.nan
        return low, high


class RunTest(unittest.TestCase):
    """A test with a folder, and without VGG weights, whatever this computer has."""

    def setUp(self):
        self.enterContext(mock.patch.dict(os.environ, {FOLDERS_VARIABLE: ""}))
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def accelerator(self, settings):
        return self.enterContext(accelerator_for(settings))

    def psnr_stage(self, settings):
        torch.manual_seed(settings.seed)
        return PsnrStage(
            self.accelerator(settings),
            settings,
            settings.psnr,
            make_generator(settings.generator, settings.scale),
        )

    def gan_stage(self, settings, vgg=None):
        torch.manual_seed(settings.seed)
        generator, discriminator = (
            make_generator(settings.generator, settings.scale),
            make_discriminator(settings.gan.discriminator, settings.data.patch),
        )
        return GanStage(
            self.accelerator(settings), settings, settings.gan, generator, discriminator, vgg
        )

    def advance(self, stage, steps=3):
        """Some steps; returns what the last one gave."""
        sampler = Squares(stage.settings)
        for step in range(stage.step, stage.step + steps):
            values = stage.advance(*map(torch.from_numpy, sampler.batch(step)))
        return values

    def assert_same_weights(self, one, other, tolerance=0.0):
        self.assertEqual(one.keys(), other.keys())
        for name, value in one.items():
            torch.testing.assert_close(
                value, other[name], rtol=0, atol=tolerance, msg=lambda text: f"{name}: {text}"
            )

    def volumes(self, subjects=("a", "b"), shape=(4, 32, 36)):
        """Sources of a volume for each subject."""
        for seed, subject in enumerate(subjects):
            made_volumes.write(
                self.folder / "data" / f"{subject}.nii.gz", made_volumes.tissue(seed, shape)
            )
        return read_sources([self.folder / "data"])[0]

    def train(
        self, name="run", sources=None, on_event=None, is_cancelled=None, card=None, **changes
    ):
        """Trains in a folder of that name; returns the RunFolder."""
        sources = sources or self.volumes()
        return train(
            settings(**changes),
            sources,
            self.folder / name,
            card,
            self.folder / "cache",
            on_event,
            is_cancelled=is_cancelled,
        )

    def events(self, name="run", kind=None):
        reader = EventReader(self.folder / name)
        reader.read()
        return [event for event in reader.events if kind in (None, event["event"])]
