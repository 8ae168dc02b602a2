"""Import of checkpoints of image super-resolution as models for grayscale images.

Needs torch and spandrel, which recognizes the architectures. Those of the ESRGAN family (Wang et
al. 2018, arXiv:1809.00219; with unshuffled input: Real-ESRGAN, Wang et al. 2021, arXiv:2107.10833)
and SRVGGNetCompact become networks of this package. The others are computed by spandrel.

Checkpoints are data: only tensors are read, no code in them is executed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from ..errors import SuperResolutionError, is_out_of_memory
from ..inference.device import MAX_HALF_ERROR, run_network
from ..networks import load_generator
from ..networks.spandrel_net import SPANDREL, SpandrelNet, import_spandrel, load_with_spandrel
from ..options import SCALES
from .card import MODEL_NAME_RULE, ModelCard, is_model_name
from .store import ModelStore, user_models_folder, write_model
from .user_models import check_name_is_free

GROWTH = 32
"""Growth channels of all networks of the ESRGAN family that spandrel supports."""
LIMITS = (
    "Imported: the training data is unknown, most likely photographs. Compare it with other "
    "models before you rely on it. Not a medical device."
)
SPANDREL_LIMITS = (
    " Needs the Python package spandrel. Slices are upsampled whole, never in tiles: large ones "
    "need much memory."
)
DISCRIMINATOR = re.compile(r"(?:.*[._])?(?:disc\w*|critic\w*|net_?d|d)\.", re.IGNORECASE)
"""Prefix of the weights of a discriminator, which may lie beside those of the generator."""
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.bool)
"""Types of weights, and of the tables of indices beside them."""
MAX_NESTING = 5
"""Names before the name of a weight, such as state_dict, generator and module."""
TRIAL_SIZE = 20, 24
"""Sides of the image that is upsampled to verify a converted model."""

State = dict[str, Tensor]


class _Number:
    """Stand-in for scalars of NumPy and their types, which are not used: nothing is computed."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


