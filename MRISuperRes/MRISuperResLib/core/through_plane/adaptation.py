"""Adaptation: fine-tuning of the network between slices on the slices of one volume.

In-plane, the slices have the resolution that is missing between them. Averaged along one in-plane
axis to the slice spacing and thickness of the volume, they are training pairs of its own contrast
and noise, as in Zhao et al. 2021, "SMORE: a self-supervised anti-aliasing and super-resolution
algorithm for MRI using deep learning" (IEEE Trans Med Imaging 40), and Remedios et al. 2025,
"ECLARE" (arXiv:2503.11787). Needs torch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.backends import cudnn
from torch.nn import functional as F

from ..errors import SuperResolutionError, is_out_of_memory
from ..messages import Message, info
from ..methods.between_slices import ThroughPlaneNetwork
from ..networks.through_plane import with_geometry
from ..progress import CancelCheck, ProgressCallback
from ..provenance import describe_adaptation
from ..slice_profile import thick_patch
from ..slices import batches

LEARNING_RATE = 1e-4
"""Peak learning rate of Adam, a fifth of that of the training; it falls to 0 along a cosine."""
BATCH = 8
MAX_SIDE, MIN_SIDE = 96, 32
"""Largest side of a square patch, and smallest side of a slice, pixels."""
SIDES = 2 / 3
"""Smallest side that is tried, as a part of the largest, to match the slice spacing."""
MIN_THICK_SLICES = 4
"""Smallest number of thick slices in a patch."""
MIN_CONTRAST = 0.05
"""Smallest standard deviation of a slice with anatomy, as in the training."""
MIN_PATCH_CONTRAST = 0.02
"""Standard deviation below which a patch counts as plain background."""
MAX_DRAWS = 4
"""Number of draws until a patch of plain background is accepted."""
MIN_SLICES = 4
"""Smallest number of slices with anatomy: some are trained on, at least one is held out."""
HELD_OUT_EVERY = 8
"""One of so many slices with anatomy is held out."""
VALIDATION_PATCHES = 32

Pairs = tuple[np.ndarray, np.ndarray]
"""Patches of thick slices (n, slices, side), and the patches themselves (n, side, side)."""


@dataclass(frozen=True)
class Adaptation:
    """Outcome of the fine-tuning.

    Attributes:
        method: The adapted method; the given one if adaptation did not improve it.
        steps: Training steps.
        seed: Seed of the patches.
        gain: Gain in PSNR on held-out slices of the volume, dB.
    """

    method: ThroughPlaneNetwork
    steps: int
    seed: int
    gain: float

    @property
    def is_used(self) -> bool:
        """True if adaptation improved the network on held-out slices."""
        return self.gain > 0

    @property
    def message(self) -> Message:
        """The outcome, for the user."""
        return info("training", describe_adaptation(self.to_dict()))

    def to_dict(self) -> dict[str, Any]:
        """Return the provenance as JSON values."""
        return {
            "steps": self.steps,
            "seed": self.seed,
            "held_out_gain_db": round(self.gain, 4),
            "used": self.is_used,
        }


def adapt(
    slices: np.ndarray,
    method: ThroughPlaneNetwork,
    aspect: float,
    coverage: float,
    steps: int,
    seed: int,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> Adaptation:
    """Fine-tune the network between slices on the slices of a volume.

    Loss: mean absolute error. Optimizer: Adam, in float32. The seed alone determines the patches,
    so that a run can be repeated on the same computer.

    Args:
        slices: (n, h, w), normalized, of the in-plane pixels that the network will receive.
        method: The method; its network is not changed.
        aspect: Slice spacing, in in-plane pixels.
        coverage: Slice thickness, as a part of the slice spacing.
        steps: Training steps, at least 1.
        seed: Seed of the patches.
        on_progress: Called with the progress in steps.
        is_cancelled: Called before every step.

    Raises:
        SuperResolutionError: The slices are too small, too few show anatomy (kind "input"), or
            memory is exhausted ("memory").
        Cancelled: `is_cancelled` returned True.
    """
    patches = OwnPatches(slices, aspect, coverage, seed)
    try:
        net = copy.deepcopy(method.net).requires_grad_(True)
        trainer = _Trainer(net, method.device, patches, coverage)
        # deterministic algorithms in float32, not TF32
        with cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            before = trainer.error()
            for part in batches(steps, 1, on_progress, is_cancelled):
                trainer.step(part.start, steps)
            after = trainer.error()
    except (MemoryError, RuntimeError) as error:  # PyTorch raises RuntimeErrors
        if not is_out_of_memory(error):
            raise
        raise SuperResolutionError(
            f"Out of memory on {method.device} while the network was adapted to the volume. Close "
            "other applications, choose the device cpu, or leave out the adaptation.",
            "memory",
        ) from error
    # equal errors, or a network that diverged, are no gain
    gain = 10 * math.log10(before / after) if 0 < after < math.inf and before > 0 else 0.0
    return Adaptation(method.with_network(net) if gain > 0 else method, steps, seed, gain)


class OwnPatches:
    """Training and validation pairs from the slices of one volume.

    Args:
        slices: See `adapt`.
        aspect: See `adapt`.
        coverage: See `adapt`.
        seed: See `adapt`.

    Attributes:
        side: Side of the patches, pixels.
        count: Thick slices of a patch. Their spacing, side / count, is the nearest to the aspect.
        trained: Numbers of the slices that are trained on.
        held_out: Numbers of the slices that are held out.

    Raises:
        SuperResolutionError: The slices are too small, or too few show anatomy.
    """

    def __init__(self, slices: np.ndarray, aspect: float, coverage: float, seed: int) -> None:
        self._slices, self._coverage, self._seed = slices, coverage, seed
        height, width = slices.shape[1:]
        smallest = max(MIN_SIDE, _smallest_side(aspect))
        if min(height, width) < smallest:
            raise SuperResolutionError(
                f"The network cannot be adapted to slices of {width}×{height} pixels: with this "
                f"slice spacing, it needs at least {smallest}×{smallest}. Leave out the adaptation."
            )
        self.side, self.count = _patch_size(min(height, width), aspect)
        usable = [n for n, image in enumerate(slices) if image.std() >= MIN_CONTRAST]
        if len(usable) < MIN_SLICES:
            raise SuperResolutionError(
                f"The network cannot be adapted to a volume with {len(usable)} slices that show "
                f"anatomy: it needs at least {MIN_SLICES}. Leave out the adaptation."
            )
        self.held_out = usable[min(HELD_OUT_EVERY, len(usable)) // 2 :: HELD_OUT_EVERY]
        self.trained = [n for n in usable if n not in self.held_out]

    def validation(self) -> Pairs:
        """Return the same patches of the held-out slices at every call."""
        return self._draw(self.held_out, VALIDATION_PATCHES, 0)

    def batch(self, step: int) -> Pairs:
        """Return the patches of a step, counted from 0."""
        return self._draw(self.trained, BATCH, step + 1)

    def _draw(self, numbers: Sequence[int], size: int, stream: int) -> Pairs:
        rng = np.random.default_rng((self._seed, stream))
        low, high = zip(*(self._pair(numbers, rng) for _ in range(size)))
        return np.stack(low), np.stack(high)

    def _pair(self, numbers: Sequence[int], rng: np.random.Generator) -> Pairs:
        """Draw a slice, one of its eight symmetries, and a position."""
        side = self.side
        for _ in range(MAX_DRAWS):
            image = self._slices[numbers[int(rng.integers(len(numbers)))]]
            image = np.rot90(image[:, ::-1] if rng.integers(2) else image, int(rng.integers(4)))
            row, column = (int(rng.integers(length - side + 1)) for length in image.shape)
            high = image[row : row + side, column : column + side]
            if high.std() >= MIN_PATCH_CONTRAST:
                break
        return thick_patch(image, (row, column), side, self.count, self._coverage), high


class _Trainer:
    """A network with its optimizer and its pairs."""

    def __init__(
        self, net: nn.Module, device: torch.device, patches: OwnPatches, coverage: float
    ) -> None:
        self._net, self._device, self._patches, self._coverage = net, device, patches, coverage
        self._optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)

    def step(self, number: int, steps: int) -> None:
        """Run a training step, counted from 0."""
        for group in self._optimizer.param_groups:
            group["lr"] = LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * number / steps))
        restored, high = self._restored(*self._patches.batch(number))
        self._optimizer.zero_grad()
        torch.autograd.backward(F.l1_loss(restored, high))
        self._optimizer.step()

    def error(self) -> float:
        """Return the mean squared error on the validation patches."""
        low, high = self._patches.validation()
        errors = []
        with torch.no_grad():
            for first in range(0, len(low), BATCH):
                part = slice(first, first + BATCH)
                restored, expected = self._restored(low[part], high[part])
                errors.append(float((restored - expected).double().square().mean()))
        return float(np.mean(errors))

    def _restored(self, low: np.ndarray, high: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """The upsampled patches, and those they should equal: (n, 1, side, side)."""
        images, expected = (
            torch.from_numpy(np.ascontiguousarray(array, np.float32))[:, None].to(self._device)
            for array in (low, high)
        )
        given = with_geometry(images, self._patches.side / self._patches.count, self._coverage)
        given = given.contiguous(memory_format=torch.channels_last)
        return self._net.upsample(given, self._patches.side), expected  # type: ignore[operator]


def _smallest_side(aspect: float) -> int:
    return math.ceil(MIN_THICK_SLICES * aspect)


def _patch_size(largest: int, aspect: float) -> tuple[int, int]:
    """Return the side of the patches, and the thick slices whose spacing fits the aspect best."""
    largest = max(_smallest_side(aspect), min(MAX_SIDE, largest))
    sides = range(largest, max(_smallest_side(aspect), round(SIDES * largest)) - 1, -1)
    counts = [max(1, round(side / aspect)) for side in sides]
    # rounded, so that of equally good sides the largest is chosen
    errors = [round(abs(side / n / aspect - 1), 6) for side, n in zip(sides, counts)]
    best = errors.index(min(errors))
    return sides[best], counts[best]
