"""Every method on every volume at every scale."""

from dataclasses import dataclass
from pathlib import Path

from MRISuperResLib.core.comparison.compare import compare
from MRISuperResLib.core.comparison.scores import ScoreTable
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io import read_volume
from MRISuperResLib.core.methods.registry import INTERPOLATIONS
from MRISuperResLib.core.options import FLOOR, ComparisonOptions

from .bootstrap import interval


@dataclass(frozen=True)
class VolumeScores:
    """What the methods of one scale came to on one volume."""

    volume: str
    subject: str
    anatomy: str
    scale: int
    table: ScoreTable


@dataclass(frozen=True)
class Summary:
    """The mean over subjects, each the mean of its volumes, and its bootstrap interval (None for one subject)."""

    mean: float
    interval: tuple | None
    subjects: int


class Evaluation:
    """volumes: VolumeScores, in the order in which they were made; skipped: sentences on those that could not be used.

    The methods of its summaries ask for at least one volume.
    """

    def __init__(self, volumes, skipped=()):
        self.volumes, self.skipped = list(volumes), list(skipped)

    @property
    def anatomies(self):
        return sorted({scores.anatomy for scores in self.volumes})

    def scales(self, anatomy):
        return sorted({scores.scale for scores in self.volumes if scores.anatomy == anatomy})

    def methods(self, anatomy, scale):
        return next(scores.table.methods for scores in self._of(anatomy, scale))

    def metrics(self):
        return self.volumes[0].table.metrics

    def summary(self, anatomy, scale, method, key):
        """A Summary; None where the metric is defined on no volume."""
        values = {}
        for scores in self._of(anatomy, scale):
            if (mean := scores.table.mean(method, key)) is not None:
                values.setdefault(scores.subject, []).append(mean)
        if not values:
            return None
        means = [sum(of_subject) / len(of_subject) for of_subject in values.values()]
        return Summary(sum(means) / len(means), interval(means), len(means))

    def _of(self, anatomy, scale):
        return [
            scores for scores in self.volumes if (scores.anatomy, scores.scale) == (anatomy, scale)
        ]


def evaluate(
    sources,
    models,
    scales,
    cache,
    job=None,
    further=(),
    progress=None,
    cancelled=None,
    on_comparison=None,
):
    """Degrades every volume at every scale, rebuilds it by every method, and measures; returns an Evaluation.

    sources: data.sources.Source. models: names of models (see MRISuperResLib.core.method_names), of which each scale takes
    its own; nearest, bilinear, bicubic and the back-projected bicubic are always there. cache: methods.MethodRegistry.
    job: a ComparisonOptions whose settings besides methods and scale are taken. further: metrics as comparison.compare takes them.
    progress(done, total): volumes times scales. cancelled(): asked between slices. on_comparison(source, job, comparison):
    called for each.
    A volume that cannot be used is named and left out. Raises SuperResolutionError for models that are not installed, Cancelled.
    """
    template = (job or ComparisonOptions(INTERPOLATIONS)).to_dict()
    volumes, skipped, done = [], [], 0
    total = len(sources) * len(scales)
    for source in sources:
        for scale in scales:
            if progress:
                progress(done, total)
            done += 1
            names = (
                *INTERPOLATIONS,
                FLOOR,
                *(name for name in models if cache.scale_of(name) == scale),
            )
            wanted = ComparisonOptions.from_dict(
                template | {"methods": names, "scale": scale, "reference": True}
            )
            try:
                volume = read_volume(source.path)
                comparison = compare(
                    volume.array,
                    volume.ijk_to_ras,
                    wanted,
                    cache,
                    further=further,
                    cancelled=cancelled,
                )
            except SuperResolutionError as error:
                if error.kind != "input":
                    raise
                skipped.append(f"{source.path}, ×{scale}: {error}")
                continue
            volumes.append(
                VolumeScores(
                    Path(source.path).name, source.subject, source.anatomy, scale, comparison.table
                )
            )
            if on_comparison:
                on_comparison(source, wanted, comparison)
    if progress:
        progress(total, total)
    return Evaluation(volumes, skipped)
