"""The command `batch IN… --out DIR`: every volume of files, folders and lists.

Outputs that are up to date are skipped, so the same command resumes a batch. A volume that fails
does not stop the others. Processes started by torchrun or accelerate launch share the volumes.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..core.comparison.scores import csv_text
from ..core.errors import Cancelled, SuperResolutionError
from ..core.io.atomic import translate_os_errors, write_bytes
from ..core.io.formats import find_volumes, provenance_path, strip_extension
from ..core.methods.interpolation import Method
from ..core.methods.registry import MethodRegistry
from ..core.options import UpsamplingOptions
from ..core.progress import CancelCheck
from ..core.provenance import model_record
from .console import Console
from .parser import DICOM
from .upsample import make_writer, options_of, upsample_file

WRITTEN, UP_TO_DATE, FAILED = "written", "up to date", "failed"
REPORT = "report.csv"


def run(arguments: argparse.Namespace, console: Console, is_cancelled: CancelCheck) -> str:
    """Upsample all volumes and return the line that counts the results.

    Raises:
        SuperResolutionError: The options are invalid, or a volume failed.
        Cancelled: The user stopped the command.
    """
    options = options_of(arguments)
    registry = MethodRegistry()
    method = registry.get(options)  # fails early, before any volume is read
    out = Path(os.path.abspath(arguments.out))
    as_dicom = arguments.format == DICOM
    suffix = f"_x{method.scale}" + ("" if as_dicom else f".{arguments.format}")
    rank, processes = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    share = plan(arguments.inputs, out, suffix)[rank::processes]
    if not share:  # more processes than volumes
        return "Nothing to do."
    name = REPORT if processes == 1 else REPORT.replace(".", f"-{rank + 1}-of-{processes}.")
    report = _Report(out / name)
    for number, (source, target) in enumerate(share, 1):
        console.line(f"[{number}/{len(share)}] {source}")
        start = time.monotonic()
        try:
            if _is_up_to_date(source, target, options, method):
                report.add(source, target, UP_TO_DATE)
                console.line(UP_TO_DATE)
                continue
            with translate_os_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
            write = make_writer(target, source, as_dicom)
            result = upsample_file(source, write, options, registry, console, is_cancelled)
            warnings = " ".join(message.text for message in result.messages if message.is_warning)
            report.add(source, target, WRITTEN, warnings, time.monotonic() - start)
        except SuperResolutionError as error:
            report.add(source, target, FAILED, str(error))
            if error.kind == "device":  # this process cannot use the GPU again
                raise
            console.error(str(error))
        except (KeyboardInterrupt, Cancelled) as error:
            raise Cancelled(
                f"Cancelled: {report.summary()}. Run the same command again to resume."
            ) from error
    if report.count(FAILED):
        raise SuperResolutionError(
            f"{report.summary()}; see {report.path}. "
            "Fix the cause and run the same command again: only the failed volumes are repeated."
        )
    return f"{report.summary()}; {report.path}"


def plan(inputs: Iterable[str | Path], out: Path, suffix: str) -> list[tuple[Path, Path]]:
    """Return the (input, output) pairs of a batch, absolute paths.

    Args:
        inputs: Volume files, folders (their tree is kept below `out`), DICOM folders and lists
            (.txt, one path per line).
        out: Output folder.
        suffix: Ending of the output names.

    Raises:
        SuperResolutionError: A path does not exist, or two inputs share an output
            (kind "settings").
    """
    sources: dict[Path, Path] = {}
    for path in map(Path, inputs):
        if not path.exists():
            raise SuperResolutionError(f"File or folder not found: {path}.", "settings")
        for source, place in _volumes(Path(os.path.abspath(path)), out):
            target = out / place.parent / (strip_extension(place.name) + suffix)
            if sources.setdefault(target, source) != source:
                raise SuperResolutionError(
                    f"{sources[target]} and {source} would both be written to {target}: "
                    "use different output folders.",
                    "settings",
                )
    if not sources:
        raise SuperResolutionError(
            "No volume found. Give files, or folders that contain volumes.", "settings"
        )
    return [(source, target) for target, source in sources.items()]


def _volumes(path: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    """Yield (input, its path below the output folder)."""
    if path.is_dir():
        for source in find_volumes(path):
            if not source.is_relative_to(out):  # outputs of an earlier batch are not inputs
                yield source, source.relative_to(path) if source != path else Path(path.name)
    elif path.suffix.lower() == ".txt":
        for line in filter(None, map(str.strip, _lines(path))):
            source = Path(os.path.abspath(path.parent / line))
            yield source, Path(source.name)
    else:
        yield path, Path(path.name)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SuperResolutionError(
            f"The list {path} cannot be read ({error}). It must be UTF-8, one path per line.",
            "settings",
        ) from error


def _is_up_to_date(source: Path, target: Path, options: UpsamplingOptions, method: Method) -> bool:
    """Return True if the output is newer than the input and has the same model and options."""
    try:
        record = json.loads(provenance_path(target).read_text(encoding="utf-8"))
        is_newer = target.stat().st_mtime_ns >= source.stat().st_mtime_ns
    except (OSError, ValueError):
        return False
    return (
        is_newer
        and isinstance(record, dict)
        and record.get("model") == model_record(method)
        and record.get("options") == options.to_dict()
    )


class _Report:
    """CSV report with the result of every volume, rewritten after each one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: list[tuple[Path, Path, str, str, str]] = []

    def add(
        self,
        source: Path,
        target: Path,
        status: str,
        message: str = "",
        seconds: float | None = None,
    ) -> None:
        """Add a row and write the file."""
        duration = "" if seconds is None else f"{seconds:.1f}"
        self._rows.append((source, target, status, duration, message))
        with translate_os_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        header = ("input", "output", "status", "seconds", "message")
        write_bytes(self.path, csv_text(header, self._rows).encode())

    def count(self, status: str) -> int:
        """Return the number of volumes with a status."""
        return sum(row[2] == status for row in self._rows)

    def summary(self) -> str:
        """Return a line such as "3 written, 1 failed"."""
        counts = {status: self.count(status) for status in (WRITTEN, UP_TO_DATE, FAILED)}
        parts = [f"{count} {status}" for status, count in counts.items() if count]
        return ", ".join(parts) or "nothing written"
