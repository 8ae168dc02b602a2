"""The command `batch IN… --out DIR`: every volume of files, folders and lists, or of a BIDS study.

Outputs that are up to date are skipped, so the same command resumes a batch. A volume that fails
does not stop the others. Processes started by torchrun or accelerate launch share the volumes.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.comparison.scores import csv_text
from ..core.errors import Cancelled, SuperResolutionError
from ..core.io.atomic import InUseError, claim, locked_path, translate_os_errors, write_bytes
from ..core.io.bids import BidsStudy
from ..core.io.checks import ChoiceError
from ..core.io.discovery import FoundVolume, find_volumes
from ..core.io.formats import strip_extension
from ..core.messages import Message, info, warning
from ..core.methods.registry import MethodRegistry
from ..core.options import SCALES, UpsamplingOptions
from ..core.progress import CancelCheck
from ..core.provenance import model_record, output_record, read_provenance
from .console import Console
from .parser import DICOM
from .upsample import make_output, options_of, upsample_file

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
    registry.load(options)  # fails early, before any volume is read
    study = BidsStudy(arguments.inputs, arguments.out) if arguments.bids else None
    if study is None and arguments.out is None:
        raise SuperResolutionError("Give the output folder with --out.", "settings")
    out = Path(os.path.abspath(arguments.out)) if study is None else study.out
    as_dicom = arguments.format == DICOM
    resolution = resolution_of(options, registry)
    suffix = f"_{resolution}" + ("" if as_dicom else f".{arguments.format}")
    rank, processes = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if study is None:
        planned, left_out = plan(arguments.inputs, out, suffix)
    else:
        planned, left_out = study.plan(resolution, arguments.format)
        study.write_description()
    share = planned[rank::processes]
    if not share:  # more processes than volumes
        return "Nothing to do."
    name = REPORT if processes == 1 else REPORT.replace(".", f"-{rank + 1}-of-{processes}.")

    def upsample(source: FoundVolume, target: Path) -> tuple[str, str]:
        """Return the status and the warnings."""
        metadata = {} if study is None else study.metadata(source.path)
        if _is_up_to_date(source.path, target, options, registry):
            if study is not None:
                study.write_sidecars(source.path, target, metadata)
            return UP_TO_DATE, ""
        output = make_output(target, source.path, as_dicom, series=source.series)
        result = upsample_file(
            source.path, output, options, registry, console, is_cancelled, None, source.series
        )
        if study is not None:
            study.write_sidecars(source.path, target, metadata)
        return WRITTEN, " ".join(text.text for text in result.messages if text.is_warning)

    with _claimed_report(out / name) as report:
        try:
            if rank == 0:
                console.messages(place_messages(arguments.inputs, out))
                console.messages(left_out_messages(left_out))
                for path, reason in left_out:
                    report.add(path, "", LEFT_OUT, reason)
            _upsample_all(share, upsample, report, console)
        except (KeyboardInterrupt, Cancelled) as error:
            raise Cancelled(
                f"Cancelled: {report.summary()}. Run the same command again to resume."
            ) from error
    if report.count(FAILED):
        raise SuperResolutionError(
            f"{report.summary()}. "
            "Fix the cause and run the same command again: only the failed volumes are repeated."
        )
    return report.summary()


def _upsample_all(
    share: Sequence[tuple[FoundVolume, Path]],
    upsample: Callable[[FoundVolume, Path], tuple[str, str]],
    report: _Report,
    console: Console,
) -> None:
    """Upsample volumes and report each; those that another process is writing come last."""
    pending = [(number, *pair) for number, pair in enumerate(share, 1)]
    for wait in (False, True):
        in_use = []
        for number, source, target in pending:
            console.line(f"[{number}/{len(share)}] {source}")
            start = time.monotonic()
            try:
                with translate_os_errors(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                with claim(target, wait):
                    status, message = upsample(source, target)
                if status == UP_TO_DATE:
                    console.line(UP_TO_DATE)
                report.add(source, target, status, message, time.monotonic() - start)
            except InUseError:
                console.line("left for the end: another process is writing it")
                in_use.append((number, source, target))
            except SuperResolutionError as error:
                if isinstance(error, ChoiceError):
                    advice = "A DICOM series takes one; choose another format."
                    error = SuperResolutionError(f"{error.state} {advice}")
                report.add(source, target, FAILED, str(error))
                if error.kind == "device":  # this process cannot use the GPU again
                    raise
                console.error(str(error))
        pending = in_use


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
    paths = [Path(os.path.abspath(path)) for path in inputs]
    sources: dict[Path, FoundVolume] = {}
    left_out: list[tuple[Path, str]] = []
    for path in paths:
        if not path.exists():
            raise SuperResolutionError(f"File or folder not found: {path}.", "settings")
        if os.path.realpath(path) == os.path.realpath(out):
            raise SuperResolutionError(
                f"{out} is the input folder itself, so outputs would become inputs. Choose another "
                f"output folder, for example {path.with_name(f'{path.name}_upsampled')}.",
                "settings",
            )
        for source in _volumes(path, out, left_out):
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
    files = {os.path.realpath(source.path) for source in sources.values()}
    searched = [path for path in paths if path.is_dir() and not _is_inside(out, path)]
    for target, source in sources.items():
        if os.path.realpath(target) in files or any(_is_inside(target, path) for path in searched):
            raise SuperResolutionError(
                f"The output of {source} would be {target}, among the inputs. Choose another "
                "output folder.",
                "settings",
            )
    return [(source, target) for target, source in sources.items()], left_out


def _is_inside(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def place_messages(inputs: Iterable[str], out: Path) -> list[Message]:
    """Return notes about an output folder inside of an input folder, or around one."""
    notes = []
    for path in (Path(os.path.abspath(path)) for path in inputs if os.path.isdir(path)):
        if _is_inside(out, path):
            notes.append(f"{out} is inside of {path}; its files are not taken as inputs.")
        elif _is_inside(path, out):
            notes.append(f"{out} contains {path}; outputs are written beside this folder.")
    return [info("data", note) for note in notes]


def left_out_messages(left_out: Iterable[tuple[Path, str]]) -> list[Message]:
    """Return warnings about what a plan leaves out."""
    return [warning("data", f"Left out {path}: {reason}") for path, reason in left_out]


def _volumes(path: Path, out: Path, left_out: list[tuple[Path, str]]) -> Iterator[FoundVolume]:
    if path.is_dir():
        found = find_volumes(path, out)
        left_out += found.left_out
        for volume in found.volumes:
            if volume.is_output:
                reason = "It is an output of MRISuperRes. To upsample it again, name the file."
                left_out.append((volume.path, reason))
            else:
                yield volume
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


def resolution_of(options: UpsamplingOptions, registry: MethodRegistry) -> str:
    """Return the part of output names that tells the resolution: "x2", "isotropic", "1x1x1mm"."""
    if options.spacing is not None:
        return "x".join(f"{side:.6g}" for side in options.spacing) + "mm"
    return "isotropic" if options.isotropic else f"x{registry.get(options).scale}"


def _is_up_to_date(
    source: Path, target: Path, options: UpsamplingOptions, registry: MethodRegistry
) -> bool:
    """Return True if a complete output is newer than its input, and of these models and options."""
    record = read_provenance(target)
    try:
        return (
            record is not None
            and target.stat().st_mtime_ns >= source.stat().st_mtime_ns
            and record.get("options") == options.to_dict()
            and _are_current(record, options, registry)
            and record.get("output") == output_record(target)
        )
    except OSError:
        return False


def _are_current(
    record: Mapping[str, Any], options: UpsamplingOptions, registry: MethodRegistry
) -> bool:
    """Return True if the models of an output are those that the options choose now."""
    if not options.has_output_grid:
        return record.get("model") == model_record(registry.get(options))
    scale = record.get("scale")
    current = {}
    if "slice_thickness" in record:
        current["model"] = model_record(registry.between_slices(options))
    if scale in SCALES:
        key = "in_plane_model" if current else "model"
        current[key] = model_record(registry.get(options.in_plane(scale)))
    return all(record.get(key) == model for key, model in current.items())


@contextlib.contextmanager
def _claimed_report(path: Path) -> Iterator[_Report]:
    """Yield the report; while another batch writes report.csv, it is report-2.csv, and so on."""
    with translate_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        free = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(claim(free))
            except InUseError:
                continue
            for lock in path.parent.glob(f".{path.stem}-*.lock.part"):  # of killed batches
                with contextlib.suppress(InUseError), claim(locked_path(lock)):
                    pass
            yield _Report(free)
            return


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
        duration = "" if seconds is None or status == UP_TO_DATE else f"{seconds:.1f}"
        self._rows.append((source, target, status, duration, message))
        header = ("input", "output", "status", "seconds", "message")
        write_bytes(self.path, csv_text(header, self._rows).encode())

    def count(self, status: str) -> int:
        """Return the number of volumes with a status."""
        return sum(row[2] == status for row in self._rows)

    def summary(self) -> str:
        """Return a line such as "3 written, 1 failed; OUT/report.csv"."""
        counts = {status: self.count(status) for status in (WRITTEN, UP_TO_DATE, FAILED, LEFT_OUT)}
        parts = [f"{count} {status}" for status, count in counts.items() if count]
        return f"{', '.join(parts)}; {self.path}" if parts else "nothing written"
