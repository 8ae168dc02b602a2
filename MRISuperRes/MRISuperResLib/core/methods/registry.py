"""Lookup of methods by name: interpolations, installed models, blends, back-projections."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import SuperResolutionError, is_out_of_memory, translate_device_errors
from ..method_name import MethodName
from ..models.store import Model, ModelStore
from ..options import DEFAULT_SCALE, FLOOR, MAX_METHODS, UpsamplingOptions
from ..resampling import INTERPOLATIONS
from ..slice_profile import INTERPOLATIONS as THROUGH_PLANE_INTERPOLATIONS
from ..system import check_address_space, device_kind
from .between_slices import SliceInterpolation, ThroughPlaneMethod, ThroughPlaneNetwork
from .interpolation import BackProjectedMethod, InterpolationMethod, Method

if TYPE_CHECKING:
    import torch

    from .network import NetworkMethod

MIN_TORCH = "2.3"
"""Oldest supported version of PyTorch: the first with unsigned 16-bit integers."""


class MethodRegistry:
    """Methods by name, with a cache of loaded networks.

    Args:
        store: The models; default: the installed ones.
        given: Methods that are not installed, found by their names.
    """

    def __init__(self, store: ModelStore | None = None, given: Iterable[Method] = ()) -> None:
        self.store = store or ModelStore()
        self._given = {method.name: method for method in given}
        self._networks: dict[tuple[object, ...], NetworkMethod] = {}
        self._between: dict[tuple[str, str], ThroughPlaneNetwork] = {}

    @translate_device_errors
    def get(self, options: UpsamplingOptions) -> Method:
        """Return the requested method, ready for a new task.

        Raises:
            SuperResolutionError: The model is unknown (kind "model") or has another scale
                ("settings"), PyTorch is missing or too old ("packages"), the device is missing
                ("environment") or fails ("device").
        """
        if options.model is None:
            # with the device "auto", the default depends on the devices that PyTorch finds
            device = _resolve_device(options.device)
            model = self.store.default_model(
                options.scale or DEFAULT_SCALE, device_kind(device.type)
            )
            return self._network((model,), MethodName(model.name), options)
        name = MethodName.parse(options.model)
        method = self._plain(name, options)
        return BackProjectedMethod(method) if name.back_projected else method

    @translate_device_errors
    def between_slices(self, options: UpsamplingOptions) -> ThroughPlaneMethod:
        """Return the requested method between slices, ready for a new task.

        Raises:
            SuperResolutionError: See `get`.
        """
        name = options.between_slices
        if name in THROUGH_PLANE_INTERPOLATIONS:
            return SliceInterpolation(name)
        model = self.store.through_plane_model(name)
        device = _resolve_device(options.device)
        key = (model.card.sha256, str(device))
        if key not in self._between:
            self._between[key] = ThroughPlaneNetwork(model.card, model.read_weights(), device)
        method = self._between[key]
        method.reset()
        return method

    def load(self, options: UpsamplingOptions) -> None:
        """Load the methods that any volume needs, so that what is missing is reported early.

        With a requested spacing, the volume decides about the others.

        Raises:
            SuperResolutionError: See `get`.
        """
        if not options.has_output_grid:
            self.get(options)
            return
        if options.model is not None:
            self.get(options.in_plane(None))
        if options.isotropic or options.between_slices is not None:
            self.between_slices(options)

    def scale_of(self, name: str) -> int:
        """Return the scale of an installed model or blend.

        Raises:
            SuperResolutionError: It is not installed (kind "model").
        """
        parsed = MethodName.parse(name)
        if parsed.without_back_projection in self._given:
            return self._given[parsed.without_back_projection].scale
        return self._models(parsed, None)[0].card.scale

    def _plain(self, name: MethodName, options: UpsamplingOptions) -> Method:
        """The method without its back-projection."""
        plain = name.without_back_projection
        if plain in self._given:
            return self._given[plain]
        if plain in INTERPOLATIONS:
            return InterpolationMethod(name.base, options.scale or DEFAULT_SCALE)
        return self._network(self._models(name, options.scale), name, options)

    def _models(self, name: MethodName, scale: int | None) -> tuple[Model, ...]:
        if name.alpha is not None:
            return self.store.pair(name.base, scale)
        model = self.store.model(name.base)
        if model.card.is_through_plane:
            raise SuperResolutionError(
                f"The model {model.name} upsamples between slices. Choose it as the method between "
                "slices, with an isotropic output or a spacing.",
                "settings",
            )
        if scale not in (None, model.card.scale):
            fitting = ", ".join(card.name for card in self.store.cards(scale)) or "none"
            raise SuperResolutionError(
                f"The model {model.name} upsamples ×{model.card.scale}, not ×{scale}. "
                f"Models for ×{scale}: {fitting}.",
                "settings",
            )
        return (model,)

    def _network(
        self, models: tuple[Model, ...], name: MethodName, options: UpsamplingOptions
    ) -> NetworkMethod:
        device = _resolve_device(options.device)
        from .network import NetworkMethod

        hashes = tuple(model.card.sha256 for model in models)
        chosen = (options.precision, options.ensemble, options.uncertainty)
        key = (hashes, name.base, name.alpha, str(device), *chosen)
        if key not in self._networks:
            self._networks[key] = NetworkMethod(
                [model.card for model in models],
                [model.read_weights() for model in models],
                device,
                name.alpha,
                *chosen,
            )
        method = self._networks[key]
        method.reset()
        return method


def default_comparison_methods(scale: int, store: ModelStore) -> tuple[str, ...]:
    """Return the interpolations, back-projected bicubic and the models of a scale.

    At most MAX_METHODS names.
    """
    models = (card.name for card in store.cards(scale))
    return (*INTERPOLATIONS, FLOOR, *models)[:MAX_METHODS]


def default_methods_between_slices(store: ModelStore) -> tuple[str, ...]:
    """Return the interpolations between slices and the through-plane models.

    At most MAX_METHODS names.
    """
    models = (card.name for card in store.cards() if card.is_through_plane)
    return (*THROUGH_PLANE_INTERPOLATIONS, *models)[:MAX_METHODS]


def check_torch_version(version: str) -> None:
    """Check that a version of PyTorch is supported.

    Raises:
        SuperResolutionError: It is older than MIN_TORCH (kind "packages").
    """
    found, required = (
        tuple(map(int, re.findall(r"\d+", text)[:2])) for text in (version, MIN_TORCH)
    )
    if found < required:
        raise SuperResolutionError(
            f"PyTorch {version} is too old: {MIN_TORCH} or later is required. "
            "Update it (pip install --upgrade torch), or choose an interpolation such as bicubic.",
            "packages",
        )


def _resolve_device(name: str) -> torch.device:
    """Import PyTorch and safetensors, and return a device."""
    check_address_space()
    try:
        import torch

        check_torch_version(torch.__version__)
        from ..inference.device import resolve_device
        from . import network  # noqa: F401
    except (ImportError, OSError, RuntimeError) as e:  # raised by broken installations of PyTorch
        if is_out_of_memory(e):
            raise MemoryError from e
        reason = next(iter(str(e).splitlines()), type(e).__name__)
        raise SuperResolutionError(
            f"Networks need PyTorch and safetensors, which cannot be imported ({reason}). "
            "Install them (pip install torch safetensors), or choose an interpolation such as "
            "bicubic.",
            "packages",
        ) from e
    return resolve_device(name)
