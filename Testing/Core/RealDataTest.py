"""The main job on every real volume that is at hand (see the README: test data)."""

import os
import unittest
from pathlib import Path

import numpy as np

from MRISuperResLib.core import geometry, resampling
from MRISuperResLib.core.comparison.compare import compare
from MRISuperResLib.core.options import FLOOR, ComparisonOptions
from MRISuperResLib.core.io import read_volume
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.upsampling import upsample

DATA = Path(
    os.environ.get("MRISUPERRES_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
)
SLICES = 2
"""A few slices from the middle of each volume show as much as all of them, in a fraction of the time."""


class RealDataTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = sorted((DATA / "fetal").glob("*.nii.gz")) + sorted(
            (DATA / "brain").glob("*.nii.gz")
        )
        if not cls.files:
            raise unittest.SkipTest(
                "no real MRI at hand: set MRISUPERRES_TEST_DATA to a folder with fetal/ and brain/"
            )
        cls.methods = MethodRegistry()

    def middle_of(self, path):
        """A few middle slices (along the axis that is taken automatically), and where they lie."""
        from MRISuperResLib.core import slice_axis

        volume = read_volume(path)
        axis = slice_axis.choose_slice_axis(volume.ijk_to_ras)
        count = volume.array.shape[axis.numpy_axis]
        first = max(0, count // 2 - SLICES // 2)
        middle = np.moveaxis(
            np.moveaxis(volume.array, axis.numpy_axis, 0)[first : first + SLICES],
            0,
            axis.numpy_axis,
        )
        shift = np.eye(4)
        shift[axis.axis, 3] = first
        return np.ascontiguousarray(middle), volume.ijk_to_ras @ shift, axis

    def test_every_volume_keeps_its_place_type_and_intensities(self):
        for path in self.files:
            with self.subTest(path.name):
                array, matrix, axis = self.middle_of(path)
                result = upsample(
                    array,
                    matrix,
                    UpsamplingOptions(scale=2, slice_axis=axis.name, device="cpu"),
                    self.methods,
                )
                self.assertEqual(result.volume.dtype, array.dtype)
                size = array.shape[::-1]
                before = geometry.corners(matrix, size)
                after = geometry.corners(result.ijk_to_ras, result.volume.shape[::-1])
                np.testing.assert_allclose(
                    after, before, rtol=0, atol=1e-6 * np.ptp(before, axis=0).max()
                )
                self.assertAlmostEqual(
                    geometry.spacing(result.ijk_to_ras)[axis.axis],
                    geometry.spacing(matrix)[axis.axis],
                )
                low = np.moveaxis(array, axis.numpy_axis, 0).astype(float)
                again = resampling.degrade(
                    np.moveaxis(result.volume, axis.numpy_axis, 0).astype(float), 2
                )
                span = np.ptp(np.percentile(low, (0.1, 99.9)))
                self.assertLess(np.sqrt(np.mean((again - low) ** 2)), 0.02 * span)

    def test_every_volume_is_rebuilt_better_than_by_whatever_does_not_learn(self):
        for scale in (2, 4, 8):
            model = self.methods.store.default_name(scale)
            for path in self.files:
                with self.subTest(path.name, scale=scale):
                    array, matrix, axis = self.middle_of(path)
                    job = ComparisonOptions(
                        (model, "bicubic", FLOOR), scale, slice_axis=axis.name, device="cpu"
                    )
                    table = compare(array, matrix, job, self.methods).table
                    self.assertGreater(
                        table.volume_psnr(model),
                        max(table.volume_psnr("bicubic"), table.volume_psnr(FLOOR)),
                    )


if __name__ == "__main__":
    unittest.main()
