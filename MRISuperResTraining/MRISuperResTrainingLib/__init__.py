"""Training and evaluation of super-resolution models for MRISuperRes.

Example:
    >>> import MRISuperResTrainingLib as srt
    >>> run = srt.train("/data/study", "runs/first", srt.preset("quick", scale=2))
    >>> srt.evaluate(run=run.path, out="evaluation")
    >>> srt.export(run.path, "first-x2", "models")

The names below are loaded at first use, so that importing the package loads no heavy library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__all__ = [
    "PRESETS",
    "Recipe",
    "RunFolder",
    "RunRecord",
    "Settings",
    "Source",
    "evaluate",
    "evaluate_uncertainty",
    "export",
    "preset",
    "read_sources",
    "resume",
    "train",
]

if TYPE_CHECKING:
    from .api import evaluate, evaluate_uncertainty, export, resume, train
    from .data.sources import Source, read_sources
    from .options.presets import PRESETS, Recipe, preset
    from .options.settings import Settings
    from .runs.folder import RunFolder
    from .runs.record import RunRecord

_MODULES = {
    "PRESETS": "options.presets",
    "Recipe": "options.presets",
    "RunFolder": "runs.folder",
    "RunRecord": "runs.record",
    "Settings": "options.settings",
    "Source": "data.sources",
    "evaluate": "api",
    "evaluate_uncertainty": "api",
    "export": "api",
    "preset": "options.presets",
    "read_sources": "data.sources",
    "resume": "api",
    "train": "api",
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
