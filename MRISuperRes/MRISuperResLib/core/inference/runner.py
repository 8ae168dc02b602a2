"""Where the memory of a device ends, a network goes on in smaller pieces, in the end on the CPU; the result is the same."""

import numpy as np
import torch

from ..errors import SuperResolutionError
from .errors import is_out_of_memory
from .precision import run

MAX_OVERLAP = 64
"""Low-resolution pixels that are computed around a tile and thrown away. A network whose output depends on no pixel farther away gives exactly the
result of the whole slice. RRDB-23 sees 350 pixels far, but takes next to nothing from there: trained on photographs, ×4, a T2 slice in tiles of 64
pixels, it differed by 2e-6 of the range at most."""
MIN_TILE = 64


class NetworkRunner:
    """Runs a network on (n, 1, h, w) tensors of its device.

    net: with weights, on `device`; reach: how many low-resolution pixels away its output depends on; dtype: in which it computes there.
    device, dtype: where and how it runs now; messages: sentences on what had to be done for want of memory. `begin` forgets these: another
    run may find more memory.
    """

    def __init__(self, net, device, dtype=torch.float32):
        self._net, self._wanted = net, (device, dtype)
        self.begin()

    def begin(self):
        (self.device, self.dtype), self.messages = self._wanted, []
        self._most = self._tile = None  # slices that fit together; side of the tiles of one
        try:
            self._net.to(self.device)
        except RuntimeError as error:
            if not is_out_of_memory(error) or self.device.type == "cpu":
                raise
            self._go_on_on_the_cpu()

    def __call__(self, batch, finish=lambda images: images):
        """Returns a function that waits for the result and returns it as an array; meanwhile a GPU is busy, and the next batch can be prepared.

        finish: maps the enlarged images (n, scale·h, scale·w), a float32 tensor, to what is to be fetched from the device.
        Raises SuperResolutionError (kind "memory") where not even a small tile fits.
        """
        done, first = [], 0
        while first < len(batch):
            part = batch[first : first + (self._most or len(batch))]
            try:
                done.append(
                    _fetch(
                        finish(
                            self._enlarge(part.to(self.device, memory_format=torch.channels_last))
                        )
                    )
                )
                first += len(part)
            except (MemoryError, RuntimeError) as error:  # PyTorch's are RuntimeErrors
                if not is_out_of_memory(error):
                    raise
                self._save(part, error)
        return (
            done[0] if len(done) == 1 else lambda: np.concatenate([fetched() for fetched in done])
        )

    def _save(self, part, error):
        """The next smaller step."""
        height, width = part.shape[2:]
        if len(part) > 1:
            self._most = len(part) // 2
        elif (self._tile or max(height, width)) > MIN_TILE:
            self._tile = max(MIN_TILE, (self._tile or max(height, width)) // 2)
        elif self.device.type != "cpu":
            self._go_on_on_the_cpu()
        else:
            raise SuperResolutionError(
                f"The memory of this computer is not enough for a slice of {width}×{height} pixels, not even in parts: "
                "close other programs, or crop the volume.",
                "memory",
            ) from error
        if self._wanted[0].type == "cuda":
            torch.cuda.empty_cache()
        self.messages = [self._message()]

    def _go_on_on_the_cpu(self):
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self._net.to(self.device)
        self._most, self._tile = 1, None  # as NetworkMethod.batch_size has it
        self.messages = [self._message()]

    def _message(self):
        wanted, _ = self._wanted
        if self.device != wanted:
            how = "on the CPU" + (" in parts" if self._tile else "")
        else:
            how = f"in tiles of {self._tile} pixels" if self._tile else f"{self._most} at a time"
        return f"The memory of the device {wanted} was not enough: the slices were computed {how}; the result is the same."

    def _enlarge(self, part):
        """(n, scale·h, scale·w), float32; of tiles a tensor of the CPU."""
        if self._tile is None:
            return run(self._net, part, self.dtype)[:, 0]
        scale, overlap = self._net.scale, min(self._net.reach, MAX_OVERLAP)
        height, width = part.shape[2:]
        output = torch.empty((len(part), scale * height, scale * width))
        for top, bottom in _steps(height, self._tile):
            for left, right in _steps(width, self._tile):
                above, before = max(0, top - overlap), max(0, left - overlap)
                piece = run(
                    self._net,
                    part[:, :, above : bottom + overlap, before : right + overlap],
                    self.dtype,
                )[:, 0]
                rows, columns = (
                    (slice(scale * (first - start), scale * (last - start)))
                    for first, last, start in ((top, bottom, above), (left, right, before))
                )
                output[:, scale * top : scale * bottom, scale * left : scale * right] = piece[
                    :, rows, columns
                ]
        return output


def _fetch(tensor):
    """A function that returns the tensor as an array. From a GPU it is copied at once, into memory that the GPU can write while both go on."""
    if tensor.device.type != "cuda":
        array = tensor.cpu().numpy()
        return lambda: array
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(
        tensor, non_blocking=True
    )
    arrived = torch.cuda.current_stream(tensor.device).record_event()

    def wait():
        arrived.synchronize()
        return host.numpy()

    return wait


def _steps(length, size):
    return [(start, min(start + size, length)) for start in range(0, length, size)]
