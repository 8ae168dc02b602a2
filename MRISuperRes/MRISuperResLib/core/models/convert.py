"""Import of ESRGAN-family checkpoints as models for grayscale images. Needs torch and spandrel.

The library spandrel recognizes the layouts of the ESRGAN family (Wang et al. 2018,
arXiv:1809.00219). Checkpoints are data: only tensors are read, no code in them is executed.
"""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import safetensors.torch
import torch

from ..errors import SuperResolutionError
from ..networks import make_generator
from ..options import SCALES
from .card import MODEL_NAME_RULE, ModelCard, is_model_name
from .store import ModelStore
from .user_models import add_model, check_name_is_free

GROWTH = 32
"""Growth channels of all networks of this family that spandrel supports."""
LIMITS = (
    "Imported: the training data is unknown, most likely photographs. Compare it with other "
    "models before you rely on it. Not a medical device."
)

State = dict[str, torch.Tensor]


def import_checkpoint(
    path: str | Path,
    name: str,
    title: str = "",
    stage: str = "gan",
    license_name: str = "",
    folder: str | Path | None = None,
    store: ModelStore | None = None,
) -> ModelCard:
    """Convert a checkpoint into a model in the user's folder.

    With three channels, the first convolution is summed over its inputs and the last one averaged
    over its outputs. On a grayscale image, this equals the mean of the three output colors.

    Args:
        path: A .pth, .pt or .ckpt file of PyTorch, or .safetensors, with one or three channels.
        name: Name of the model.
        title: Short description; default: the file name.
        stage: "psnr" or "gan".
        license_name: License of the weights.
        folder: Default: the user's folder.
        store: The installed models, whose names are taken.

    Returns:
        The model card.

    Raises:
        SuperResolutionError: The file is unreadable or holds another network (kind "model"), the
            name is invalid ("settings") or taken ("model"), or spandrel is missing
            ("environment").
    """
    if not is_model_name(name):
        raise SuperResolutionError(
            f"The name {name!r} is invalid. Use {MODEL_NAME_RULE}.", "settings"
        )
    check_name_is_free(name, store)
    path = Path(path)
    data = _read(path)
    spandrel = _import_spandrel()
    architecture, scale, state = _convert(path, spandrel, _load_state(path, data))
    try:
        net = make_generator(architecture, scale)
        net.load_state_dict(state)
    except (RuntimeError, ValueError) as e:
        raise _unusable(path, "its weights do not fit the detected network") from e
    weights = safetensors.torch.save(
        {key: value.half().contiguous() for key, value in net.state_dict().items()}
    )
    return add_model(
        weights,
        folder,
        name=name,
        title=title or f"{path.stem}, imported",
        scale=scale,
        stage=stage,
        architecture=architecture,
        training={"imported": path.name, "sha256": hashlib.sha256(data).hexdigest()},
        license=license_name,
        limits=LIMITS,
        made_for="gpu",
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise SuperResolutionError(
            f"{path} cannot be read ({e.strerror}). Check the name and the permissions.", "model"
        ) from e


def _load_state(path: Path, data: bytes) -> dict[str, Any]:
    try:
        if path.suffix.lower() == ".safetensors":
            return dict(safetensors.torch.load(data))
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as e:  # the readers raise many types on damaged files
        raise _unusable(
            path, "it is not a weights file, or holds more than weights, which is never executed"
        ) from e
    if not isinstance(state, dict):
        raise _unusable(path, "it holds no named weights")
    return state


def _import_spandrel() -> ModuleType:
    try:
        import spandrel
    except (ImportError, RuntimeError) as e:  # RuntimeError: torchvision of another build
        raise SuperResolutionError(
            "Importing a checkpoint needs spandrel and torchvision, which cannot be imported "
            f"({str(e).splitlines()[0]}). Install them (pip install spandrel), with the "
            "torchvision version that belongs to your PyTorch.",
            "environment",
        ) from e
    return spandrel


def _convert(
    path: Path, spandrel: ModuleType, state: dict[str, Any]
) -> tuple[dict[str, Any], int, State]:
    """Return (architecture, scale, weights of an RRDBNet with one channel)."""
    state = spandrel.canonicalize_state_dict(state)
    try:
        found = spandrel.MAIN_REGISTRY.load(state)
    except Exception as e:  # spandrel raises many types on weights of other networks
        raise _unusable(path, "it holds no known network") from e
    if found.architecture.id != "ESRGAN" or {"ESRGAN+", "unshuffle"} & set(found.tags):
        kind = " ".join([found.architecture.name, *found.tags])
        raise _unusable(
            path, f"it holds another network ({kind}), and only plain ESRGAN is supported"
        )
    if found.scale not in SCALES or not found.input_channels == found.output_channels in (1, 3):
        raise _unusable(
            path,
            f"it upsamples ×{found.scale} with {found.input_channels} channels, "
            "not ×2, ×4 or ×8 with 1 or 3",
        )
    values: State = found.model.state_dict()
    last = max(int(key.split(".")[1]) for key in values)
    weights = {_parameter_name(key, last): value.float() for key, value in values.items()}
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
    return architecture, int(found.scale), weights


def _parameter_name(key: str, last: int) -> str:
    """Translate a name of the first ESRGAN layout, a sequence model.N that ends at `last`."""
    if block := re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(\w+)", key):
        return "body.{}.rdb{}.conv{}.{}".format(*block.groups())
    number, kind = int(key.split(".")[1]), key.rpartition(".")[2]
    fixed = {0: "conv_first", 1: "conv_body", last - 2: "conv_hr", last: "conv_last"}
    return f"{fixed.get(number) or f'conv_up{number // 3}'}.{kind}"


def _unusable(path: Path, reason: str) -> SuperResolutionError:
    return SuperResolutionError(f"{path} cannot be imported: {reason}.", "model")
