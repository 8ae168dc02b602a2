"""Atomic file writes: a file or folder appears complete, or not at all.

Until then, NAME is a hidden file or folder .NAME.TOKEN.part beside it. The process that writes it
locks the empty file .NAME.lock.part. A killed process leaves both behind, but not the lock: the
next process that writes NAME removes them.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import SuperResolutionError
from ..provenance import provenance_path

if sys.platform != "win32":
    import fcntl
    import resource

LOCK = ".lock.part"

_claims: set[Path] = set()
"""Lock files that this process holds."""


class InUseError(SuperResolutionError):
    """Error: another process is writing the same file or folder."""


@contextlib.contextmanager
def claim(path: str | Path, wait: bool = False) -> Iterator[None]:
    """Exclude other processes from writing a file or folder; remove what killed ones left of it.

    A claim within a claim of the same path does nothing. Without file locks (on Windows and on
    some network disks), no process is excluded, and nothing is removed.

    Args:
        path: The file or folder.
        wait: Wait until other processes have finished.

    Raises:
        InUseError: Another process is writing it (kind "environment").
        SuperResolutionError: Its folder does not exist or is not writable.
    """
    target = Path(os.path.realpath(path))
    lock = target.parent / f".{target.name}{LOCK}"
    if sys.platform == "win32" or lock in _claims:
        yield
        return
    check_parent(target)
    with translate_os_errors(target):
        file, is_locked = _open_locked(lock, wait)
    if file is None:
        raise InUseError(
            f"Another process is writing {target}. Wait for it, or choose another name.",
            "environment",
        )
    _claims.add(lock)
    try:
        if is_locked:
            _remove_parts(target)
        yield
    finally:
        _claims.remove(lock)
        lock.unlink(missing_ok=True)
        os.close(file)


def locked_path(lock: Path) -> Path:
    """Return the file or folder that a lock file belongs to."""
    return lock.with_name(lock.name[1:].removesuffix(LOCK))


def _open_locked(lock: Path, wait: bool) -> tuple[int | None, bool]:
    """Open a lock file; return its descriptor, None if it is in use, and True if it is locked."""
    while True:
        file = os.open(lock, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(file)
            return None, False
        except OSError:  # a disk without locks
            return file, False
        except BaseException:  # a signal ends the waiting
            os.close(file)
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), os.stat(lock)):
                return file, True
        os.close(file)  # the other process has removed it at its end


def _remove_parts(target: Path) -> None:
    """Remove the hidden files and folders of `target`."""
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.part(\.\w+)*")
    with os.scandir(target.parent) as entries:
        for entry in [entry for entry in entries if name.fullmatch(entry.name)]:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


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
        # numpy gives no number if it could write only a part of an array
        if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, None):
            raise _full_disk(target, f"up to {size / 2**20:.0f} MiB needed" if size else "") from e
        if isinstance(e, PermissionError) or e.errno == errno.EROFS:
            reason = "permission denied, or another program has the file open"
            action = "Choose another folder or close that program"
        else:
            reason, action = f"{e.strerror or e}", "Choose another folder"
        raise SuperResolutionError(
            f"{target} cannot be written: {reason}. {action}.", "environment"
        ) from e


def check_space(target: str | Path, size: int) -> None:
    """Check, before a long task, that a file of `size` bytes fits on the disk.

    Raises:
        SuperResolutionError: It does not, or exceeds the limit of this process (kind
            "environment").
    """
    free = _free_space(Path(target))
    if size > free:
        raise _full_disk(target, f"{size / 2**20:.0f} MiB needed")


def _free_space(target: Path) -> int:
    folder = next(folder for folder in target.absolute().parents if folder.exists())
    free = shutil.disk_usage(folder).free
    if sys.platform != "win32":
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limit != resource.RLIM_INFINITY:
            return min(free, limit)
    return free


def _full_disk(target: str | Path, needed: str) -> SuperResolutionError:
    """Return the error for a full disk, a quota, or the limit of the size of files."""
    free = _free_space(Path(target)) / 2**20
    return SuperResolutionError(
        f"{target} cannot be written: the disk is full ({free:.0f} MiB free"
        f"{', ' if needed else ''}{needed}). Free some space or choose another folder.",
        "environment",
    )


@contextlib.contextmanager
def temporary_file(target: Path, extension: str) -> Iterator[Path]:
    """Yield a new, empty file beside `target`; delete it at the end unless it was moved.

    Args:
        target: Full path of the file that the temporary one will replace.
        extension: Extension of the temporary file; ITK derives the format from it.

    Raises:
        InUseError: Another process is writing `target`.
    """
    with claim(target):
        part = _places(target)[1]
        path = part.with_name(part.name + extension)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_file(path: str | Path, size: int = 0) -> Iterator[Path]:
    """Yield an empty file to write to, which replaces `path` at the end.

    A killed process leaves the old file, or none. Another process that writes the same file is
    waited for.

    Args:
        path: The file.
        size: Bytes that will be written; 0 if unknown.

    Raises:
        SuperResolutionError: (kind "environment") The file cannot be written.
    """
    target = Path(os.path.realpath(path))
    with translate_os_errors(path, size), claim(target, wait=True):
        with temporary_file(target, "") as temporary:
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)


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

    If the caller writes the provenance file of the hidden folder, it moves along. Both are deleted
    if an exception is raised. Errors raised inside name files by their final paths.

    Args:
        path: A folder that does not exist or is empty.

    Raises:
        SuperResolutionError: `path` is a file or a folder with content, or cannot be created.
    """
    target, part = _places(path)
    try:
        with translate_os_errors(target), _free_place(target):
            part.mkdir()
            yield part
            if target.is_dir():
                target.rmdir()  # Windows does not replace an empty folder
            with _moved_along(provenance_path(part), provenance_path(target)):
                part.rename(target)
    except SuperResolutionError as e:
        if str(part) not in str(e):
            raise
        raise SuperResolutionError(str(e).replace(str(part), str(target)), e.kind) from e
    finally:
        shutil.rmtree(part, ignore_errors=True)
        provenance_path(part).unlink(missing_ok=True)


