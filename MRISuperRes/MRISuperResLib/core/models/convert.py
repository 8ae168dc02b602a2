"""A checkpoint of the ESRGAN family, in any of its layouts, becomes a model for gray images. The library spandrel tells them apart.

Checkpoints are data: only tensors are read, nothing in them is executed.
"""

import hashlib
import io
import re
from pathlib import Path

import safetensors.torch
import torch

from ..errors import SuperResolutionError
from ..networks import make_generator
from ..options import SCALES
from . import user_models
from .card import NAME

GROWTH = 32
"""Of all networks of this family that spandrel knows."""
LIMITS = "Imported: what it has learnt from is not known, very likely photographs. Compare it with others before you trust it. Not a medical device."


def import_checkpoint(path, name, title="", stage="gan", license_name="", folder=None, store=None):
    """Writes the pair NAME.safetensors and NAME.json into the folder of the user's models; returns the ModelCard.

    path: a .pth, .pt or .ckpt of PyTorch's, or .safetensors, with one or three channels. name: of the model. stage: "psnr" or "gan".
    Of three channels the first convolution is summed over its inputs, the last averaged over its outputs: on a gray image this is the mean of the
    three colors that the checkpoint would give.
    Raises SuperResolutionError: a file that can't be read or holds another network (kind "model"), a name that is none ("settings") or is taken
    ("model"), spandrel missing ("environment").
    """
    if not NAME.fullmatch(name):
        raise SuperResolutionError(
            f"The name {name!r} is not made of letters, digits and . _ -, or is one that Windows keeps for itself: choose another one.",
            "settings",
        )
    user_models.check_name_is_free(name, store)
    path = Path(path)
    data = _bytes(path)
    spandrel = _spandrel()
    architecture, scale, state = _converted(path, spandrel, _state(path, data))
    try:
        net = make_generator(architecture, scale)
        net.load_state_dict(state)
    except (RuntimeError, ValueError) as e:
        raise _unusable(
            path, "its weights do not fit the network that they seem to belong to"
        ) from e
    weights = safetensors.torch.save(
        {key: value.half().contiguous() for key, value in net.state_dict().items()}
    )
    source = {"imported": path.name, "sha256": hashlib.sha256(data).hexdigest()}
    return user_models.add(
        weights,
        folder,
        name=name,
        title=title or f"{path.stem}, imported",
        scale=scale,
        stage=stage,
        architecture=architecture,
        training=source,
        license=license_name,
        limits=LIMITS,
        made_for="gpu",
    )


def _bytes(path):
    try:
        return path.read_bytes()
    except OSError as e:
        raise SuperResolutionError(
            f"{path} can't be read ({e.strerror}): check the name, and that you may open it.",
            "model",
        ) from e


def _state(path, data):
    try:
        if path.suffix.lower() == ".safetensors":
            return safetensors.torch.load(data)
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (
        Exception
    ) as e:  # the readers raise whatever they meet in a file that is not what it seems
        raise _unusable(
            path, "it is no file of weights, or holds more than weights, which is never executed"
        ) from e
    if not isinstance(state, dict):
        raise _unusable(path, "it holds no weights by name")
    return state


def _spandrel():
    try:
        import spandrel
    except (
        ImportError,
        RuntimeError,
    ) as e:  # torchvision of another build than torch's raises RuntimeError
        raise SuperResolutionError(
            f"Importing a checkpoint needs spandrel and torchvision, which can't be imported here ({str(e).splitlines()[0]}): "
            "install them (pip install spandrel), torchvision in the version that belongs to your PyTorch.",
            "environment",
        ) from e
    return spandrel


def _converted(path, spandrel, state):
    """(architecture, scale, weights of our RRDBNet for one channel)"""
    state = spandrel.canonicalize_state_dict(state)
    try:
        found = spandrel.MAIN_REGISTRY.load(state)
    except Exception as e:  # it raises whatever it meets in weights that are not what they seem
        raise _unusable(path, "it holds no network that is known") from e
    if found.architecture.id != "ESRGAN" or {"ESRGAN+", "unshuffle"} & set(found.tags):
        kind = " ".join([found.architecture.name, *found.tags])
        raise _unusable(
            path, f"it holds another network ({kind}), and only the plain ESRGAN can be imported"
        )
    if found.scale not in SCALES or not found.input_channels == found.output_channels in (1, 3):
        raise _unusable(
            path,
            f"it enlarges ×{found.scale} with {found.input_channels} channels, not ×2, ×4 or ×8 with 1 or 3",
        )
    values = found.model.state_dict()
    last = max(int(key.split(".")[1]) for key in values)
    weights = {_name(key, last): value.float() for key, value in values.items()}
    weights["conv_first.weight"] = weights["conv_first.weight"].sum(1, keepdim=True)
    for key in ("conv_last.weight", "conv_last.bias"):
        weights[key] = weights[key].mean(0, keepdim=True)
    blocks = 1 + max(int(key.split(".")[1]) for key in weights if key.startswith("body."))
    architecture = {
        "network": "rrdb",
        "blocks": blocks,
        "features": len(weights["conv_body.weight"]),
        "growth": GROWTH,
        "first_kernel": 3,
    }
    return architecture, found.scale, weights


def _name(key, last):
    """Ours of a parameter, of spandrel's, which are those of the first ESRGAN: model.N of a sequence that ends with the number `last`."""
    if block := re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(\w+)", key):
        return "body.{}.rdb{}.conv{}.{}".format(*block.groups())
    number, kind = int(key.split(".")[1]), key.rpartition(".")[2]
    fixed = {0: "conv_first", 1: "conv_body", last - 2: "conv_hr", last: "conv_last"}
    return f"{fixed.get(number) or f'conv_up{number // 3}'}.{kind}"


def _unusable(path, reason):
    return SuperResolutionError(f"{path} can't be imported: {reason}.", "model")
