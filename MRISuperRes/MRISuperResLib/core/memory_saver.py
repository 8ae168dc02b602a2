"""Where the memory of a device ends, a network goes on in smaller pieces, in the end on the CPU; the result is the same."""

import numpy as np
import torch

from .errors import MRISuperResError

MOST_OVERLAP = 64
"""Low-resolution pixels that are computed around a tile and thrown away. A network whose output depends on no pixel farther away gives exactly the
result of the whole slice. RRDB-23 sees 350 pixels far, but takes next to nothing from there: trained on photographs, ×4, a T2 slice in tiles of 64
pixels, it differed by 2e-6 of the range at most."""
LEAST_TILE = 64
NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")
"""In the messages of PyTorch's errors, which has no type of its own for the memory of a CPU."""


class MemorySaver:
    """Runs a network: (n, 1, h, w) tensors on its device to (n, scale·h, scale·w) float32 arrays.

    net: with weights, on `device`; reach: how many low-resolution pixels away its output depends on. device: where it runs now; messages:
    sentences on what had to be done for want of memory. `begin` forgets both: another run may find more memory.
    """

    def __init__(self, net, device):
        self._net, self._wanted = net, device
        self.begin()

    def begin(self):
        self.device, self.messages = self._wanted, []
        self._most = self._tile = None  # slices that fit together; side of the tiles of one
        self._net.to(self.device)

    def __call__(self, batch):
        """Raises MRISuperResError (kind "memory") where not even a small tile fits."""
        done = []
        while (first := sum(map(len, done))) < len(batch):
            part = batch[first:first + (self._most or len(batch))]
            try:
                done.append(self._enlarge(part.to(self.device, memory_format=torch.channels_last)))
            except (MemoryError, RuntimeError) as error:  # PyTorch's are RuntimeErrors
                if not _is_want_of_memory(error):
                    raise
                self._save(part, error)
        return done[0] if len(done) == 1 else np.concatenate(done)

    def _save(self, part, error):
        """The next smaller step."""
        height, width = part.shape[2:]
        if len(part) > 1:
            self._most = len(part) // 2
        elif (self._tile or max(height, width)) > LEAST_TILE:
            self._tile = max(LEAST_TILE, (self._tile or max(height, width)) // 2)
        elif self.device.type != "cpu":
            self.device = torch.device("cpu")
            self._net.to(self.device)
            self._most = self._tile = None
        else:
            raise MRISuperResError(f"The memory of this computer is not enough for a slice of {width}×{height} pixels, not even in parts: "
                                   "close other programs, or crop the volume.", "memory") from error
        if self._wanted.type == "cuda":
            torch.cuda.empty_cache()
        self.messages = [self._message()]

    def _message(self):
        if self.device != self._wanted:
            how = "on the CPU" + (" in parts" if self._tile else "")
        else:
            how = f"in tiles of {self._tile} pixels" if self._tile else f"{self._most} at a time"
        return f"The memory of the device {self._wanted} was not enough: the slices were computed {how}; the result is the same."

    def _enlarge(self, part):
        with torch.inference_mode():
            if self._tile is None:
                return self._net(part)[:, 0].float().cpu().numpy()
            return self._enlarge_tiles(part)

    def _enlarge_tiles(self, part):
        scale, overlap = self._net.scale, min(self._net.reach, MOST_OVERLAP)
        height, width = part.shape[2:]
        output = np.empty((len(part), scale * height, scale * width), np.float32)
        for top, bottom in _steps(height, self._tile):
            for left, right in _steps(width, self._tile):
                above, before = max(0, top - overlap), max(0, left - overlap)
                piece = self._net(part[:, :, above:bottom + overlap, before:right + overlap])[:, 0]
                rows, columns = ((slice(scale * (first - start), scale * (last - start))) for first, last, start in ((top, bottom, above), (left, right, before)))
                output[:, scale * top:scale * bottom, scale * left:scale * right] = piece[:, rows, columns].float().cpu().numpy()
        return output


def _steps(length, size):
    return [(start, min(start + size, length)) for start in range(0, length, size)]


def _is_want_of_memory(error):
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(words in str(error) for words in NO_MEMORY)
