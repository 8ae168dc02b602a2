"""The slices that a comparison is about: what the methods are given, and the truth where there is one."""

import numpy as np

from .. import geometry, resampling, slice_axis
from ..errors import SuperResolutionError
from ..intensity import Intensity, mask_non_finite
from ..metrics.foreground import THRESHOLD, foreground
from .lesions import SyntheticLesions, evenly_spaced_lesions

MIN_SIDE = 4  # low-resolution pixels: with less there is nothing to compare
STRIDE = 4  # pixels between those that are looked at to find the fullest slice


class SliceStack:
    """The slices of a volume, normalized, by their number; one more, the last, is the fullest with planted dots.

    volume: (k, j, i); ijk_to_ras: (4, 4), mm; job: ComparisonOptions. shape: (rows, columns) of the rebuilt slices;
    output_shape: (k, j, i) of the rebuilt volumes; ijk_to_ras, low_ijk_to_ras: where these and the low-resolution volume
    lie. fullness: bright pixels of every slice, of those that were looked at; fullest: the number of the slice with the most. messages: sentences
    for the user.
    A truth is cropped to multiples of the scale, at the ends of its rows and columns.
    """

    def __init__(self, volume, ijk_to_ras, job):
        self._job = job
        self.filled, mask = mask_non_finite(volume)
        self.axis = slice_axis.choose_slice_axis(ijk_to_ras, job.slice_axis)
        self.intensity = Intensity.of(self.filled)
        self._source = np.moveaxis(self.filled, self.axis.numpy_axis, 0)
        whole = self._source.shape[1:]
        if job.reference:
            self._source = resampling.crop_to_multiple(self._source, job.scale)
        self._check_size(whole)
        self._place(np.asarray(ijk_to_ras, dtype=float))
        self.messages = [f"Taken: {self.axis}."]
        if whole != self._source.shape[1:]:
            self.messages.append(
                f"Cropped from {whole[1]}×{whole[0]} to {self.shape[1]}×{self.shape[0]} pixels, multiples of {job.scale}."
            )
        if mask is not None:
            self.messages.append(
                f"{mask.sum()} of {mask.size} voxels are NaN or infinite: they count as dark."
            )
        self.fullness = np.count_nonzero(
            self._source[:, ::STRIDE, ::STRIDE] > self._dark_limit(), axis=(1, 2)
        )
        self.fullest = int(np.argmax(self.fullness))
        plain, _ = self.read(self.fullest)
        self.dots = SyntheticLesions(
            plain, evenly_spaced_lesions(plain, foreground(plain)), job.scale
        )

    def __len__(self):
        """Without the slice with the dots."""
        return len(self._source)

    def read(self, number):
        """(what the methods are given, (h, w); the truth, (scale·h, scale·w), or None without a reference and for the slice with the dots)."""
        if number == len(self):
            return self.dots.planted, None
        image = self.intensity.normalize(self._source[number])
        return (self._degraded(image, number), image) if self._job.reference else (image, None)

    def _degraded(self, image, number):
        low = resampling.degrade(image, self._job.scale, self._job.degradation)
        return (
            resampling.add_rician_noise(low, self._job.noise / 100, (self._job.seed, number))
            if self._job.noise
            else low
        )

    def to_volume(self, images):
        """Slices of the first axis as an array (k, j, i), and back: a view."""
        return np.moveaxis(images, 0, self.axis.numpy_axis)

    def low_volume(self, given):
        """(k, j, i): the input itself, or what degradation left of the truth, float32, in its intensities.

        given: the low-resolution slices of a truth, by their number, as `read` gave them.
        """
        if not self._job.reference:
            return self.filled
        low = np.stack([given[number] for number in range(len(self))])
        return np.ascontiguousarray(
            self.to_volume(low * (self.intensity.high - self.intensity.low) + self.intensity.low),
            dtype=np.float32,
        )

    def reference_volume(self):
        """(k, j, i), in the type of the input; None without a reference."""
        return np.ascontiguousarray(self.to_volume(self._source)) if self._job.reference else None

    def _dark_limit(self):
        return self.intensity.low + THRESHOLD * (self.intensity.high - self.intensity.low)

    def _check_size(self, whole):
        low = [side // self._job.scale if self._job.reference else side for side in whole]
        if min(low) < MIN_SIDE:
            raise SuperResolutionError(
                f"The slices have {whole[1]}×{whole[0]} pixels, which is too little for a comparison ×{self._job.scale}: "
                "choose another slice direction, a smaller scale or a larger volume."
            )

    def _place(self, ijk_to_ras):
        scale = self._job.scale
        self.low_size = [
            side // scale if self._job.reference else side for side in self._source.shape[1:]
        ]
        self.shape = tuple(side * scale for side in self.low_size)
        self.output_shape = np.moveaxis(
            np.empty((len(self), *self.shape), bool), 0, self.axis.numpy_axis
        ).shape
        enlarged = geometry.upsampled_ijk_to_ras(ijk_to_ras, self.axis.factors(scale))
        shrunk = geometry.upsampled_ijk_to_ras(ijk_to_ras, np.divide(1, self.axis.factors(scale)))
        self.ijk_to_ras, self.low_ijk_to_ras = (
            (ijk_to_ras, shrunk) if self._job.reference else (enlarged, ijk_to_ras)
        )
