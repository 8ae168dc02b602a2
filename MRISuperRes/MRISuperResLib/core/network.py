"""A trained generator that is ready to enlarge slices. Needs torch and safetensors."""

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError

from .errors import MRISuperResError
from .generators import make_generator
from .memory_saver import MemorySaver

GPU_BATCH_PIXELS = 2**20
"""Low-resolution pixels that go through a GPU together; on a CPU single slices are fastest, they stay in the cache."""


def resolve_device(name):
    """"auto", "cpu", "cuda", "cuda:N" or "mps" as a torch.device; raises MRISuperResError where there is no such device."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise MRISuperResError("This computer has no Apple GPU that PyTorch can use: choose the device auto or cpu.", "environment")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if not count:
            raise MRISuperResError("PyTorch finds no NVIDIA GPU: choose the device auto or cpu, or install PyTorch with CUDA.", "environment")
        if (device.index or 0) >= count:
            raise MRISuperResError(f"There is no GPU {device.index}: PyTorch finds {count}, counted from 0.", "environment")
    return device


class NetworkMethod:
    """Enlarges slices with the generator that a card describes, or with a blend of two.

    cards: one models.ModelCard, or those of a pair, PSNR and GAN; weights: for each the bytes of its safetensors file, which
    are data: nothing in them is executed. alpha: of a pair, 0 for the PSNR weights … 1 for the GAN weights (network
    interpolation, ESRGAN, section 3.4).
    Raises MRISuperResError (kind "model") where weights and card do not fit together.
    """

    def __init__(self, cards, weights, device, alpha=None):
        self.cards, self.scale = tuple(cards), cards[0].scale
        self.name, self.stage = (cards[0].name, cards[0].stage) if alpha is None else (f"{cards[0].pair}@{alpha:g}", "blend")
        nets = [_generator(card, data) for card, data in zip(cards, weights)]
        if alpha is not None:
            with torch.no_grad():
                for value, end in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
                    value.lerp_(end, alpha)
        self._run = MemorySaver(nets[0].eval().requires_grad_(False).to(device, memory_format=torch.channels_last), device)

    @property
    def device(self):
        """Where it runs now: the CPU where the memory of the GPU was not enough."""
        return self._run.device

    @property
    def messages(self):
        """Sentences on what had to be done for want of memory since `begin`."""
        return self._run.messages

    def begin(self):
        """A run begins: what the one before had to do for want of memory is forgotten."""
        self._run.begin()

    def batch_size(self, height, width):
        return 1 if self.device.type == "cpu" else max(1, GPU_BATCH_PIXELS // (height * width))

    def upload(self, images):
        """(n, h, w) as a float32 tensor on the device, which __call__ takes instead of the array."""
        return torch.as_tensor(np.ascontiguousarray(images, dtype=np.float32), device=self.device)

    def __call__(self, images):
        """float32. Raises MRISuperResError (kind "memory") where not even a part of a slice fits into the memory."""
        return self._run((images if isinstance(images, torch.Tensor) else self.upload(images))[:, None])


def _generator(card, weights):
    try:
        net = make_generator(card.architecture, card.scale)
        net.load_state_dict({name: value.float() for name, value in safetensors.torch.load(weights).items()})
    except (SafetensorError, RuntimeError, TypeError, ValueError) as e:
        raise MRISuperResError(f"The weights of the model {card.name} do not fit its card: install it again.", "model") from e
    return net
