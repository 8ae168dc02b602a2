"""Scales of an evaluation: upsampling factors in-plane, and 1 for models between slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from MRISuperResLib.core.method_name import MethodName
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.options import FLOOR, ComparisonOptions
from MRISuperResLib.core.resampling import INTERPOLATIONS
from MRISuperResLib.core.slice_profile import INTERPOLATIONS as THROUGH_PLANE_INTERPOLATIONS

BETWEEN_SLICES = 1
"""Scale of models between slices, as in `ComparisonOptions`: no factor in-plane."""
SLICE_SPACING = 4.0
"""Slice spacing to which references are degraded between slices, mm; without a gap."""


def scales_of(models: Sequence[str], registry: MethodRegistry) -> dict[str, int]:
    """Return the scale at which each model is evaluated: 2, 4, 8, or `BETWEEN_SLICES`.

    Raises:
        SuperResolutionError: A model is not installed (kind "model").
    """
    between = {card.name for card in registry.store.cards() if card.is_through_plane}
    return {
        name: BETWEEN_SLICES if MethodName.parse(name).base in between else registry.scale_of(name)
        for name in models
    }


def scale_text(scale: int) -> str:
    """Return a scale as text: "×2", or "between slices"."""
    return "between slices" if scale == BETWEEN_SLICES else f"×{scale}"


def options_for(
    scale: int, scales: Mapping[str, int], options: ComparisonOptions
) -> ComparisonOptions:
    """Return the options of the comparisons of one scale: its interpolations and models.

    Args:
        scale: The scale.
        scales: {model: its scale}.
        options: Options of all comparisons, except methods, scale and thick slices.

    Raises:
        SuperResolutionError: The options do not suit the scale, or too many models are compared
            (kind "settings").
    """
    is_between = scale == BETWEEN_SLICES
    baselines = THROUGH_PLANE_INTERPOLATIONS if is_between else (*INTERPOLATIONS, FLOOR)
    of_scale = (name for name, its_scale in scales.items() if its_scale == scale)
    changes = {
        "methods": (*baselines, *of_scale),
        "scale": scale,
        "reference": True,
        "slice_spacing": SLICE_SPACING if is_between else None,
        "slice_thickness": None,
    }
    return ComparisonOptions.from_dict(options.to_dict() | changes)
