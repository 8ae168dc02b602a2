"""Protocol of the worker process: one JSON object per line, requests on stdin, events on stdout.

Arrays travel as .npy files.

Requests, with their fields:
    upsample  id options input ijkToRAS output [folder] [sliceThickness]
                                                           `UpsamplingOptions`; output: a file
    compare   id options input ijkToRAS output [folder] [sliceThickness]
                                                           `ComparisonOptions`; output: a folder
    labels    id input ijkToRAS output [folder] size outputIJKToRAS interpolation
                                                           size: (ni, nj, nk) of the output, a file
    install   id path                                      a model and its card
    import    id path name                                 a checkpoint, and a name for the model
    check     id name                                      a package of `packages.ALL`
    cancel    id                                           cancels a waiting or running job
    stop                                                   ends the worker after earlier jobs

    `input` is an .npy file, `ijkToRAS` its matrix (4 rows of 4 numbers, mm). `sliceThickness`, if
    given, is what its source states, mm. `folder`, if given,
    contains all files of the job. The worker deletes it if the application ends during the job.

Events, with their fields:
    ready      pid version
    progress   id and the fields of `Progress`
    result     id and the fields of the job, see `jobs`
    cancelled  id
    error      id kind message log                         id is None if it is not known

    `kind` is one of `errors.KINDS`, "internal" for a bug, or "request" for an invalid request. The
    application adds "crash" for a worker that ended unexpectedly. `message` is for the user, `log`
    holds a traceback.

Every job ends with one result, cancelled or error event. After an error of kind "device" the
worker ends, since a process whose GPU failed cannot use it again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

Request = dict[str, Any]
Event = dict[str, Any]

FOLDER_PREFIX = "MRISuperRes-"
"""Prefix of the names of job folders; the worker deletes no other folder."""


class RequestError(Exception):
    """Invalid request, which the worker reports before it continues."""


def parse_request(line: bytes) -> Request:
    """Parse and validate a request.

    Raises:
        RequestError: The line is not a valid request.
    """
    try:
        request = json.loads(line)
        name = request["request"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise RequestError("The worker received an invalid line. Start again.") from None
    if not isinstance(name, str) or name not in FIELDS:
        shown = f"“{name[:50]}”" if isinstance(name, str) else "without a name"
        raise RequestError(
            f"The worker received an unknown request {shown}. Restart the application."
        )
    for field, is_valid in FIELDS[name].items():
        if not is_valid(request.get(field)):
            raise RequestError(
                f"The worker received a request without a valid “{field}”. Start again."
            )
    return dict(request)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_anything(value: object) -> bool:
    return True


def _is_path(value: object) -> bool:
    try:
        return isinstance(value, str) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def _is_folder(value: object) -> bool:
    if value is None:
        return True
    return (
        isinstance(value, str)
        and _is_path(value)
        and os.path.basename(value).startswith(FOLDER_PREFIX)
    )


def _is_matrix(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(
            isinstance(row, list) and len(row) == 4 and all(map(_is_coordinate, row))
            for row in value
        )
    )


def _is_coordinate(value: object) -> bool:
    # larger integers do not fit into an array of floats
    return type(value) is float or (type(value) is int and abs(value) < 2**63)


def _is_size(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(type(side) is int and 0 < side < 2**31 for side in value)
    )


def _is_thickness(value: object) -> bool:
    return value is None or (type(value) in (int, float) and _is_coordinate(value) and value > 0)  # type: ignore[operator]


_Fields = dict[str, Callable[[object], bool]]
_VOLUME_FIELDS: _Fields = {
    "id": _is_text,
    "options": _is_object,
    "input": _is_path,
    "output": _is_path,
    "folder": _is_folder,
    "ijkToRAS": _is_matrix,
    "sliceThickness": _is_thickness,
}
_LABEL_FIELDS: _Fields = {
    "id": _is_text,
    "input": _is_path,
    "output": _is_path,
    "folder": _is_folder,
    "ijkToRAS": _is_matrix,
    "outputIJKToRAS": _is_matrix,
    "size": _is_size,
    "interpolation": _is_text,
}
JOBS: dict[str, _Fields] = {
    "upsample": _VOLUME_FIELDS,
    "compare": _VOLUME_FIELDS,
    "labels": _LABEL_FIELDS,
    "install": {"id": _is_text, "path": _is_path},
    "import": {"id": _is_text, "path": _is_path, "name": _is_text},
    "check": {"id": _is_text, "name": _is_text},
}
"""Requests that are jobs, with the check of every field."""
FIELDS: dict[str, _Fields] = {**JOBS, "cancel": {"id": _is_anything}, "stop": {}}
"""All requests; a cancel request with an unknown id is ignored, as its job may have ended."""
