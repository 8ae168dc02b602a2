"""An evaluation as a folder of files."""

import json
import re
from pathlib import Path

from MRISuperResLib.core import provenance
from MRISuperResLib.core.comparison import figure as comparison_figure
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import UpsamplingOptions

from . import figure, hr_slices, tables
from .evaluate import evaluate

SUMMARY, VOLUMES, MARKDOWN, FIGURE, RECORD = (
    "summary.csv",
    "volumes.csv",
    "evaluation.md",
    "evaluation.png",
    "evaluation.json",
)
PICTURES, HR_SLICES = "pictures", "hr_slices"


def evaluate_into(
    folder,
    title,
    sources,
    models,
    scales,
    cache,
    job,
    further=(),
    with_hr_slices=False,
    progress=None,
    cancelled=None,
):
    """Evaluates, and writes into an empty folder; returns the Evaluation.

    summary.csv: the means over subjects with their intervals. volumes.csv: every volume. evaluation.md: the thesis's tables.
    evaluation.png: the same as curves. pictures/: a slice of every volume by every method. hr_slices/: with_hr_slices, the middle
    slices of 128 pixels, enlarged. evaluation.json: how all was made.
    The rest: see evaluate.evaluate. Raises SuperResolutionError where no volume can be used, or matplotlib is missing.
    """
    comparison_figure.import_matplotlib()
    folder = Path(folder)
    (folder / PICTURES).mkdir()

    def draw(source, wanted, comparison):
        name = picture_name(source, wanted.scale)
        comparison_figure.draw(
            comparison,
            wanted,
            folder / PICTURES / name,
            f"{Path(source.path).name}, ×{wanted.scale}",
        )

    evaluation = evaluate(sources, models, scales, cache, job, further, progress, cancelled, draw)
    if not evaluation.volumes:
        raise SuperResolutionError(
            "Nothing could be evaluated. "
            + (" ".join(evaluation.skipped) or "There is no volume: name at least one.")
        )
    texts = {
        SUMMARY: tables.summary_csv(evaluation),
        VOLUMES: tables.volumes_csv(evaluation),
        MARKDOWN: tables.markdown(evaluation, title),
        RECORD: json.dumps(
            _record(evaluation, models, scales, cache, job), indent=1, ensure_ascii=False
        )
        + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    figure.draw(evaluation, folder / FIGURE)
    if with_hr_slices:
        _draw_hr_slices(folder / HR_SLICES, evaluation, sources, models, scales, cache)
    return evaluation


def picture_name(source, scale):
    """Of a PNG file; the subject's name stands in it without what file systems do not take."""
    subject = re.sub(r"[^A-Za-z0-9._-]+", "_", source.subject)
    return f"{subject}_{Path(source.path).name.split('.')[0]}_x{scale}.png"


def _draw_hr_slices(folder, evaluation, sources, models, scales, cache):
    folder.mkdir()
    used = {(scores.volume, scores.subject) for scores in evaluation.volumes}
    for source in sources:
        if (Path(source.path).name, source.subject) in used:
            for scale in scales:
                comparison, job = hr_slices.enlarge(
                    source.path,
                    scale,
                    [name for name in models if cache.scale_of(name) == scale],
                    cache,
                )
                comparison_figure.draw(
                    comparison,
                    job,
                    folder / picture_name(source, scale),
                    f"{Path(source.path).name}, middle slice ×{scale}",
                )


def _record(evaluation, models, scales, cache, job):
    settings = {
        key: value
        for key, value in job.to_dict().items()
        if key not in ("methods", "scale", "reference")
    }
    found = [
        cache.get(UpsamplingOptions(name, device=job.device, precision=job.precision))
        for name in models
    ]
    return {
        "models": [provenance.model(method) for method in found],
        "scales": list(scales),
        "settings": settings,
        "volumes": sorted({scores.volume for scores in evaluation.volumes}),
        "skipped": evaluation.skipped,
        "versions": provenance.versions(),
    }
