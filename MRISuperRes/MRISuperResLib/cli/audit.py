"""The command `audit IN… --out DIR`, and its files."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core import provenance
from ..core.audit import findings
from ..core.audit.audit import audit_tasks, audit_volume
from ..core.audit.figure import WorstSlices
from ..core.audit.findings import Findings, card_entry
from ..core.audit.results import VolumeAudit
from ..core.comparison.figure import import_matplotlib
from ..core.errors import SuperResolutionError
from ..core.io.atomic import new_folder, write_json
from ..core.io.discovery import FoundVolume
from ..core.io.formats import read_first_frame, write_volume
from ..core.methods.registry import MethodRegistry
from ..core.models.card import ModelCard
from ..core.models.store import ModelStore
from ..core.models.user_models import user_card_path
from ..core.options import DEFAULT_SCALE, AuditOptions
from ..core.progress import CancelCheck, format_elapsed
from ..core.volume import Volume
from .batch import left_out_messages, plan
from .console import Console

MAP_NOTICE = (
    "map: part of the Nyquist frequency up to which a patch agrees with the reference, "
    f"0 where nothing was judged; {provenance.NOTICE}"
)


def run(arguments: argparse.Namespace, console: Console, is_cancelled: CancelCheck) -> str:
    """Audit models on files and return the tables.

    Raises:
        SuperResolutionError: The options are invalid, or a volume could not be audited.
        Cancelled: The user stopped the command.
    """
    start = time.monotonic()
    registry = MethodRegistry()
    tasks = options_of(arguments, registry)
    cards = _cards(arguments, registry.store)
    out = Path(os.path.abspath(arguments.out))
    planned, left_out = plan(arguments.inputs, out, "")
    volumes = {str(place.relative_to(out)): source for source, place in planned}
    console.messages(left_out_messages(left_out))
    import_matplotlib()
    with new_folder(out) as folder:
        for options in tasks:
            for name in options.methods:
                registry.load(options.upsampling_options(name))  # before the folder is filled
        files = AuditFiles(folder, tasks, left_out)
        for number, (name, source) in enumerate(volumes.items(), 1):
            console.line(f"[{number}/{len(volumes)}] {source}")
            _audit_file(name, source, files, registry, console, is_cancelled)
        text = files.finish()
    if files.skipped:
        unchanged = "; no card was changed" if cards else ""
        raise SuperResolutionError(
            f"The audit of the other volumes is in {out}{unchanged}. "
            f"Not audited: {' '.join(files.skipped)}"
        )
    _update_cards(arguments.card, cards, files, out)
    duration = format_elapsed(time.monotonic() - start)
    changed = f", and the cards of {', '.join(cards)}" if cards else ""
    return f"{text}\nDone in {duration}: {arguments.out}{changed}"


def options_of(arguments: argparse.Namespace, registry: MethodRegistry) -> list[AuditOptions]:
    """Return the audit options of every requested scale.

    Raises:
        SuperResolutionError: An option is invalid, or a model is unknown.
    """
    models, scale = arguments.models, arguments.scale
    if not models and arguments.slice_spacing is not None:
        cards = registry.store.cards()
        models = [card.name for card in cards if card.is_through_plane]
    elif not models:
        scale = scale or DEFAULT_SCALE
        models = [card.name for card in registry.store.cards(scale)]
    return audit_tasks(
        models,
        scale,
        registry,
        slice_axis=arguments.slice_axis,
        device=arguments.device,
        degradation=arguments.degradation,
        noise=arguments.noise,
        seed=arguments.seed,
        slices=arguments.slices,
        slice_spacing=arguments.slice_spacing,
        slice_thickness=arguments.slice_thickness,
    )


def _cards(arguments: argparse.Namespace, store: ModelStore) -> dict[str, Path]:
    """Return the card files to change, by model name."""
    if arguments.card is None:
        return {}
    if not arguments.card.strip():
        raise SuperResolutionError(
            "--card needs the anatomy of the volumes, for example brain: a card keeps the figures "
            "of each anatomy.",
            "settings",
        )
    if not arguments.models:
        raise SuperResolutionError(
            "--card needs --models: name the user models whose cards are to be changed.",
            "settings",
        )
    return {name: user_card_path(name, store) for name in arguments.models}


def _audit_file(
    name: str,
    source: FoundVolume,
    files: AuditFiles,
    registry: MethodRegistry,
    console: Console,
    is_cancelled: CancelCheck,
) -> None:
    """Audit a volume at every scale; report and record failures."""
    try:
        volume = read_first_frame(source.path, source.series)
    except SuperResolutionError as error:
        console.error(files.skip(source, str(error)))
        return
    for options in files.tasks:
        if len(files.tasks) > 1:
            console.line(f"×{options.scale}")
        try:
            result = audit_volume(
                volume,
                options,
                registry=registry,
                on_progress=console.progress,
                is_cancelled=is_cancelled,
            )
        except MemoryError:
            reason = "Out of memory. Audit fewer models, or crop the volume."
            console.error(files.skip(source, reason, options.scale))
            continue
        except SuperResolutionError as error:
            if error.kind not in ("input", "memory"):
                raise
            console.error(files.skip(source, str(error), options.scale))
            continue
        console.messages(result.messages)
        files.add(name, source.path, volume.space, options, result)


def _update_cards(anatomy: str, cards: dict[str, Path], files: AuditFiles, out: Path) -> None:
    try:
        for name, path in cards.items():
            options = next(each for each in files.tasks if name in each.methods)
            _update_audit(path, card_entry(anatomy, name, options, files.results[options.scale]))
    except SuperResolutionError as error:
        raise SuperResolutionError(
            f"The audit is in {out}, but not in all cards. {error}", error.kind
        ) from error


def _update_audit(path: Path, entry: dict[str, Any]) -> None:
    """Add an audit to a card, in place of one of the same anatomy.

    Args:
        path: The card file; keys that `ModelCard` does not have are kept.
        entry: An entry of `ModelCard.audit`.

    Raises:
        SuperResolutionError: The card is unusable (kind "model") or cannot be written.
    """
    card = ModelCard.read(path)
    others = (other for other in card.audit if other["anatomy"] != entry["anatomy"])
    entries = sorted([entry, *others], key=lambda audit: str(audit["anatomy"]))
    checked = replace(card, audit=tuple(entries))
    values = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, values | {"audit": checked.to_dict()["audit"]})


class AuditFiles:
    """Writer of the files of an audit: maps per volume; tables and figure at the end.

    Args:
        folder: An empty folder.
        tasks: Options of the audit, one per scale.
        left_out: Files and folders that are no volumes, each with the reason.

    Attributes:
        tasks: Options of the audit, one per scale.
        results: {scale: {volume: {method: Findings}}}.
        skipped: Volumes that could not be audited, each with its reason.
    """

    def __init__(
        self,
        folder: Path,
        tasks: Sequence[AuditOptions],
        left_out: Sequence[tuple[Path, str]] = (),
    ) -> None:
        self.tasks, self._left_out = tasks, left_out
        self.results: dict[int, dict[str, dict[str, Findings]]]
        self.results = {options.scale: {} for options in tasks}
        self.skipped: list[str] = []
        self._folder = folder
        self._worst = WorstSlices()
        self._volumes: list[dict[str, Any]] = []
        self._methods: dict[int, list[dict[str, Any]]] = {}

    def skip(self, source: FoundVolume, reason: str, scale: int | None = None) -> str:
        """Record a volume that could not be audited; return the text for the user."""
        at_scale = "" if scale in (None, 1) else f", ×{scale}"
        self.skipped.append(f"{source}{at_scale}: {reason}")
        return self.skipped[-1]

    def add(
        self,
        name: str,
        source: Path,
        space: dict[str, str],
        options: AuditOptions,
        result: VolumeAudit,
    ) -> None:
        """Write the maps of a volume and record its findings.

        Args:
            name: Name of the volume in the tables.
            source: Its file.
            space: Space of its coordinates, see `Volume.space`.
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
        end = "" if options.is_between_slices else f"-x{scale}"
        for method, audit in result.methods.items():
            path = self._folder / "maps" / f"{name}-{method}{end}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            origin = provenance.record_header(MAP_NOTICE) | {
                "model": audit.model,
                "options": options.to_dict(),
                "volume": record,
            }
            crossing = Volume(audit.crossing, result.ijk_to_ras, provenance=origin, header=space)
            write_volume(path, crossing)

    def finish(self) -> str:
        """Write tables and figure; return the text of audit.md.

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
            "left_out": [f"{path}: {reason}" for path, reason in self._left_out],
            "versions": provenance.versions(),
        }
        texts = {
            "audit.csv": findings.volumes_csv(self.results),
            "summary.csv": findings.summary_csv(self.results),
            "lesions.csv": findings.lesions_csv(self.results),
            "audit.md": findings.markdown(self.results, self.tasks[0], self.skipped),
            "audit.json": json.dumps(record, indent=1, ensure_ascii=False) + "\n",
        }
        for name, text in texts.items():
            (self._folder / name).write_text(text, encoding="utf-8", newline="")
        self._worst.draw(self._folder / "audit.png")
        return texts["audit.md"]
