import unittest

import numpy as np
from made_bodies import body, compare

from MRISuperResLib.core import resampling
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.resampling import difference_map, inconsistency_map


class MapsTest(unittest.TestCase):
    def test_the_map_shows_where_the_degraded_output_differs_from_the_input(self):
        volume = body((40, 44, 48), np.float32)
        for axis in "ijk":
            for degradation in resampling.DEGRADATIONS:
                with self.subTest(axis=axis, degradation=degradation):
                    job = ComparisonOptions(
                        ("bilinear", "bicubic+bp"),
                        2,
                        reference=False,
                        slice_axis=axis,
                        degradation=degradation,
                    )
                    result = compare(volume, np.eye(4), job)
                    rough, exact = (
                        inconsistency_map(
                            o.volume.array, result.low.array, result.axis, 2, degradation
                        )
                        for o in result.outputs
                    )
                    self.assertEqual((rough.shape, rough.dtype), (volume.shape, np.float32))
                    self.assertLess(exact.max(), 0.05 * rough.max())

    def test_its_root_mean_square_is_the_inconsistency_of_the_table(self):
        volume = body(dtype=np.float32)
        result = compare(
            volume, np.eye(4), ComparisonOptions(("nearest", "bilinear"), 2, reference=True)
        )
        departure = inconsistency_map(
            result.outputs[1].volume.array, result.low.array, result.axis, 2, "bicubic"
        )
        span = np.ptp(np.percentile(volume, (0.1, 99.9)))
        np.testing.assert_allclose(
            np.sqrt(((departure / span * 255) ** 2).mean(axis=(1, 2))),
            result.table.values("bilinear", "inconsistency"),
            rtol=1e-3,
        )

    def test_differences_are_absolute_and_do_not_wrap_around_in_unsigned_types(self):
        a, b = np.array([[[3, 250]]], np.uint8), np.array([[[5, 1]]], np.uint8)
        np.testing.assert_array_equal(difference_map(a, b), [[[2, 249]]])


if __name__ == "__main__":
    unittest.main()
