"""batch IN… --out DIR

What is written already is not made again, so that the same command goes on where it was stopped. A volume that can't be enlarged does not stop the others.
Started several times by torchrun or accelerate launch, the processes share the volumes.
"""

import json
import os
import time
from pathlib import Path

from ..core import provenance
from ..core.comparison.scores import csv_text
from ..core.errors import SuperResolutionError
from ..core.io.atomic import write_bytes
from ..core.io.discovery import find_volumes, provenance_path, strip_extension
from ..core.io.writing import translate_os_errors
from ..core.methods.registry import MethodRegistry
from ..core.options import UpsamplingOptions
from .parser import DICOM
from .upsample import upsample_file, writer

WRITTEN, THERE, FAILED = "written", "there already", "failed"
REPORT = "report.csv"


def run(arguments, console, cancelled):
    """Returns the line that tells what was written. Raises SuperResolutionError, also where a volume has failed, and Cancelled."""
    job = UpsamplingOptions(
        arguments.model, arguments.scale, arguments.axis, arguments.device, arguments.precision
    )
    methods = MethodRegistry()
    method = methods.get(job)  # what is wrong with it is wrong for all volumes
    out = Path(os.path.abspath(arguments.out))
    as_dicom = arguments.format == DICOM
    pairs = plan(
        arguments.inputs, out, f"_x{method.scale}" + ("" if as_dicom else f".{arguments.format}")
    )
    rank, processes = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    report = _Report(
        out / (REPORT if processes == 1 else REPORT.replace(".", f"-{rank + 1}-of-{processes}."))
    )
    own = pairs[rank::processes]
    for number, (source, target) in enumerate(own, 1):
        console.line(f"[{number}/{len(own)}] {source}")
        start = time.monotonic()
        try:
            if _is_done(source, target, job, method):
                report.add(source, target, THERE)
                continue
            with translate_os_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
            upsample_file(
                source,
                writer(target, source, as_dicom),
                job,
                methods,
                console.for_another_run(),
                cancelled,
            )
            report.add(source, target, WRITTEN, seconds=time.monotonic() - start)
        except SuperResolutionError as error:
            report.add(source, target, FAILED, str(error))
            if error.kind == "device":  # nor could any other volume be made by this process
                raise
            console.error(str(error))
    if report.count(FAILED):
        raise SuperResolutionError(
            f"{report.text()}; {report.path} says why. Mend what is wrong, and give the same command again: only these are made."
        )
    return f"{report.text()}; {report.path}"


def plan(inputs, out, ending):
    """[(input, output)], absolute paths. inputs: volume files, folders of them, whose tree is kept below `out`, DICOM folders, and lists (.txt, a path a line).

    Raises SuperResolutionError (kind "settings") for a path that is not there, and where two inputs would have the same output.
    """
    pairs = {}
    for path in map(Path, inputs):
        if not path.exists():
            raise SuperResolutionError(
                f"There is no file or folder {path}: check the name.", "settings"
            )
        for source, place in _found(Path(os.path.abspath(path)), out):
            target = out / place.parent / (strip_extension(place.name) + ending)
            if pairs.setdefault(target, source) != source:
                raise SuperResolutionError(
                    f"{pairs[target]} and {source} would both become {target}: run them into different folders.",
                    "settings",
                )
    if not pairs:
        raise SuperResolutionError(
            "There is no volume in what was given: name files, or folders that hold some.",
            "settings",
        )
    return [(source, target) for target, source in pairs.items()]


def _found(path, out):
    """(input, its place below the output folder)"""
    if path.is_dir():
        for source in find_volumes(path):
            if not source.is_relative_to(out):  # the outputs of an earlier run are no inputs
                yield source, source.relative_to(path) if source != path else Path(path.name)
    elif path.suffix.lower() == ".txt":
        for line in filter(None, map(str.strip, _lines(path))):
            source = Path(os.path.abspath(path.parent / line))
            yield source, Path(source.name)
    else:
        yield path, Path(path.name)


def _lines(path):
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise SuperResolutionError(
            f"The list {path} can't be read ({e}): give a text in UTF-8 with a path a line.",
            "settings",
        ) from e


def _is_done(source, target, job, method):
    """Whether the output is there, made by the same model and job, and not older than its input."""
    try:
        record = json.loads(provenance_path(target).read_text(encoding="utf-8"))
        newer = target.stat().st_mtime_ns >= source.stat().st_mtime_ns
    except (OSError, ValueError):
        return False
    return (
        newer
        and isinstance(record, dict)
        and record.get("model") == provenance.model(method)
        and record.get("job") == job.to_dict()
    )


class _Report:
    """A table of what became of every volume, complete on the disk after each."""

    def __init__(self, path):
        self.path, self._rows = path, []

    def add(self, source, target, status, message="", seconds=None):
        self._rows.append(
            (source, target, status, "" if seconds is None else f"{seconds:.1f}", message)
        )
        with translate_os_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(
            self.path,
            csv_text(("input", "output", "status", "seconds", "message"), self._rows).encode(),
        )

    def count(self, status):
        return sum(row[2] == status for row in self._rows)

    def text(self):
        return (
            ", ".join(
                f"{self.count(status)} {status}"
                for status in (WRITTEN, THERE, FAILED)
                if self.count(status)
            )
            or "nothing to do"
        )