NUMBERS = [
    type(name, (_Number,), {"__module__": module})
    for module, name in (
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "scalar"),
    )
]
"""Stand-ins by the names that checkpoints of NumPy 1 and 2 contain."""


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

    A network for colors becomes one for grayscale images, which returns the mean of the three
    output colors. The weights are stored in half precision if the result stays the same. A trial
    image shows that the model upsamples as the original does.

    Args:
        path: A .pth, .pt or .ckpt file of PyTorch, or .safetensors, with one or three channels.
            Wrappers such as params_ema, state_dict or the prefix “generator.” are recognized.
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
    tensors = _load_tensors(path, data)
    found, state = _find_network(path, tensors)
    _check(path, found, state)
    architecture, state = _convert(found, state)
    return write_model(
        folder or user_models_folder(),
        _verified_weights(path, name, found, architecture, state),
        name=name,
        title=title or f"{path.stem}, imported",
        scale=int(found.scale),
        stage=stage,
        architecture=architecture,
        training={"imported": path.name, "sha256": hashlib.sha256(data).hexdigest()},
        license=license_name,
        limits=LIMITS + (SPANDREL_LIMITS if architecture["network"] == SPANDREL else ""),
        made_for="gpu",
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise SuperResolutionError(
            f"{path} cannot be read ({e.strerror}). Check the name and the permissions.", "model"
        ) from e


def _load_tensors(path: Path, data: bytes) -> State:
    """The tensors of a checkpoint by name; names of nested dictionaries are joined with dots."""
    try:
        if path.suffix.lower() == ".safetensors":
            content = safetensors.torch.load(data)
        else:
            _check_stored_sizes(data)
            # PyTorch 2.3 and 2.4 refuse NumPy's scalars
            safe = getattr(torch.serialization, "safe_globals", contextlib.nullcontext)
            with safe(NUMBERS), warnings.catch_warnings(action="ignore"):  # of odd formats
                content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as e:  # the readers raise many types on damaged files
        if is_out_of_memory(e):
            raise
        raise _unusable(
            path,
            "it is damaged, or holds more than weights, which is never executed: save the weights "
            "alone (torch.save(network.state_dict(), FILE))",
        ) from e
    tensors = {name: value for name, value in _flattened(content, "") if _is_plain(value)}
    if not tensors:
        raise _unusable(path, "it holds no named weights")
    if sum(value.numel() * value.element_size() for value in tensors.values()) > 2 * len(data):
        raise _unusable(path, "it is damaged: its weights are larger than the file")
    return tensors


def _check_stored_sizes(data: bytes) -> None:
    """Refuse compressed content, which may be huge: PyTorch stores weights as they are."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if sum(entry.file_size for entry in file.infolist()) > len(data):
                raise ValueError("compressed")


def _flattened(value: Any, name: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Tensor):
        yield name, value.detach()
    elif isinstance(value, dict) and depth <= MAX_NESTING:
        for key, entry in value.items():
            if isinstance(key, str):
                yield from _flattened(entry, f"{name}.{key}" if name else key, depth + 1)


def _is_plain(value: Tensor) -> bool:
    return value.layout == torch.strided and value.device.type == "cpu" and value.dtype in DTYPES


def _find_network(path: Path, tensors: State) -> tuple[Any, State]:
    """The network with the fewest names before those of its weights: (descriptor, weights)."""
    import_spandrel()
    prefixes = [""]
    for _ in range(MAX_NESTING):
        found = {}
        for prefix in prefixes:
            state = {
                name.removeprefix(prefix): value
                for name, value in tensors.items()
                if name.startswith(prefix)
            }
            # spandrel raises many types on weights of other networks
            with contextlib.suppress(Exception):
                found[prefix] = load_with_spandrel(state), state
        averaged = [prefix for prefix in found if "ema" in prefix.lower()]
        chosen = averaged or list(found)
        if len(chosen) > 1:
            raise _unusable(
                path, f"it holds several networks ({', '.join(chosen)}): save one of them alone"
            )
        if chosen:
            return found[chosen[0]]
        prefixes = _longer(prefixes, tensors)
    raise _unusable(path, "it holds no network that spandrel recognizes")


def _longer(prefixes: list[str], tensors: State) -> list[str]:
    """The prefixes with one more name, without numbered layers and discriminators."""
    longer = {}
    for name in tensors:
        for prefix in prefixes:
            if name.startswith(prefix) and "." in (rest := name.removeprefix(prefix)):
                part = rest.partition(".")[0]
                candidate = f"{prefix}{part}."
                if not part.isdecimal() and not DISCRIMINATOR.fullmatch(candidate):
                    longer[candidate] = True
    return list(longer)


def _check(path: Path, found: Any, state: State) -> None:
    """Refuse networks that do not upsample one image, and damaged weights."""
    name = found.architecture.name
    if getattr(found, "purpose", "") not in ("SR", "Restoration"):
        raise _unusable(path, f"its network ({name}) is not made to upsample any image")
    if found.scale not in SCALES or not found.input_channels == found.output_channels in (1, 3):
        raise _unusable(
            path,
            f"its network ({name}) upsamples ×{found.scale} with {found.input_channels} channels, "
            "not ×2, ×4 or ×8 with 1 or 3",
        )
    whole = [key for key, value in state.items() if not value.is_floating_point()]
    if any(key.endswith((".weight", ".bias")) for key in whole):
        raise _unusable(path, f"some of its weights are whole numbers ({whole[0]})")
    damaged = [key for key, value in state.items() if not torch.isfinite(value).all()]
    if damaged:
        raise _unusable(path, f"some of its weights are not finite numbers ({damaged[0]})")


def _convert(found: Any, state: State) -> tuple[dict[str, Any], State]:
    """Return (architecture, weights) of a network with one channel."""
    kind, values = found.architecture.id, dict(found.model.state_dict())
    if kind == "ESRGAN" and "ESRGAN+" not in found.tags:
        return _convert_esrgan(found, values)
    if kind == "Compact":
        return _convert_compact(found, values)
    return {"network": SPANDREL, "type": kind}, state


def _convert_esrgan(found: Any, values: State) -> tuple[dict[str, Any], State]:
    last = max(int(key.split(".")[1]) for key in values)
    weights = {_parameter_name(key, last): value.float() for key, value in values.items()}
    first, unshuffle = weights["conv_first.weight"], found.model.shuffle_factor or 1
    # the channels of a color are neighbors, see torch.pixel_unshuffle
    weights["conv_first.weight"] = first.reshape(
        len(first), -1, unshuffle**2, *first.shape[2:]
    ).sum(1)
    for key in ("conv_last.weight", "conv_last.bias"):
        weights[key] = weights[key].mean(0, keepdim=True)
    architecture = {
        "network": "rrdb",
        "blocks": 1 + max(int(key.split(".")[1]) for key in weights if key.startswith("body.")),
        "features": len(weights["conv_body.weight"]),
        "growth": GROWTH,
        "first_kernel": 3,
    }
    return architecture | ({"unshuffle": unshuffle} if unshuffle > 1 else {}), weights


def _parameter_name(key: str, last: int) -> str:
    """Translate a name of the first ESRGAN layout, a sequence model.N that ends at `last`."""
    if block := re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(\w+)", key):
        return "body.{}.rdb{}.conv{}.{}".format(*block.groups())
    number, kind = int(key.split(".")[1]), key.rpartition(".")[2]
    fixed = {0: "conv_first", 1: "conv_body", last - 2: "conv_hr", last: "conv_last"}
    return f"{fixed.get(number) or f'conv_up{number // 3}'}.{kind}"


def _convert_compact(found: Any, values: State) -> tuple[dict[str, Any], State]:
    weights = {key: value.float() for key, value in values.items()}
    last = max(int(key.split(".")[1]) for key in weights)
    weights["body.0.weight"] = weights["body.0.weight"].sum(1, keepdim=True)
    for key in (f"body.{last}.weight", f"body.{last}.bias"):
        # the pixels of a color are neighbors, see torch.pixel_shuffle
        weights[key] = weights[key].reshape(-1, found.scale**2, *weights[key].shape[1:]).mean(0)
    features = len(weights["body.0.weight"])
    architecture = {"network": "srvgg", "convolutions": last // 2 - 1, "features": features}
    return architecture, weights


def _verified_weights(
    path: Path, name: str, found: Any, architecture: dict[str, Any], state: State
) -> bytes:
    """The weights file, in half precision if the model still upsamples as the original."""
    trial = torch.rand((1, 1, *TRIAL_SIZE), generator=torch.Generator().manual_seed(0))
    try:
        expected = run_network(SpandrelNet(found), trial, torch.float32)
        for dtype in (torch.float16, torch.float32):
            converted = {
                key: value.to(dtype) if value.is_floating_point() else value
                for key, value in state.items()
            }
            if not all(torch.isfinite(value).all() for value in converted.values()):
                continue  # beyond half precision
            # clones, since safetensors refuses weights that share memory
            weights: bytes = safetensors.torch.save(
                {key: value.contiguous().clone() for key, value in converted.items()}
            )
            net = load_generator(name, architecture, int(found.scale), weights)
            error = (run_network(net, trial, torch.float32) - expected).square().mean().sqrt()
            if error <= MAX_HALF_ERROR * (expected.amax() - expected.amin()):
                return weights
    except Exception as e:  # networks raise many types on images that they cannot process
        if is_out_of_memory(e):
            raise
        raise _unusable(path, f"its network ({found.architecture.name}) cannot be used") from e
    raise _unusable(
        path,
        f"its network ({found.architecture.name}) does not give the same finite image every time",
    )


def _unusable(path: Path, reason: str) -> SuperResolutionError:
    return SuperResolutionError(f"{path} cannot be imported: {reason}.", "model")
