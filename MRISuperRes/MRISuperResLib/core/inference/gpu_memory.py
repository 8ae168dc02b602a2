"""What a GPU has of memory, and what something takes of it."""

import torch


def free(device):
    """Bytes that nobody uses; PyTorch gives back what it keeps for later."""
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info(device)[0]


def peak(device, function):
    """Bytes that were taken at most, beyond those that were in use, while a function ran."""
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    function()
    return torch.cuda.max_memory_allocated(device) - before
