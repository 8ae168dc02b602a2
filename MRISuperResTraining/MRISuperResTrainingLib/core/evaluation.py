"""How good a model is on volumes of subjects that it has never seen."""

from pathlib import Path

from MRISuperResLib.core.comparison.compare import compare
from MRISuperResLib.core.comparison.job import ComparisonJob
from MRISuperResLib.core.files import read_volume
from MRISuperResLib.core.methods import BASELINES, MethodCache


def evaluate(method, sources, data):
    """One row per source whose file is there: {"data", "anatomy", "psnr", "ssim", "rmse", "bicubic_psnr", …}, whole volumes.

    method: see MRISuperResLib.core.methods. sources: recipe.Source; data: the folder that their paths start from.
    """
    methods = MethodCache(given=[method])
    rows = []
    for source in sources:
        path = Path(data) / source.path
        if not path.exists():
            continue
        volume = read_volume(path)
        table = compare(volume.array, volume.ijk_to_ras, ComparisonJob((*BASELINES, method.name), method.scale), methods).table
        row = {"data": path.name.split(".")[0], "anatomy": source.anatomy, "psnr": round(table.volume_psnr(method.name), 3),
               "ssim": round(table.mean(method.name, "ssim_wang"), 4), "rmse": round(table.volume_rmse(method.name), 3)}
        row |= {f"{name}_psnr": round(table.volume_psnr(name), 3) for name in BASELINES}
        rows.append(row)
    return rows
