"""The files of an audit's folder."""

import json
from pathlib import Path

from ..core import provenance
from ..core.audit import tables
from ..core.audit.figure import WorstSlices
from ..core.errors import SuperResolutionError
from ..core.io.formats import write_volume
from ..core.volume import Volume


class AuditFiles:
    """Takes the audits of one volume after another; their maps are written at once, the tables and the picture at the end.

    folder: an empty one. jobs: AuditJobs, one per scale. results: {scale: {name of a volume: {name of a method: Findings}}}; skipped: sentences.
    """

    def __init__(self, folder, jobs):
        self._folder, self._jobs = folder, jobs
        self._worst, self._volumes, self._methods = WorstSlices(), [], {}
        self.results, self.skipped = {job.scale: {} for job in jobs}, []

    def skip(self, source, reason, scale=None):
        """Notes, and returns, why a volume can't be audited."""
        self.skipped.append(f"{source}{'' if scale is None else f', ×{scale}'}: {reason}")
        return self.skipped[-1]

    def add(self, name, source, job, found):
        """found: the VolumeAudit of a volume, which the tables call `name`."""
        self.results[job.scale][name] = {
            method: audit.findings for method, audit in found.methods.items()
        }
        self._worst.add(job.scale, name, found)
        self._methods[job.scale] = [audit.model for audit in found.methods.values()]
        self._volumes.append(
            {
                "name": name,
                "file": Path(source).name,
                "scale": job.scale,
                "slices": found.numbers,
                "axis": str(found.axis),
                "messages": found.messages,
            }
        )
        for method, audit in found.methods.items():
            path = self._folder / "maps" / f"{name}-{method}-x{job.scale}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            notice = f"a map: up to which part of the Nyquist frequency a patch agrees with the truth, 0 where nothing was judged; {provenance.NOTICE}"
            write_volume(
                path,
                Volume(
                    audit.crossing,
                    found.ijk_to_ras,
                    provenance=provenance.record_header(notice)
                    | {"model": audit.model, "job": job.to_dict(), "volume": self._volumes[-1]},
                ),
            )

    def finish(self):
        """Writes the rest; returns the text of audit.md. Raises SuperResolutionError where there was nothing to audit, or matplotlib is missing."""
        self.results = {scale: volumes for scale, volumes in self.results.items() if volumes}
        if not self.results:
            raise SuperResolutionError(f"Nothing could be audited. {' '.join(self.skipped)}")
        record = provenance.record_header(f"an audit, {provenance.NOTICE}") | {
            "jobs": [job.to_dict() for job in self._jobs],
            "methods": self._methods,
            "volumes": self._volumes,
            "skipped": self.skipped,
            "versions": provenance.versions(),
        }
        texts = {
            "audit.csv": tables.volumes_csv(self.results),
            "summary.csv": tables.summary_csv(self.results),
            "lesions.csv": tables.lesions_csv(self.results),
            "audit.md": tables.markdown(self.results, self._jobs[0], self.skipped),
            "audit.json": json.dumps(record, indent=1, ensure_ascii=False) + "\n",
        }
        for name, text in texts.items():
            (self._folder / name).write_text(text, encoding="utf-8", newline="")
        self._worst.draw(self._folder / "audit.png")
        return texts["audit.md"]
