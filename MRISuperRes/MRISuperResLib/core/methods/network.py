"""A trained generator that is ready to enlarge slices. Needs torch and safetensors."""

import numpy as np
import safetensors.torch
import torch

from ..errors import SuperResolutionError
from ..inference import gpu_memory
from ..inference.errors import is_out_of_memory
from ..inference.precision import MAX_HALF_ERROR, difference, half_dtype
from ..inference.runner import NetworkRunner
from ..inference.tensor_intensity import is_exact_in_single, restore
from ..networks import make_generator

CHEAP_BATCH_PIXELS = 2**20
"""Low-resolution pixels with which a GPU is busy enough: more at once would only take more memory."""
SPARED = 0.8
"""Part of the free memory of a GPU that may be taken."""


def resolve_device(name):
    """ "auto", "cpu", "cuda", "cuda:N" or "mps" as a torch.device; raises SuperResolutionError where there is no such device."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise SuperResolutionError(
            "This computer has no Apple GPU that PyTorch can use: choose the device auto or cpu.",
            "environment",
        )
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if not count:
            raise SuperResolutionError(
                "PyTorch finds no NVIDIA GPU: choose the device auto or cpu, or install PyTorch with CUDA.",
                "environment",
            )
        if int(index or 0) >= count:
            raise SuperResolutionError(
                f"There is no GPU {index}: PyTorch finds {count}, counted from 0.", "environment"
            )
        return torch.device("cuda", int(index)) if index else torch.device("cuda")
    return torch.device(kind)


class NetworkMethod:
    """Enlarges slices with the generator that a card describes, or with a blend of two.

    cards: one models.ModelCard, or those of a pair, PSNR and GAN; weights: for each the bytes of its safetensors file, which
    are data: nothing in them is executed. alpha: of a pair, 0 for the PSNR weights … 1 for the GAN weights (network
    interpolation, ESRGAN, section 3.4). precision: "float32", or "auto" for half precision where it is quicker and near enough.
    Raises SuperResolutionError (kind "model") where weights and card do not fit together.
    """

    def __init__(self, cards, weights, device, alpha=None, precision="float32"):
        self.cards, self.scale = tuple(cards), cards[0].scale
        self.name, self.stage = (
            (cards[0].name, cards[0].stage)
            if alpha is None
            else (f"{cards[0].pair}@{alpha:g}", "blend")
        )
        nets = [_generator(card, data) for card, data in zip(cards, weights)]
        if alpha is not None:
            with torch.no_grad():
                for value, end in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
                    value.lerp_(end, alpha)
        self._net = nets[0].eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self._half = half_dtype(device) if precision == "auto" else torch.float32
        self._run = NetworkRunner(self._net, device, self._half)
        self._slice_bytes = {}  # of the memory of a GPU, by the size of a slice
        self.begin()

    @property
    def device(self):
        """Where it runs now: the CPU where the memory of the GPU was not enough."""
        return self._run.device

    @property
    def precision(self):
        """The name of the type in which it computes now."""
        return str(self._run.dtype).removeprefix("torch.")

    @property
    def messages(self):
        """Sentences on the precision, and on what had to be done for want of memory, since `begin`."""
        return [*self._precision_messages, *self._run.messages]

    def begin(self):
        """A run begins: what the one before has found out about precision and memory is forgotten."""
        self._run.begin()
        self._is_checked, self._precision_messages = self._half == torch.float32, []

    def batch_size(self, height, width):
        """Slices that should go through the network together.

        On a CPU single slices are fastest, they stay in the cache. On a GPU it depends on the memory that a first, empty slice takes.
        """
        if self.device.type == "cpu":
            return 1
        wanted = max(1, CHEAP_BATCH_PIXELS // (height * width))
        if self.device.type != "cuda" or wanted == 1:
            return wanted
        if (height, width) not in self._slice_bytes:
            taken = gpu_memory.peak(self.device, lambda: self(np.zeros((1, height, width))))
            if self.device.type == "cpu":  # there was no room for a single one
                return 1
            self._slice_bytes[height, width] = max(1, taken)
        return int(
            np.clip(
                SPARED * gpu_memory.free(self.device) // self._slice_bytes[height, width], 1, wanted
            )
        )

    def upload(self, images):
        """(n, h, w) as a float32 tensor on the device, or, where that has no room for it, on the CPU; __call__ takes it instead of the array."""
        tensor = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))
        try:
            return (
                tensor.pin_memory().to(self.device, non_blocking=True)
                if self.device.type == "cuda"
                else tensor.to(self.device)
            )
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return tensor

    def __call__(self, images):
        """float32. Raises SuperResolutionError (kind "memory") where not even a part of a slice fits into the memory."""
        return self._run(self._batch(images))()

    def start(self, images, intensity):
        """See methods: the stored type is made on the device, where it is quick, and there is less to be fetched."""
        if (
            not is_exact_in_single(intensity.dtype) or self.device.type == "mps"
        ):  # which lacks unsigned integers
            fetched = self._run(self._batch(images))
            return lambda: intensity.restore(fetched())
        return self._run(self._batch(images), lambda enlarged: restore(enlarged, intensity))

    def _batch(self, images):
        batch = (images if isinstance(images, torch.Tensor) else self.upload(images))[:, None]
        if (
            not self._is_checked and self._run.dtype == self._half
        ):  # not where memory has sent it to the CPU
            self._check_precision(batch)
        return batch

    def _check_precision(self, batch):
        try:
            found = difference(self._net, batch.to(self.device), self._half)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self._is_checked, self._run.dtype = True, torch.float32
            return
        if found is None:
            return
        self._is_checked = True
        mean, most = (f"{100 * value:.2g} %" for value in found)
        if found[0] <= MAX_HALF_ERROR:
            self._precision_messages = [
                f"{self.name} was computed in {self.precision}: on a part of a slice it differs from float32 by {mean} of the intensity range (root mean "
                f"square; {most} at most)."
            ]
        else:
            self._precision_messages = [
                f"{self.name} was computed in float32: {self.precision} would differ by {mean} of the intensity range."
            ]
            self._run.dtype = torch.float32


def _generator(card, weights):
    """The network of a card with its weights: no more memory is taken than they have bytes, whatever the card says of it."""
    try:
        state = {name: value.float() for name, value in safetensors.torch.load(weights).items()}
        with torch.device("meta"):
            net = make_generator(card.architecture, card.scale)
        net.load_state_dict(state, assign=True)
    except (
        Exception
    ) as e:  # the reader raises whatever it meets in a file that is not what it seems
        if is_out_of_memory(e):
            raise
        raise SuperResolutionError(
            f"The weights of the model {card.name} do not fit its card: install it again.", "model"
        ) from e
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise SuperResolutionError(
            f"The weights of the model {card.name} are damaged (some are no finite numbers): install it again.",
            "model",
        )
    return net
