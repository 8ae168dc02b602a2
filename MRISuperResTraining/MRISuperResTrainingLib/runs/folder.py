"""Run folders and checkpoints.

    run.json         settings, volumes with their hashes, split, versions, messages on the data
    checkpoint.pt    state from which the run resumes
    events.jsonl     events (see `runs.events`); tensorboard/ holds the same for TensorBoard
    samples.npz      a few held-out slices and their last results: low_0, output_0, high_0, low_1, …
    models/          psnr-best, psnr-last, gan-best, gan-last: weights (float32) with cards, which
                     MRISuperRes can load

A checkpoint holds no state of a random generator: once the networks are initialized, only the
sampler draws, from the seed and the step. Therefore a resumed run has the same weights bit for bit,
on the same machine and with as many threads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from MRISuperResLib.core.io.atomic import atomic_file, translate_os_errors, write_json
from MRISuperResLib.core.models.card import ModelCard
from MRISuperResLib.core.models.store import ModelStore, write_model
from MRISuperResLib.core.validation import invalid

from ..data.sources import Source
from .lock import RunUnavailableError
from .record import DESCRIPTION, SAMPLES

CHECKPOINT, MODELS = "checkpoint.pt", "models"


class RunFolder:
    """Folder of a training run.

    Args:
        path: The folder.
        is_writer: False in all processes except the first: nothing is written.

    Attributes:
        models: Folder of the models.
    """

    def __init__(self, path: str | Path, is_writer: bool = True) -> None:
        self.path, self.is_writer = Path(path), is_writer
        self.models = self.path / MODELS

    def check_new(self) -> None:
        """Check that the folder holds no run.

        Raises:
            RunUnavailableError: It holds one (kind "settings").
        """
        if self.exists():
            raise RunUnavailableError(
                f"{self.path} already holds a run: resume it (“resume”), or name another folder.",
                "settings",
            )

    def exists(self) -> bool:
        """Return True if the folder holds a run."""
        return (self.path / DESCRIPTION).exists()

    def make(self) -> None:
        """Create the folder if needed."""
        if self.is_writer:
            with translate_os_errors(self.path):
                self.models.mkdir(parents=True, exist_ok=True)

    def describe(self, description: dict[str, Any]) -> None:
        """Write run.json; from now on the folder holds a run."""
        if self.is_writer:
            write_json(self.path / DESCRIPTION, description)

    def description(self) -> dict[str, Any]:
        """Read run.json.

        Raises:
            SuperResolutionError: The folder holds no run (kind "settings").
        """
        try:
            text = (self.path / DESCRIPTION).read_text(encoding="utf-8")
            description: dict[str, Any] = json.loads(text)
        except (OSError, ValueError) as e:
            raise invalid(
                f"{self.path} is not the folder of a training run ({type(e).__name__}): name one "
                "that “train” created."
            ) from e
        return description

    def checkpoint(self) -> dict[str, Any] | None:
        """Read the last checkpoint on the CPU; None before the first.

        Raises:
            SuperResolutionError: The file is not a checkpoint (kind "settings").
        """
        path = self.path / CHECKPOINT
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as e:  # torch.load raises many kinds of errors for other files
            raise invalid(
                f"Cannot read the checkpoint {path} ({type(e).__name__}): start the run again in "
                "a new folder."
            ) from e
        return state

    def write_checkpoint(self, state: dict[str, Any]) -> None:
        """Write a checkpoint: nested dicts of tensors and numbers."""
        if self.is_writer:
            with atomic_file(self.path / CHECKPOINT) as temporary, open(temporary, "wb") as file:
                try:
                    torch.save(state, file)
                except RuntimeError as e:
                    if isinstance(e.__context__, OSError):  # which PyTorch hides
                        raise e.__context__ from e
                    raise

    def write_samples(self, samples: dict[str, list[np.ndarray]]) -> None:
        """Write samples.npz from {"low", "output", "high": slices}."""
        if not self.is_writer:
            return
        arrays = {
            f"{kind}_{number}": image
            for kind, images in samples.items()
            for number, image in enumerate(images)
        }
        with atomic_file(self.path / SAMPLES) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def write_model(self, name: str, stage: str, weights: dict[str, Tensor], step: int) -> None:
        """Write the weights of a generator with a card.

        Args:
            name: "psnr-best", "psnr-last", "gan-best" or "gan-last".
            stage: "psnr" or "gan".
            weights: float32.
            step: Steps done in the stage.
        """
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

    def card(self, name: str) -> ModelCard:
        """Read the card of a model."""
        return ModelCard.read(self.models / f"{name}.json")

    def weights(self, name: str) -> dict[str, Tensor]:
        """Read the weights of a model.

        Raises:
            SuperResolutionError: The model does not exist yet (kind "settings").
        """
        try:
            return safetensors.torch.load_file(self.models / f"{name}.safetensors")
        except (OSError, safetensors.SafetensorError) as e:
            raise invalid(
                f"{self.path} has no model {name} yet ({type(e).__name__}): continue the run to "
                "its first checkpoint."
            ) from e

    def store(self) -> ModelStore:
        """Return the models of the run, before the installed ones."""
        return ModelStore([self.models, *ModelStore().folders])

    def best_models(self) -> list[str]:
        """Return the names of the best models of the stages that the run has reached.

        Raises:
            SuperResolutionError: The folder holds no run (kind "settings").
        """
        self.description()
        names = ("psnr-best", "gan-best")
        return [name for name in names if (self.models / f"{name}.safetensors").exists()]

    def unseen_sources(self) -> list[Source]:
        """Return the existing volumes of held-out and test subjects.

        A single subject on both sides of the split is excluded. So are files that the training
        could not use, since a copy of a training volume is not unseen.

        Raises:
            SuperResolutionError: The folder holds no run (kind "settings").
        """
        description = self.description()
        sources = [Source.from_dict(values) for values in description["sources"]]
        skipped = {path for path, _ in description["unusable"]}
        return [
            source
            for source in sources
            if source.subject not in description["split"]["train"]
            and source.label not in skipped
            and Path(source.path).exists()
        ]


def training_data(description: dict[str, Any]) -> list[dict[str, Any]]:
    """Describe the training volumes of a run for a model card.

    Paths lose their folders, for privacy.

    Args:
        description: Content of run.json.
    """
    keys = ("subject", "anatomy", "contrast", "license", "source", "sha256", "slices", "spacing")
    return [
        {key: volume[key] for key in keys}
        | {column: Path(volume[column]).name for column in ("path", "low") if volume.get(column)}
        | {key: volume[key] for key in ("low_sha256",) if volume.get(key)}
        for volume in description["volumes"]
        if volume["subject"] in description["split"]["train"]
    ]
