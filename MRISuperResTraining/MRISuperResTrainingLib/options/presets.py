"""Presets: settings to start from."""

from __future__ import annotations

from typing import Any

from MRISuperResLib.core.validation import invalid

from .settings import Settings

RRDB_23 = {"network": "rrdb", "blocks": 23, "features": 64, "growth": 32}

PRESETS: dict[str, dict[str, Any]] = {
    # The settings of the bachelor thesis on GAN super-resolution of fetal and brain MRI with a
    # two-stage ESRGAN, which states no number of steps. Its high-resolution slices have 128×128
    # pixels; here, whole slices are downsampled to that size.
    "thesis": {
        "generator": RRDB_23 | {"first_kernel": 9},
        "data": {"patch": 128, "patches": "resample", "degradation": "bicubic"},
        "psnr": {"steps": 200_000, "learning_rate": 2e-4},
        "gan": {
            "steps": 100_000,
            "learning_rate": 2e-4,
            "discriminator_learning_rate": 2e-4,
            "adversarial_weight": 5e-3,
            "content_weight": 1e-2,
            "discriminator": "thesis",
            "adversarial_terms": "fake",
        },
    },
    # The same network with the training practice since 2018. Best started from the next smaller
    # scale (start_from).
    "modern": {
        "generator": RRDB_23 | {"first_kernel": 3},
        "data": {"patch": 128, "degradation": "mixture", "noise": 5.0},
        "psnr": {"steps": 200_000, "learning_rate": 2e-4, "schedule": "cosine", "fft_weight": 0.05},
        "gan": {
            "steps": 100_000,
            "learning_rate": 5e-5,
            "discriminator_learning_rate": 1e-4,
            "schedule": "halving",
            "discriminator": "official",
            "adversarial_terms": "both",
        },
        "precision": "bfloat16",
        "ema": 0.999,
        "clip_norm": 1.0,
    },
    # A demonstration: minutes on two CPU cores, without the weights of VGG19.
    "quick": {
        "generator": {"network": "compact", "blocks": 4, "features": 32},
        "data": {"patch": 48},
        "psnr": {"steps": 500, "learning_rate": 3e-3, "schedule": "cosine"},
        "gan": {
            "steps": 50,
            "learning_rate": 1e-4,
            "discriminator_learning_rate": 1e-4,
            "content_weight": 1.0,
            "perceptual_weight": 0.0,
            "adversarial_terms": "both",
        },
        "batch": 8,
        "ema": 0.99,
        "clip_norm": 1.0,
        "checkpoint_every": 50,
        "validate_every": 100,
    },
}


def preset(name: str, scale: int, **changes: Any) -> Settings:
    """Return the settings of a preset.

    Args:
        name: A key of `PRESETS`: "thesis", "modern" or "quick".
        scale: 2, 4 or 8.
        **changes: Fields of `Settings` that differ; for `data`, `psnr` and `gan` a dict of the
            fields that differ.

    Raises:
        SuperResolutionError: The preset is unknown, or a value is invalid (kind "settings").
    """
    if name not in PRESETS:
        raise invalid(f"Unknown preset “{name}”: choose one of {', '.join(PRESETS)}.")
    return Settings.from_dict(
        Settings.merged(PRESETS[name] | {"preset": name, "scale": scale}, changes)
    )
