"""A trained generator that is ready to enlarge slices. Needs torch and safetensors."""

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError

from .errors import MRISuperResError
from .generator import RRDBNet

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
    """Enlarges slices with the generator that a card describes.

    card: models.ModelCard; weights: the bytes of its safetensors file. Weights are data: nothing in them is executed.
    Raises MRISuperResError (kind "model") where weights and card do not fit together.
    """

    def __init__(self, card, weights, device):
        self.card, self.name, self.scale, self.device = card, card.name, card.scale, device
        try:
            net = RRDBNet(card.scale, **card.architecture)
            net.load_state_dict({name: value.float() for name, value in safetensors.torch.load(weights).items()})
        except (SafetensorError, RuntimeError, TypeError, ValueError) as e:
            raise MRISuperResError(f"The weights of the model {card.name} do not fit its card: install it again.", "model") from e
        self._net = net.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)

    def batch_size(self, height, width):
        return 1 if self.device.type == "cpu" else max(1, GPU_BATCH_PIXELS // (height * width))

    def __call__(self, images):
        """(n, h, w), normalised, to (n, scale·h, scale·w), float32."""
        try:
            with torch.inference_mode():
                batch = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))[:, None]
                batch = batch.to(self.device, memory_format=torch.channels_last)
                return self._net(batch)[:, 0].cpu().numpy()
        except (torch.OutOfMemoryError, MemoryError) as e:
            raise MRISuperResError(f"The memory of the device {self.device} is not enough for {len(images)} slices of "
                                   f"{images.shape[2]}×{images.shape[1]} pixels: choose a smaller batch or another device.", "memory") from e
