"""How good models are on volumes of subjects that they have never seen."""

from pathlib import Path

from MRISuperResLib.core.comparison.compare import compare
from MRISuperResLib.core.comparison.job import ComparisonJob
from MRISuperResLib.core.errors import MRISuperResError
from MRISuperResLib.core.files import read_volume
from MRISuperResLib.core.methods import BASELINES, MethodCache


def figures(methods, sources, axis="auto", progress=None, cancelled=None):
    """({name of a method: [{"data", "anatomy", "psnr", "ssim", "rmse", "bicubic_psnr", …} a volume]}, sentences on volumes that can't be used).

    methods: ready ones of one scale, see MRISuperResLib.core.methods. sources: data.source.Source. PSNR in dB and RMSE are of the
    whole volume, degraded with MATLAB's bicubic. progress(done, total): volumes. cancelled(): asked between slices; raises Cancelled.
    """
    cache = MethodCache(given=methods)
    rows, skipped = {method.name: [] for method in methods}, []
    job = ComparisonJob((*BASELINES, *rows), methods[0].scale, axis=axis)
    for done, source in enumerate(sources):
        if progress:
            progress(done, len(sources))
        try:
            volume = read_volume(source.path)
            table = compare(volume.array, volume.ijk_to_ras, job, cache, cancelled=cancelled).table
        except MRISuperResError as e:
            if e.kind != "input":
                raise
            skipped.append(f"{source.path}: {e}")
            continue
        baselines = {f"{name}_psnr": round(table.volume_psnr(name), 3) for name in BASELINES}
        for name, entries in rows.items():
            entries.append({"data": Path(source.path).name.split(".")[0], "anatomy": source.anatomy, "psnr": round(table.volume_psnr(name), 3),
                            "ssim": round(table.mean(name, "ssim_wang"), 4), "rmse": round(table.volume_rmse(name), 3)} | baselines)
    if progress:
        progress(len(sources), len(sources))
    return rows, skipped
