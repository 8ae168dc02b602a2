"""Helpers for tests of scene and panels, the same on the test host and in 3D Slicer.

These tests import neither the host nor PySide6. Only the actions of the user differ between the
two applications. On the host, the runner watches for problems outside the tests; in Slicer, the
import of this package does.
"""

import importlib.util

from .dialogs import answer_next, shown_dialogs
from .files import gray_values, real_data, screenshot
from .problems import expect as expect_error
from .waiting import process_events, wait_for_signal, wait_until

if importlib.util.find_spec("slicerhost"):
    from slicerhost import user_actions as _actions
else:
    from . import results
    from . import user_actions as _actions

    results.watch_application()

__all__ = [
    "answer_next",
    "click",
    "double_click",
    "drag",
    "emit_application_signal",
    "expect_error",
    "gray_values",
    "leave_module",
    "open_module",
    "press_key",
    "process_events",
    "real_data",
    "registered_samples",
    "screenshot",
    "serve_files",
    "show_beside_views",
    "shown_dialogs",
    "start_application",
    "turn_wheel",
    "type_text",
    "wait_for_signal",
    "wait_until",
]

# actions of the user
globals().update({name: value for name, value in vars(_actions).items() if name in __all__})
