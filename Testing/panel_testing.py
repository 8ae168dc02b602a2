"""Helpers for tests of scene and panels, whichever application runs them.

These tests import neither the test host nor PySide6, so that they can also run in 3D Slicer.
"""

from slicerhost.testing import (
    answer_next,
    click,
    double_click,
    drag,
    expect_error,
    leave_module,
    open_module,
    press_key,
    process_events,
    real_data,
    screenshot,
    shown_dialogs,
    turn_wheel,
    type_text,
    wait_for_signal,
    wait_until,
)

__all__ = [
    "answer_next",
    "click",
    "double_click",
    "drag",
    "expect_error",
    "leave_module",
    "open_module",
    "press_key",
    "process_events",
    "real_data",
    "screenshot",
    "shown_dialogs",
    "turn_wheel",
    "type_text",
    "wait_for_signal",
    "wait_until",
]
