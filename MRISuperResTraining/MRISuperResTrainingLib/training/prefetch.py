"""The batches of this process, made ready while the network is busy with the one before."""

from concurrent.futures import Future, ThreadPoolExecutor

import torch


class Batches:
    """sampler: data.sampler.PatchSampler, whose batches depend on the seed and the step only. accelerator: which process this is of how many."""

    def __init__(self, sampler, accelerator):
        self._sampler, self._accelerator = sampler, accelerator
        self._pool = ThreadPoolExecutor(1)
        self._ready: tuple[int, Future] | None = None  # the step, and its arrays

    def __call__(self, step):
        """(low, high), (n, 1, h, w) float32 on the device."""
        arrays = (
            self._ready[1].result() if self._ready and self._ready[0] == step else self._make(step)
        )
        self._ready = (step + 1, self._pool.submit(self._make, step + 1))
        return tuple(
            torch.from_numpy(array).to(self._accelerator.device, memory_format=torch.channels_last)
            for array in arrays
        )

    def close(self):
        self._pool.shutdown(cancel_futures=True)

    def _make(self, step):
        return self._sampler.batch(
            step, self._accelerator.process_index, self._accelerator.num_processes
        )
