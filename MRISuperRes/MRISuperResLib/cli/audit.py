"""audit IN… --out DIR"""

import os
import time
from pathlib import Path

from ..core.audit.audit import audit
from ..core.audit.card import card_entry
from ..core.comparison.figure import import_matplotlib
from ..core.errors import SuperResolutionError
from ..core.io.atomic import new_folder
from ..core.io.formats import read_volume
from ..core.methods.registry import MethodRegistry
from ..core.models.user_models import update_audit, user_card_path
from ..core.options import DEFAULT_SCALE, AuditOptions
from ..core.progress import format_duration
from .audit_files import AuditFiles
from .batch import plan


def run(arguments, console, cancelled):
    """Returns the tables, and the line that tells what was written. Raises SuperResolutionError, also where a volume could not be audited, and Cancelled."""
    start = time.monotonic()
    cache = MethodRegistry()
    jobs = jobs_of(arguments, cache)
    cards = _cards(arguments, cache.store)
    out = Path(os.path.abspath(arguments.out))
    volumes = {
        str(place.relative_to(out)): source for source, place in plan(arguments.inputs, out, "")
    }
    import_matplotlib()
    with new_folder(out) as folder:
        for job in jobs:
            for name in job.methods:
                cache.get(job.upsampling_options(name))
        files = AuditFiles(folder, jobs)
        for number, (name, source) in enumerate(volumes.items(), 1):
            console.line(f"[{number}/{len(volumes)}] {source}")
            _audit_volume(name, source, files, jobs, cache, console, cancelled)
        text = files.finish()
    if files.skipped:
        raise SuperResolutionError(
            f"The audit of the others is in {out}{', no card was changed' if cards else ''}; what could not be audited: {' '.join(files.skipped)}"
        )
    try:
        for name, path in cards.items():
            job = next(job for job in jobs if name in job.methods)
            update_audit(path, card_entry(arguments.card, name, job, files.results[job.scale]))
    except SuperResolutionError as e:
        raise SuperResolutionError(
            f"The audit is in {out}, but not in all cards. {e}", e.kind
        ) from e
    written = f"Written: {arguments.out}" + (
        f", and the cards of {', '.join(cards)}" if cards else ""
    )
    return f"{text}\n{written}, {format_duration(time.monotonic() - start)}"


def jobs_of(arguments, cache):
    """An AuditOptions for each scale that was asked for. cache: methods.MethodRegistry."""
    if arguments.scale is not None:
        scales = [arguments.scale]
    else:
        scales = (
            sorted({cache.scale_of(name) for name in arguments.models})
            if arguments.models
            else [DEFAULT_SCALE]
        )
    return [
        AuditOptions(
            _methods(arguments, scale, cache),
            scale,
            slice_axis=arguments.axis,
            device=arguments.device,
            degradation=arguments.degradation,
            noise=arguments.noise,
            seed=arguments.seed,
            slices=arguments.slices,
        )
        for scale in scales
    ]


def _methods(arguments, scale, cache):
    if not arguments.models:
        return tuple(card.name for card in cache.store.cards(scale))
    return tuple(
        name
        for name in arguments.models
        if arguments.scale is not None or cache.scale_of(name) == scale
    )


def _cards(arguments, store):
    """{name of a model: the file of its card}, of those that are to be changed."""
    if arguments.card is None:
        return {}
    if not arguments.card.strip():
        raise SuperResolutionError(
            "Say after --card what the volumes show, for example brain: a card keeps the figures of every anatomy by themselves.",
            "settings",
        )
    if not arguments.models:
        raise SuperResolutionError(
            "Name with --models the models of your own into whose cards the figures are to be written.",
            "settings",
        )
    return {name: user_card_path(name, store) for name in arguments.models}


def _audit_volume(name, source, files, jobs, cache, console, cancelled):
    """At every scale; what can't be audited is translate_device_errors, and kept in files.skipped."""
    try:
        volume = read_volume(source)
    except SuperResolutionError as error:
        console.error(files.skip(source, error))
        return
    for message in volume.messages:
        console.message(message)
    for job in jobs:
        if len(jobs) > 1:
            console.line(f"×{job.scale}")
        try:
            found = audit(
                volume.array,
                volume.ijk_to_ras,
                job,
                cache,
                console.for_another_run().progress,
                cancelled,
            )
        except MemoryError:
            console.error(
                files.skip(
                    source,
                    "there is not enough memory: name fewer models, or crop the volume.",
                    job.scale,
                )
            )
            continue
        except SuperResolutionError as error:
            if error.kind not in ("input", "memory"):
                raise
            console.error(files.skip(source, error, job.scale))
            continue
        for message in found.messages:
            console.message(message)
        files.add(name, source, job, found)
