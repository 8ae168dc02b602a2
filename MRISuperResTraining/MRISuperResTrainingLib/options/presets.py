"""Settings to begin with."""

from .checked import wrong
from .settings import Settings

RRDB_23 = {"network": "rrdb", "blocks": 23, "features": 64, "growth": 32}

PRESETS = {
    # as the thesis has it; it gives no number of steps. Its high-resolution slices have 128×128 pixels: whole slices, shrunk
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
    # the same network, trained as people do since; best warm-started from the scale below (start_from)
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
    # minutes on two CPU cores, and no weights of VGG: to see everything work
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


def preset(name: str, scale: int, **changes) -> Settings:
    """The Settings of a preset; changes: fields of Settings; of `data`, `psnr` and `gan` a dict of what changes.

    Raises SuperResolutionError (kind "settings").
    """
    if name not in PRESETS:
        raise wrong(f"There is no preset “{name}”: choose one of {', '.join(PRESETS)}.")
    return Settings.from_dict(
        Settings.merged(PRESETS[name] | {"preset": name, "scale": scale}, changes)
    )
