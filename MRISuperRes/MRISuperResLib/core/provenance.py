"""What an output must carry, so that nobody takes it for an acquired image and anybody can make it again."""

import datetime
import platform
import sys

from .. import __version__
from . import geometry

NOTICE = "synthetic, not for diagnosis"


def head(notice: str) -> dict:
    """What every record begins with: what the thing is, and what made it when."""
    return {
        "notice": notice,
        "software": f"MRISuperRes {__version__}",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def describe(volume, ijk_to_ras, job, method, axis, intensity):
    """A dict of JSON values: the notice, the model and its hash, all settings, the input's shape, the versions, the time."""
    i, j, k = volume.shape[::-1]
    return {
        **head(NOTICE),
        "model": model(method),
        "scale": method.scale,
        "slices": {"axis": axis.name, "plane": axis.plane, "reason": axis.reason},
        "device": str(method.device),
        "precision": method.precision,
        "job": job.to_dict(),
        "input": {
            "size": [i, j, k],
            "spacing": [float(s) for s in geometry.spacing(ijk_to_ras)],
            "type": str(volume.dtype),
        },
        "intensity": {"low": intensity.low, "high": intensity.high},
        "versions": versions(),
    }


def model(method):
    """Name, stage and the SHA-256 of the weights: of a blend both, of an interpolation None."""
    return {
        "name": method.name,
        "stage": method.stage,
        "sha256": " ".join(card.sha256 for card in method.cards) or None,
    }


def versions():
    """Versions of Python and of those libraries that are loaded; asked of the modules, as metadata may belong to a broken installation."""
    loaded = {
        name: str(sys.modules[name].__version__)
        for name in ("numpy", "torch", "safetensors")
        if name in sys.modules
    }
    return {"python": platform.python_version(), **loaded}
