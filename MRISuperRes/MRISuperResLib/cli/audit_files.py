"""Files of an audit: maps, tables and the picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core import provenance
from ..core.audit import tables
from ..core.audit.audit import VolumeAudit
from ..core.audit.figure import WorstSlices
from ..core.audit.findings import Findings
from ..core.errors import SuperResolutionError
from ..core.io.formats import write_volume
from ..core.options import AuditOptions
from ..core.volume import Volume

MAP_NOTICE = (
    "map: part of the Nyquist frequency up to which a patch agrees with the reference, "
    f"0 where nothing was judged; {provenance.NOTICE}"
)


class AuditFiles:
    """Writes the maps of one volume after another; tables and picture follow at the end.

    Args:
        folder: An empty folder.
        tasks: Options of the audit, one per scale.

    Attributes:
        tasks: See above.
        results: {scale: {volume: {method: Findings}}}.
        skipped: Volumes that could not be audited, each with its reason.
    """

    def __init__(self, folder: Path, tasks: Sequence[AuditOptions]) -> None:
        self.tasks = tasks
        self.results: dict[int, dict[str, dict[str, Findings]]]
        self.results = {options.scale: {} for options in tasks}
        self.skipped: list[str] = []
        self._folder = folder
        self._worst = WorstSlices()
        self._volumes: list[dict[str, Any]] = []
        self._methods: dict[int, list[dict[str, Any]]] = {}

    def skip(self, source: Path, reason: str, scale: int | None = None) -> str:
        """Record, and return, why a volume could not be audited."""
        at_scale = "" if scale is None else f", ×{scale}"
        self.skipped.append(f"{source}{at_scale}: {reason}")
        return self.skipped[-1]

    def add(self, name: str, source: Path, options: AuditOptions, result: VolumeAudit) -> None:
        """Write the maps of a volume and keep its figures.

        Args:
            name: Name of the volume in the tables.
            source: Its file.
            options: Options of the scale.
            result: Its audit.
        """
        scale = options.scale
        self.results[scale][name] = {
            method: audit.findings for method, audit in result.methods.items()
        }
        self._worst.add(scale, name, result)
        self._methods[scale] = [audit.model for audit in result.methods.values()]
        record = {
            "name": name,
            "file": source.name,
            "scale": scale,
            "slices": result.numbers,
            "axis": result.axis.name,
            "messages": [message.to_dict() for message in result.messages],
        }
        self._volumes.append(record)
        for method, audit in result.methods.items():
            path = self._folder / "maps" / f"{name}-{method}-x{scale}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            origin = provenance.record_header(MAP_NOTICE) | {
                "model": audit.model,
                "options": options.to_dict(),
                "volume": record,
            }
            write_volume(path, Volume(audit.crossing, result.ijk_to_ras, provenance=origin))

    def finish(self) -> str:
        """Write tables and picture; return the text of audit.md.

        Raises:
            SuperResolutionError: No volume could be audited, or matplotlib is missing.
        """
        self.results = {scale: volumes for scale, volumes in self.results.items() if volumes}
        if not self.results:
            raise SuperResolutionError(f"No volume could be audited. {' '.join(self.skipped)}")
        record = provenance.record_header(f"audit, {provenance.NOTICE}") | {
            "options": [options.to_dict() for options in self.tasks],
            "methods": self._methods,
            "volumes": self._volumes,
            "skipped": self.skipped,
            "versions": provenance.versions(),
        }
        texts = {
            "audit.csv": tables.volumes_csv(self.results),
            "summary.csv": tables.summary_csv(self.results),
            "lesions.csv": tables.lesions_csv(self.results),
            "audit.md": tables.markdown(self.results, self.tasks[0], self.skipped),
            "audit.json": json.dumps(record, indent=1, ensure_ascii=False) + "\n",
        }
        for name, text in texts.items():
            (self._folder / name).write_text(text, encoding="utf-8", newline="")
        self._worst.draw(self._folder / "audit.png")
        return texts["audit.md"]