@contextlib.contextmanager
def _moved_along(part: Path, target: Path) -> Iterator[None]:
    """Move a file, if there is one; remove it if an exception is raised.

    It is moved first: a process that is killed meanwhile leaves it without its folder, and the
    next one replaces it.
    """
    is_there = part.exists()
    if is_there:
        os.replace(part, target)
    try:
        yield
    except BaseException:
        if is_there:
            target.unlink(missing_ok=True)
        raise


def check_new_folder(path: str | Path) -> None:
    """Check, before a long task, that `new_folder` can create a folder; leave nothing behind.

    Raises:
        SuperResolutionError: The folder cannot be created, or is not empty.
    """
    target, part = _places(path)
    with translate_os_errors(target), _free_place(target):
        part.mkdir()
        part.rmdir()


def _places(path: str | Path) -> tuple[Path, Path]:
    """Return the final file or folder with links resolved, and the hidden one beside it."""
    target = Path(os.path.realpath(path))
    return target, target.parent / f".{target.name}.{secrets.token_hex(4)}.part"


@contextlib.contextmanager
def _free_place(target: Path) -> Iterator[None]:
    """Claim a folder that does not exist or is empty."""
    if target.exists() and not target.is_dir():
        raise SuperResolutionError(f"{target} is a file. Choose the name of a folder.", "settings")
    with claim(target):
        if target.is_dir() and any(target.iterdir()):
            raise SuperResolutionError(
                f"The folder {target} is not empty. Empty it or choose a new name.", "settings"
            )
        yield


def check_parent(target: Path) -> None:
    """Raise SuperResolutionError (kind "settings") if the folder of `target` does not exist."""
    if not target.parent.is_dir():
        raise SuperResolutionError(
            f"The folder {target.parent} does not exist. Create it or choose another folder.",
            "settings",
        )
