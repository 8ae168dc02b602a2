"""Upsampling of every available real volume (see the README: test data)."""

import os
import unittest
from pathlib import Path

import numpy as np

from MRISuperResLib.core import geometry, resampling
from MRISuperResLib.core.comparison.compare import compare_methods
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.options import FLOOR, ComparisonOptions, UpsamplingOptions
from MRISuperResLib.core.geometry import choose_slice_axis
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume

DATA = Path(
    os.environ.get("MRISUPERRES_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
)
SLICES = 2
"""Slices from the middle of each volume: they show as much as all, in a fraction of the time."""

UNTRAINED_LOSS = 0.2
"""dB that a model may lose to the baselines on spacings it warns about (3 mm EPI at ×8: 24 mm)."""


class RealDataTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = sorted((DATA / "fetal").glob("*.nii.gz")) + sorted(
            (DATA / "brain").glob("*.nii.gz")
        )
        if not cls.files:
            raise unittest.SkipTest(
                "no real MRI found: set MRISUPERRES_TEST_DATA to a folder with fetal/ and brain/"
            )
        cls.registry = MethodRegistry()

    def middle_of(self, path):
        """(a few middle slices as a Volume, their SliceAxis)"""
        volume = Volume.read(path)
        axis = choose_slice_axis(volume.ijk_to_ras)
        slices = np.moveaxis(volume.array, axis.numpy_axis, 0)
        first = max(0, len(slices) // 2 - SLICES // 2)
        middle = np.moveaxis(slices[first : first + SLICES], 0, axis.numpy_axis)
        shift = np.eye(4)
        shift[axis.index, 3] = first
        return Volume(np.ascontiguousarray(middle), volume.ijk_to_ras @ shift), axis

    def test_every_volume_keeps_position_type_and_intensities(self):
        for path in self.files:
            with self.subTest(path.name):
                volume, axis = self.middle_of(path)
                result = upsample_volume(
                    volume,
                    UpsamplingOptions(scale=2, slice_axis=axis.name, device="cpu"),
                    registry=self.registry,
                )
                self.assertEqual(result.array.dtype, volume.array.dtype)
                before = geometry.corners(volume.ijk_to_ras, volume.size)
                after = geometry.corners(result.ijk_to_ras, result.size)
                np.testing.assert_allclose(
                    after, before, rtol=0, atol=1e-6 * np.ptp(before, axis=0).max()
                )
                self.assertAlmostEqual(result.spacing[axis.index], volume.spacing[axis.index])
                low, upsampled = (
                    np.moveaxis(each.array, axis.numpy_axis, 0).astype(float)
                    for each in (volume, result)
                )
                span = np.ptp(np.percentile(low, (0.1, 99.9)))
                inconsistency = resampling.degrade(upsampled, 2) - low
                self.assertLess(np.sqrt(np.mean(inconsistency**2)), 0.02 * span)

    def test_every_volume_is_restored_better_than_by_methods_without_training(self):
        for scale in (2, 4, 8):
            model = self.registry.store.default_model(scale).name
            for path in self.files:
                with self.subTest(path.name, scale=scale):
                    volume, axis = self.middle_of(path)
                    methods = (model, "bicubic", FLOOR)
                    options = ComparisonOptions(methods, scale, slice_axis=axis.name, device="cpu")
                    comparison = compare_methods(volume, options, registry=self.registry)
                    table = comparison.table
                    baseline = max(table.volume_psnr("bicubic"), table.volume_psnr(FLOOR))
                    is_trained = all(m.code != "spacing" for m in comparison.messages)
                    self.assertGreater(
                        table.volume_psnr(model), baseline - (0 if is_trained else UNTRAINED_LOSS)
                    )


if __name__ == "__main__":
    unittest.main()
