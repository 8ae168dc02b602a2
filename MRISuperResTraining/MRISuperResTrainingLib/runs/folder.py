"""The folder of a training run:

run.json                what was asked for: settings, volumes with their hashes, split, versions
checkpoint.pt           all that is needed to go on
events.jsonl            what happened (see loop.events); tensorboard/ the same for TensorBoard
samples.npz             a few validation slices, as they were enlarged last: low_0, output_0, high_0, low_1, …
models/                 psnr-best, psnr-last, gan-best, gan-last: pairs of weights (float32) and card, which MRISuperRes can load
"""

import json
from pathlib import Path

import numpy as np
import safetensors.torch

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.atomic import atomic_file, write_json
from MRISuperResLib.core.io.writing import translate_os_errors
from MRISuperResLib.core.models.card import ModelCard
from MRISuperResLib.core.models.user_models import write_model

from . import checkpoint
from .record import DESCRIPTION, SAMPLES

CHECKPOINT, MODELS = "checkpoint.pt", "models"


class RunFolder:
    """path: of the folder. is_writer: False in all processes but the first, which alone writes."""

    def __init__(self, path, is_writer=True):
        self.path, self.is_writer = Path(path), is_writer
        self.models = self.path / MODELS

    def check_new(self):
        """Raises SuperResolutionError (kind "settings") where there is a run already."""
        if (self.path / DESCRIPTION).exists():
            raise SuperResolutionError(
                f"There is a run in {self.path} already: go on with it (“resume”), or name another folder.",
                "settings",
            )

    def make(self):
        """The folder, if it is not there yet."""
        if self.is_writer:
            with translate_os_errors(self.path):
                self.models.mkdir(parents=True, exist_ok=True)

    def describe(self, description):
        """Writes run.json: from now on there is a run. description: JSON values."""
        if self.is_writer:
            write_json(self.path / DESCRIPTION, description)

    def description(self):
        """Raises SuperResolutionError (kind "settings") where the folder holds no run."""
        try:
            return json.loads((self.path / DESCRIPTION).read_text(encoding="utf-8"))
        except (OSError, ValueError) as e:
            raise SuperResolutionError(
                f"{self.path} is not the folder of a training run ({type(e).__name__}): name one that “train” made.",
                "settings",
            ) from e

    def checkpoint(self):
        """The last state, None before the first."""
        return checkpoint.load(self.path / CHECKPOINT)

    def write_checkpoint(self, state):
        if self.is_writer:
            checkpoint.save(self.path / CHECKPOINT, state)

    def write_samples(self, samples):
        """samples: {"low", "output", "high": lists of slices}."""
        if self.is_writer:
            with atomic_file(self.path / SAMPLES) as temporary, open(temporary, "wb") as file:
                np.savez(
                    file,
                    **{
                        f"{kind}_{number}": image
                        for kind, images in samples.items()
                        for number, image in enumerate(images)
                    },
                )

    def write_model(self, name, stage, weights, step):
        """weights: {name: float32 tensor} of the generator after so many steps of the stage."""
        if not self.is_writer:
            return
        settings = self.description()["settings"]
        write_model(
            self.models,
            safetensors.torch.save({key: value.cpu() for key, value in weights.items()}),
            name=name,
            stage=stage,
            title=f"{self.path.name}, {stage}, step {step}",
            scale=settings["scale"],
            architecture=settings["generator"],
            training={"steps": step},
            pair=name.partition("-")[2],
        )

    def card(self, name):
        """The ModelCard of one of the models."""
        return ModelCard.read(self.models / f"{name}.json")

    def weights(self, name):
        """{name: tensor} of one of the models. Raises SuperResolutionError (kind "settings") where there is none yet."""
        try:
            return safetensors.torch.load_file(self.models / f"{name}.safetensors")
        except (OSError, safetensors.SafetensorError) as e:
            raise SuperResolutionError(
                f"{self.path} has no model {name} yet ({type(e).__name__}): let the run go on until its first checkpoint.",
                "settings",
            ) from e
