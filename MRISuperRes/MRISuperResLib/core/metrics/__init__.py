"""Measures of image quality. All take images on the 0–255 scale of the thesis."""

from .foreground import foreground
from .full_reference import PEAK, StructuralSimilarity, decibels, psnr, rmse, ssim, ssim_matlab

__all__ = [
    "PEAK",
    "StructuralSimilarity",
    "decibels",
    "foreground",
    "psnr",
    "rmse",
    "ssim",
    "ssim_matlab",
]
