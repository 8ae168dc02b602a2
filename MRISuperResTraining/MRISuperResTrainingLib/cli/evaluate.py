"""evaluate [DATA] --out DIR"""

from pathlib import Path

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io import new_folder
from MRISuperResLib.core.methods.registry import INTERPOLATIONS, MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.options import SCALES, ComparisonOptions
from MRISuperResLib.core.progress import ProgressMeter

from ..data.sources import read_sources
from ..evaluation.files import MARKDOWN, evaluate_into
from ..evaluation.perceptual_metrics import perceptual_metrics
from ..evaluation.run_models import best_models, run_store, unseen_sources


def run(arguments, console, cancelled):
    """Returns the tables, and the line that tells what was written. Raises SuperResolutionError, Cancelled."""
    job = ComparisonOptions(
        INTERPOLATIONS,
        slice_slice_axis=arguments.axis,
        device=arguments.device,
        precision=arguments.precision,
        degradation=arguments.degradation,
        noise=arguments.noise,
        seed=arguments.seed,
        perceptual=arguments.perceptual,
    )
    cache = MethodRegistry(run_store(arguments.run) if arguments.run else ModelStore())
    models = arguments.models or (
        best_models(arguments.run)
        if arguments.run
        else [card.name for card in cache.store.cards(None)]
    )
    scales = arguments.scales or tuple(sorted({cache.scale_of(name) for name in models})) or SCALES
    models = [name for name in models if cache.scale_of(name) in scales]
    sources = _sources(arguments, console)
    meter = ProgressMeter()

    def progress(done, total):
        console.line(meter.update(done, total).text().replace("slices", "volumes"))

    with new_folder(arguments.out) as folder:
        evaluation = evaluate_into(
            folder,
            "Evaluation",
            sources,
            models,
            scales,
            cache,
            job,
            perceptual_metrics(),
            arguments.hr_slices,
            progress,
            cancelled,
        )
        text = (folder / MARKDOWN).read_text(encoding="utf-8")
    for sentence in evaluation.skipped:
        console.message(sentence)
    return f"{text}\nWritten: {arguments.out}, {len(evaluation.volumes)} volumes and scales"


def _sources(arguments, console):
    if arguments.data:
        sources, skipped = read_sources(arguments.data, arguments.anatomy, arguments.base)
        skipped += [
            (source.path, "it is to be learnt from, so that it says nothing about other people.")
            for source in sources
            if source.use == "train"
        ]
        for path, reason in skipped:
            console.message(f"{path}: {reason}")
        return [source for source in sources if source.use != "train"]
    if not arguments.run:
        raise SuperResolutionError(
            "Name the volumes to measure on, or a run with --run.", "settings"
        )
    sources = unseen_sources(arguments.run)
    if not sources:
        raise SuperResolutionError(
            f"The run {Path(arguments.run)} has held back no subject, or its volumes are no longer there: name volumes of other subjects.",
            "settings",
        )
    return sources
