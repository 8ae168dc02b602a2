"""Atomic file writes: a file or folder appears complete, or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import SuperResolutionError


@contextlib.contextmanager
def translate_os_errors(target: str | Path, size: int = 0) -> Iterator[None]:
    """Translate an OSError raised while writing to SuperResolutionError.

    Args:
        target: The file or folder that the error names.
        size: Bytes that were to be written; 0 if unknown.

    Raises:
        SuperResolutionError: (kind "environment") Full disk, missing permission, or another error.
    """
    try:
        yield
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            free = shutil.disk_usage(Path(target).parent).free / 2**20
            needed = f", up to {size / 2**20:.0f} MiB needed" if size else ""
            reason = f"the disk is full ({free:.0f} MiB free{needed})"
            action = "Free some space or choose another folder"
        elif isinstance(e, PermissionError) or e.errno == errno.EROFS:
            reason = "permission denied, or another program has the file open"
            action = "Choose another folder or close that program"
        else:
            reason, action = f"{e.strerror or e}", "Choose another folder"
        raise SuperResolutionError(
            f"{target} cannot be written: {reason}. {action}.", "environment"
        ) from e


@contextlib.contextmanager
def temporary_file(target: Path, extension: str) -> Iterator[Path]:
    """Yield a new, empty file beside `target`; delete it at the end unless it was moved.

    Args:
        target: Full path of the file that the temporary one will replace.
        extension: Extension of the temporary file; ITK derives the format from it.
    """
    path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part{extension}")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a path to write to, which replaces `path` at the end.

    A killed process leaves the old file, or none. The temporary file always has the same name, so
    that killed processes do not fill the disk.

    Raises:
        SuperResolutionError: (kind "environment") The file cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(path.name + ".part")
    with translate_os_errors(path):
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write bytes to a file, atomically.

    Raises:
        SuperResolutionError: (kind "environment") The file cannot be written.
    """
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | Path, values: Any) -> None:
    """Write JSON values to a file, atomically.

    Raises:
        SuperResolutionError: (kind "environment") The file cannot be written.
    """
    write_bytes(path, (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode())


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Yield a hidden folder beside `path`, which becomes `path` at the end.

    The folder is deleted if an exception is raised. Errors raised inside name files by their final
    paths.

    Args:
        path: A folder that does not exist or is empty.

    Raises:
        SuperResolutionError: `path` is a file or a folder with content, or cannot be created.
    """
    target, part = _places(path)
    try:
        with translate_os_errors(target):
            _check_place(target)
            part.mkdir()
            yield part
            if target.is_dir():
                target.rmdir()  # Windows does not replace an empty folder
            part.rename(target)
    except SuperResolutionError as e:
        if str(part) not in str(e):
            raise
        raise SuperResolutionError(str(e).replace(str(part), str(target)), e.kind) from e
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_new_folder(path: str | Path) -> None:
    """Check, before a long task, that `new_folder` can create a folder; leave nothing behind.

    Raises:
        SuperResolutionError: The folder cannot be created, or is not empty.
    """
    target, part = _places(path)
    with translate_os_errors(target):
        _check_place(target)
        part.mkdir()
        part.rmdir()


def _places(path: str | Path) -> tuple[Path, Path]:
    """Return the final folder with links resolved, and the hidden one beside it."""
    target = Path(os.path.realpath(path))
    return target, target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")


def _check_place(target: Path) -> None:
    if target.is_dir():
        if any(target.iterdir()):
            raise SuperResolutionError(
                f"The folder {target} is not empty. Empty it or choose a new name.", "settings"
            )
    elif target.exists():
        raise SuperResolutionError(f"{target} is a file. Choose the name of a folder.", "settings")
    else:
        check_parent(target)


def check_parent(target: Path) -> None:
    """Raise SuperResolutionError (kind "settings") if the folder of `target` does not exist."""
    if not target.parent.is_dir():
        raise SuperResolutionError(
            f"The folder {target.parent} does not exist. Create it or choose another folder.",
            "settings",
        )
