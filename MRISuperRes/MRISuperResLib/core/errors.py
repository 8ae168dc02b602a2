"""Exceptions that end a task early: errors that the user can fix, and cancellation."""

from __future__ import annotations

KINDS = ("input", "model", "settings", "environment", "packages", "memory", "device")


class SuperResolutionError(Exception):
    """An error that the user can fix; its text says what happened, where, and what to do.

    Attributes:
        kind: "input" (the volume), "model" (a model's files), "settings" (the options),
            "environment" (disk, missing hardware), "packages" (Python packages missing or broken),
            "memory", or "device" (a GPU failed; the process that used it cannot use it again).
    """

    def __init__(self, message: str, kind: str = "input") -> None:
        super().__init__(message)
        if kind not in KINDS:
            raise ValueError(f"unknown kind of error: {kind!r}")
        self.kind = kind


class Cancelled(Exception):  # noqa: N818 (not an error)
    """Cancellation of a task by its caller."""
