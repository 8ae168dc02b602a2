"""Files that appear whole or not at all."""

import contextlib
import json
import os
from collections.abc import Generator
from pathlib import Path

from .writing import translate_os_errors


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Generator[Path, None, None]:
    """Yields a path to write to, which becomes `path` at the end. A process that is killed leaves the old file, or none.

    Raises SuperResolutionError where the file can't be written.
    """
    path = Path(path)
    temporary = path.with_name(path.name + ".part")
    with translate_os_errors(path):
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Writes bytes."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | Path, values) -> None:
    write_bytes(path, (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode())
