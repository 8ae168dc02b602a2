"""All metrics of one slice; what depends on the truth alone is computed once for all methods."""

import numpy as np

from .. import resampling
from ..metrics import PEAK, StructuralSimilarity, decibels, rmse

MIN_FOREGROUND = 100
"""Pixels of the body below which a slice has no metrics of the foreground."""


MIN_ERROR = 1e-4
"""RMSE of 255 below which there is no error but that of rounding, and PSNR says nothing."""


class SliceScores:
    """truth: (scale·h, scale·w) or None; low: (h, w), what the methods were given; both normalized. mask: the truth's foreground."""

    def __init__(self, truth, mask, low, scale, degradation):
        self._low, self._scale, self._degradation = low, scale, degradation
        self._truth = None if truth is None else truth * PEAK
        self._mask = mask if mask is not None and mask.sum() >= MIN_FOREGROUND else None
        self._ssim = (
            StructuralSimilarity(self._truth)
            if self._truth is not None and min(self._truth.shape) > 10
            else None
        )

    def of(self, image: np.ndarray) -> dict[str, float | None]:
        """{metric key: value or None} of a rebuilt slice (scale·h, scale·w), normalized."""
        shrunk = resampling.degrade(image, self._scale, self._degradation)
        scores = {"consistency": rmse(shrunk * PEAK, self._low * PEAK)}
        if self._truth is not None:
            scores |= self._against_truth(image * PEAK, self._truth)
        return scores

    def _against_truth(self, image, truth):
        errors = {
            "": rmse(image, truth),
            "_foreground": None if self._mask is None else rmse(image, truth, self._mask),
        }
        scores = {}
        for suffix, error in errors.items():
            scores["rmse" + suffix] = error
            scores["psnr" + suffix] = (
                decibels(error) if error is not None and error > MIN_ERROR else None
            )
        return scores | self._similarities(image)

    def _similarities(self, image):
        """The foreground's means are taken where both kinds take theirs: over its pixels in the inner part, and in the whole image."""
        keys = [
            f"ssim_{kind}{suffix}" for kind in ("wang", "matlab") for suffix in ("", "_foreground")
        ]
        if self._ssim is None:
            return dict.fromkeys(keys)
        whole = self._ssim.map(image)
        scores = []
        for part in (self._ssim.inside, np.asarray):
            similarity, mask = part(whole), None if self._mask is None else part(self._mask)
            scores += [
                float(similarity.mean()),
                float(similarity[mask].mean()) if mask is not None and mask.any() else None,
            ]
        return dict(zip(keys, scores))
