"""A folder of results that is there complete, or not at all."""

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from ..errors import SuperResolutionError
from .writing import translate_os_errors


@contextlib.contextmanager
def new_folder(path):
    """Yields a hidden folder beside `path`, which becomes `path` at the end, and goes away where anything is raised before.

    path: a folder that does not exist, or is empty. Raises SuperResolutionError for any other, and where it can't be made; one
    that is raised inside names files by the places that they would have had.
    """
    target, part = _places(path)
    try:
        with translate_os_errors(target):
            _check(target)
            part.mkdir()
            yield part
            if target.is_dir():
                target.rmdir()  # where it can be replaced, as on Linux, this changes nothing
            part.rename(target)
    except SuperResolutionError as e:
        raise SuperResolutionError(str(e).replace(str(part), str(target)), e.kind) from e
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_new_folder(path):
    """Raises SuperResolutionError where new_folder could not make the folder; meant to be asked before the work. Nothing is left there."""
    target, part = _places(path)
    with translate_os_errors(target):
        _check(target)
        part.mkdir()
        part.rmdir()


def _places(path):
    """(the folder that will be made: a link is followed, where it is filled)"""
    target = Path(os.path.realpath(path))
    return target, target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")


def _check(target):
    if target.is_dir():
        if any(target.iterdir()):
            raise SuperResolutionError(
                f"The folder {target} is not empty: empty it, or give the name of a new one.",
                "settings",
            )
    elif target.exists():
        raise SuperResolutionError(f"{target} is a file: give the name of a folder.", "settings")
    elif not target.parent.is_dir():
        raise SuperResolutionError(
            f"There is no folder {target.parent}: make it first, or choose another place for the output.",
            "settings",
        )
