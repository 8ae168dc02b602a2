"""Super-resolution of MRI volumes with two-stage ESRGAN models.

Example:
    >>> import MRISuperResLib as sr
    >>> volume = sr.upsample("in.nii.gz", scale=2)
    >>> volume.save("out.nii.gz")

The names below are loaded at first use, so that importing the package loads no heavy library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "AuditOptions",
    "AuditReport",
    "Cancelled",
    "Comparison",
    "ComparisonOptions",
    "Frames",
    "Message",
    "Method",
    "ModelCard",
    "Progress",
    "SuperResolutionError",
    "UpsamplingOptions",
    "Volume",
    "__version__",
    "audit",
    "compare",
    "list_models",
    "load_model",
    "upsample",
    "upsample_labels",
]

if TYPE_CHECKING:
    from .api import list_models, load_model, upsample, upsample_labels
    from .api_comparison import audit, compare
    from .core.audit.findings import AuditReport
    from .core.comparison.results import Comparison
    from .core.errors import Cancelled, SuperResolutionError
    from .core.messages import Message
    from .core.methods.interpolation import Method
    from .core.models.card import ModelCard
    from .core.options import AuditOptions, ComparisonOptions, UpsamplingOptions
    from .core.progress import Progress
    from .core.volume import Frames, Volume

_MODULES = {
    "AuditOptions": "core.options",
    "AuditReport": "core.audit.findings",
    "Cancelled": "core.errors",
    "Comparison": "core.comparison.results",
    "ComparisonOptions": "core.options",
    "Frames": "core.volume",
    "Message": "core.messages",
    "Method": "core.methods.interpolation",
    "ModelCard": "core.models.card",
    "Progress": "core.progress",
    "SuperResolutionError": "core.errors",
    "UpsamplingOptions": "core.options",
    "Volume": "core.volume",
    "audit": "api_comparison",
    "compare": "api_comparison",
    "list_models": "api",
    "load_model": "api",
    "upsample": "api",
    "upsample_labels": "api",
}
"""Exported name and the module that defines it."""


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
