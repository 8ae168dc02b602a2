"""How good a model is on volumes of subjects that it has never seen."""

from pathlib import Path

from MRISuperResLib.core.files import read_volume
from MRISuperResLib.core.methods import BASELINES, BaselineMethod
from MRISuperResLib.core.reference import ReferenceTest


def evaluate(method, sources, data):
    """One row per source whose file is there: {"data", "anatomy", "psnr", "ssim", "rmse", "bicubic_psnr", …}.

    method: see MRISuperResLib.core.methods. sources: recipe.Source; data: the folder that their paths start from.
    """
    rows = []
    for source in sources:
        path = Path(data) / source.path
        if not path.exists():
            continue
        volume = read_volume(path)
        test = ReferenceTest(volume.array, volume.ijk_to_ras, method.scale)
        scores = test.scores(test.rebuild(method))
        row = {"data": path.name.split(".")[0], "anatomy": source.anatomy,
               "psnr": round(scores.psnr, 3), "ssim": round(scores.ssim, 4), "rmse": round(scores.rmse, 3)}
        for name in BASELINES:
            row[f"{name}_psnr"] = round(test.scores(test.rebuild(BaselineMethod(name, method.scale))).psnr, 3)
        rows.append(row)
    return rows
