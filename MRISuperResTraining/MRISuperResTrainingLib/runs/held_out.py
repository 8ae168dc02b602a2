"""How good models are on volumes of subjects that they have never seen: the figures of their cards."""

from pathlib import Path

from MRISuperResLib.core.methods.registry import INTERPOLATIONS, MethodRegistry
from MRISuperResLib.core.options import FLOOR, ComparisonOptions

from ..data.source import Source
from ..evaluation.evaluate import evaluate
from ..evaluation.perceptual_metrics import METRICS, perceptual_metrics


def never_seen(description):
    """[Source] of a run's run.json: those that were held back, and those that the training was told not to touch, as far as they are there.

    A subject that is on both sides, because it was the only one, is not among them.
    """
    split = description["split"]
    sources = [Source.from_dict(values) for values in description["sources"]]
    return [
        source
        for source in sources
        if source.subject not in split["train"] and Path(source.path).exists()
    ]


def figures(methods, sources, axis="auto", progress=None, cancelled=None):
    """({name of a method: its ModelCard.metrics}, sentences on volumes that can't be used).

    methods: ready ones of one scale, see MRISuperResLib.core.methods.registry. sources: data.source.Source. PSNR in dB and RMSE are of the
    whole volume, degraded with MATLAB's bicubic, SSIM is the mean over the slices; so are LPIPS and the distance in the features of VGG19, of
    five slices, where their weights are there. progress(done, total): volumes. cancelled(): asked between slices; raises Cancelled.
    """
    names = [method.name for method in methods]
    evaluation = evaluate(
        sources,
        names,
        (methods[0].scale,),
        MethodRegistry(given=methods),
        ComparisonOptions(INTERPOLATIONS, slice_axis=axis),
        perceptual_metrics(),
        progress,
        cancelled=cancelled,
    )
    return {
        name: [_row(scores, name) for scores in evaluation.volumes] for name in names
    }, evaluation.skipped


def _row(scores, name):
    row = {"data": scores.volume.split(".")[0], "anatomy": scores.anatomy} | _scores(
        scores.table, name
    )
    return row | {
        "baselines": {
            baseline: _scores(scores.table, baseline) for baseline in (*INTERPOLATIONS, FLOOR)
        }
    }


def _scores(table, name):
    further = {
        metric.key: round(table.mean(name, metric.key), 4)
        for metric in METRICS
        if metric in table.metrics
    }
    return {
        "psnr": round(table.volume_psnr(name), 3),
        "ssim": round(table.mean(name, "ssim_wang"), 4),
        "rmse": round(table.volume_rmse(name), 3),
    } | further
