"""Half precision on processors that are made for it: several times as quick, and near enough to single precision, which is looked at in every run."""

import torch
from torch.backends import cudnn

PATCH = 64
"""Side of the part of a slice that is computed in both precisions."""
MAX_HALF_ERROR = 2e-3
"""Root mean square, as a part of the intensity range, beyond which single precision is taken. Two images that differ by so much have a PSNR of 54 dB;
results and truth have 25–45."""


def half_dtype(device):
    """The floating-point type of half the size in which a torch.device computes much faster; float32 where there is none.

    float16 on GPUs with tensor cores: as quick as bfloat16, with eight times its resolution, and the activations for normalized images lie well
    within its range. bfloat16 on CPUs that multiply it by themselves; others would emulate it, slowly.
    """
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0):
        return torch.float16
    if device.type == "cpu":
        able = getattr(
            torch.cpu, "get_capabilities", dict
        )()  # older versions of PyTorch don't tell
        if able.get("avx512_bf16") or able.get("amx_bf16"):
            return torch.bfloat16
    return torch.float32


def run(net, batch, dtype):
    """net(batch) as float32, computed in `dtype`; the weights stay in float32.

    float32 is float32, also on GPUs that would take the ten bits of TF32 for it.
    """
    with (
        torch.inference_mode(),
        torch.autocast(batch.device.type, dtype, enabled=dtype != torch.float32),
        cudnn.flags(enabled=True, allow_tf32=False),
    ):
        return net(batch).float()


def difference(net, batch, dtype):
    """(root mean square, largest) difference between both precisions on the liveliest part of a batch (n, 1, h, w); infinite where numbers overflow.

    None where all of the batch is one gray level, so that it would show nothing.
    """
    number = int((batch.amax((1, 2, 3)) - batch.amin((1, 2, 3))).argmax())
    image = batch[number : number + 1]
    if image.amin() == image.amax():
        return None
    row, column = divmod(int(image.argmax()), image.shape[3])
    top, left = (
        max(0, min(place - PATCH // 2, side - PATCH))
        for place, side in ((row, image.shape[2]), (column, image.shape[3]))
    )
    patch = image[:, :, top : top + PATCH, left : left + PATCH].contiguous(
        memory_format=torch.channels_last
    )
    differences = run(net, patch, dtype) - run(net, patch, torch.float32)
    found = float(differences.square().mean().sqrt()), float(differences.abs().max())
    return found if found[1] < float("inf") else (float("inf"), float("inf"))
