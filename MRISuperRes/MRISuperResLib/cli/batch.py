"""The command `batch IN… --out DIR`: every volume of files, folders and lists, or of a BIDS study.

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
from ..core.io.bids import BidsStudy
from ..core.io.checks import ChoiceError
from ..core.io.discovery import FoundVolume, find_volumes
from ..core.io.formats import provenance_path, strip_extension
from ..core.messages import Message, warning
from ..core.methods.interpolation import Method
from ..core.methods.registry import MethodRegistry
from ..core.options import UpsamplingOptions
from ..core.progress import CancelCheck
from ..core.provenance import model_record
from .console import Console
from .parser import DICOM
from .upsample import make_writer, options_of, upsample_file

WRITTEN, UP_TO_DATE, FAILED = "written", "up to date", "failed"
LEFT_OUT = "left out"
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
    study = BidsStudy(arguments.inputs, arguments.out) if arguments.bids else None
    if study is None and arguments.out is None:
        raise SuperResolutionError("Give the output folder with --out.", "settings")
    out = Path(os.path.abspath(arguments.out)) if study is None else study.out
    as_dicom = arguments.format == DICOM
    suffix = f"_x{method.scale}" + ("" if as_dicom else f".{arguments.format}")
    rank, processes = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if study is None:
        planned, left_out = plan(arguments.inputs, out, suffix)
    else:
        planned, left_out = study.plan(method.scale, arguments.format)
        study.write_description()
    share = planned[rank::processes]
    if not share:  # more processes than volumes
        return "Nothing to do."
    name = REPORT if processes == 1 else REPORT.replace(".", f"-{rank + 1}-of-{processes}.")
    report = _Report(out / name)
    if rank == 0:
        console.messages(left_out_messages(left_out))
        for path, reason in left_out:
            report.add(path, "", LEFT_OUT, reason)
    for number, (source, target) in enumerate(share, 1):
        console.line(f"[{number}/{len(share)}] {source}")
        start = time.monotonic()
        try:
            metadata = {} if study is None else study.metadata(source.path)
            if _is_up_to_date(source.path, target, options, method):
                if study is not None:
                    study.write_sidecars(source.path, target, metadata)
                report.add(source, target, UP_TO_DATE)
                console.line(UP_TO_DATE)
                continue
            with translate_os_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
            write = make_writer(target, source.path, as_dicom, series=source.series)
            result = upsample_file(
                source.path,
                write,
                options,
                registry,
                console,
                is_cancelled,
                None,
                source.series,
            )
            if study is not None:
                study.write_sidecars(source.path, target, metadata)
            warnings = " ".join(message.text for message in result.messages if message.is_warning)
            report.add(source, target, WRITTEN, warnings, time.monotonic() - start)
        except SuperResolutionError as error:
            if isinstance(error, ChoiceError):
                advice = "A DICOM series takes one; choose another format."
                error = SuperResolutionError(f"{error.state} {advice}")
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


def plan(
    inputs: Iterable[str | Path], out: Path, suffix: str
) -> tuple[list[tuple[FoundVolume, Path]], list[tuple[Path, str]]]:
    """Plan a batch.

    Args:
        inputs: Volume files, folders (their tree is kept below `out`), DICOM folders and lists
            (.txt, one path per line).
        out: Output folder, which is not searched.
        suffix: Ending of the output names.

    Returns:
        The volumes, each with its output path, and what is left out, each with the reason.

    Raises:
        SuperResolutionError: A path does not exist, no volume is found, or two inputs share an
            output (kind "settings").
    """
    sources: dict[Path, FoundVolume] = {}
    left_out: list[tuple[Path, str]] = []
    for path in map(Path, inputs):
        if not path.exists():
            raise SuperResolutionError(f"File or folder not found: {path}.", "settings")
        for source in _volumes(Path(os.path.abspath(path)), out, left_out):
            target = out / source.name.with_name(source.name.name + suffix)
            if sources.setdefault(target, source) != source:
                raise SuperResolutionError(
                    f"{sources[target]} and {source} would both be written to {target}: "
                    "use different output folders.",
                    "settings",
                )
    if not sources:
        reasons = "".join(f" {path}: {reason}" for path, reason in left_out)
        raise SuperResolutionError(
            f"No volume found. Give files, or folders that contain volumes.{reasons}", "settings"
        )
    return [(source, target) for target, source in sources.items()], left_out


def left_out_messages(left_out: Iterable[tuple[Path, str]]) -> list[Message]:
    """Return warnings about what a plan leaves out."""
    return [warning("data", f"Left out {path}: {reason}") for path, reason in left_out]


def _volumes(path: Path, out: Path, left_out: list[tuple[Path, str]]) -> Iterator[FoundVolume]:
    if path.is_dir():
        found = find_volumes(path, out)
        left_out += found.left_out
        yield from found.volumes
    elif path.suffix.lower() == ".txt":
        for line in filter(None, map(str.strip, _lines(path))):
            source = Path(os.path.abspath(path.parent / line))
            if source.is_dir():
                yield from _volumes(source, out, left_out)
            else:
                yield FoundVolume(source, Path(strip_extension(source.name)))
    else:
        yield FoundVolume(path, Path(strip_extension(path.name)))


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
        self._rows: list[tuple[FoundVolume | Path, Path | str, str, str, str]] = []

    def add(
        self,
        source: FoundVolume | Path,
        target: Path | str,
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
        counts = {status: self.count(status) for status in (WRITTEN, UP_TO_DATE, FAILED, LEFT_OUT)}
        parts = [f"{count} {status}" for status, count in counts.items() if count]
        return ", ".join(parts) or "nothing written"
