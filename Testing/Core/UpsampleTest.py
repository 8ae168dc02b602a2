import subprocess
import sys
import tempfile
import unittest
import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from MRISuperResLib.core import geometry
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.upsampling import allocate_in_memory, upsample

from made_models import write_model

TYPES = (
    np.int8,
    np.uint8,
    np.int16,
    np.uint16,
    np.int32,
    np.uint32,
    np.int64,
    np.uint64,
    np.float32,
    np.float64,
)


def phantom(shape=(6, 20, 24), dtype=np.int16, seed=0):
    """Smooth blobs, about 0–100, (k, j, i)."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).random(shape), 1.5)
    noise -= noise.min()
    return (noise / max(noise.max(), 1e-9) * 100).astype(dtype)


class WithTinyModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        for scale in (2, 4):
            write_model(folder.name, f"tiny-x{scale}", scale=scale, spacing_range=[0.5, 1.5])
        cls.methods = MethodRegistry(ModelStore([folder.name]))

    def run_job(self, volume, matrix=np.eye(4), progress=None, cancelled=None, **job):
        return upsample(
            volume,
            matrix,
            UpsamplingOptions(
                **{"model": "tiny-x2", "device": "cpu", "precision": "float32"} | job
            ),
            self.methods,
            progress=progress,
            cancelled=cancelled,
        )


class UpsampleTest(WithTinyModel):
    def test_only_the_slice_plane_is_enlarged_and_the_volume_stays_in_place(self):
        volume, matrix = phantom((5, 7, 9)), np.diag([-1.1, 1.2, 1.3, 1])
        for axis, shape in (("i", (10, 14, 9)), ("j", (10, 7, 18)), ("k", (5, 14, 18))):
            with self.subTest(axis):
                result = self.run_job(volume, matrix, axis=axis)
                self.assertEqual(result.volume.shape, shape)
                np.testing.assert_allclose(
                    geometry.corners(result.ijk_to_ras, shape[::-1]),
                    geometry.corners(matrix, (9, 7, 5)),
                    atol=1e-12,
                )

    def test_slicing_along_another_axis_is_the_same_as_turning_the_volume(self):
        volume = phantom((6, 8, 10))
        along_i = self.run_job(volume, axis="i").volume
        turned = self.run_job(np.ascontiguousarray(np.moveaxis(volume, 2, 0)), axis="k").volume
        np.testing.assert_array_equal(along_i, np.moveaxis(turned, 0, 2))

    def test_the_stored_type_is_kept(self):
        for dtype in TYPES:
            for model in ("tiny-x2", "bicubic"):
                with (
                    self.subTest(dtype=np.dtype(dtype).name, model=model),
                    warnings.catch_warnings(),
                ):
                    warnings.simplefilter("error")
                    self.assertEqual(
                        self.run_job(phantom(dtype=dtype), model=model).volume.dtype, dtype
                    )

    def test_nearest_returns_the_very_values_of_every_type(self):
        for dtype in TYPES:
            with self.subTest(np.dtype(dtype).name):
                volume = phantom(dtype=dtype)
                np.testing.assert_allclose(
                    self.run_job(volume, model="nearest", scale=4).volume[:, ::4, ::4],
                    volume,
                    rtol=1e-15,
                )

    def test_the_full_range_of_16_bit_data_is_neither_clipped_nor_wrapped(self):
        volume = np.zeros((1, 16, 16), np.uint16)
        volume[:, 4:12, 4:12] = 65535
        enlarged = self.run_job(volume, model="bicubic", axis="k").volume
        self.assertEqual((enlarged.min(), enlarged.max()), (0, 65535))
        self.assertEqual(enlarged[0, 16, 16], 65535)
        self.assertEqual(enlarged[0, 1, 1], 0)

    @settings(max_examples=15, deadline=None)
    @given(st.integers(1, 7), st.randoms(use_true_random=False))
    def test_batch_size_and_batch_order_do_not_change_the_result(self, batch_size, random):
        volume = phantom((7, 11, 13), np.float32)
        order = list(range(7))
        random.shuffle(order)
        one_by_one = self.run_job(volume, axis="k", batch_size=1).volume
        shuffled = self.run_job(volume[order], axis="k", batch_size=batch_size).volume
        # float32 convolutions may be summed in another order for another batch size: a millionth of the range
        np.testing.assert_allclose(shuffled, one_by_one[order], rtol=0, atol=1e-4)

    def test_the_same_job_gives_the_same_bits_again(self):
        volume = phantom(dtype=np.float32)
        np.testing.assert_array_equal(self.run_job(volume).volume, self.run_job(volume).volume)

    def test_volumes_with_a_given_intensity_range_do_not_flicker(self):
        """The same structure in a volume with a spike, which moves its percentiles, and in one without."""
        plain, spiked = phantom((6, 20, 24), np.float32), phantom((6, 20, 24), np.float32)
        spiked[5] = 50 * plain.max()
        given_ = {"axis": "k", "intensity_range": (float(plain.min()), float(plain.max()))}
        np.testing.assert_array_equal(
            self.run_job(spiked, **given_).volume[:5], self.run_job(plain, **given_).volume[:5]
        )
        self.assertTrue(
            (
                self.run_job(spiked, axis="k").volume[:5]
                != self.run_job(plain, axis="k").volume[:5]
            ).any()
        )
        self.assertEqual(
            self.run_job(plain, **given_).provenance["intensity"],
            {"low": given_["intensity_range"][0], "high": given_["intensity_range"][1]},
        )

    def test_odd_and_tiny_sizes_are_results(self):
        for shape in ((3, 5, 7), (1, 1, 1), (1, 64, 33), (2, 1, 9)):
            for axis in ("i", "j", "k"):
                with self.subTest(shape=shape, axis=axis):
                    result = self.run_job(phantom(shape), model="tiny-x4", axis=axis)
                    factors = {"i": (4, 4, 1), "j": (4, 1, 4), "k": (1, 4, 4)}[axis]
                    self.assertEqual(result.volume.shape, tuple(np.multiply(shape, factors)))

    def test_the_input_is_not_touched(self):
        volume = phantom(dtype=np.float32)
        volume[0, 0, 0] = np.nan
        before = volume.copy()
        self.run_job(volume)
        np.testing.assert_array_equal(volume, before)

    def test_nan_and_infinite_voxels_come_back_where_they_were_and_spoil_nothing_else(self):
        volume = phantom(dtype=np.float32)
        volume[2, 3, 4], volume[5, 0, 0] = np.nan, np.inf
        result = self.run_job(volume, axis="k")
        self.assertTrue(np.isnan(result.volume[2, 6:8, 8:10]).all())
        self.assertTrue(np.isposinf(result.volume[5, :2, :2]).all())
        self.assertEqual((~np.isfinite(result.volume)).sum(), 8)
        self.assertTrue(any("2 of 2880 voxels are NaN or infinite" in m for m in result.messages))

    def test_progress_counts_the_slices_from_none_to_all(self):
        reports = []
        self.run_job(
            phantom((5, 8, 8)),
            axis="k",
            batch_size=2,
            progress=lambda done, total: reports.append((done, total)),
        )
        self.assertEqual(reports, [(0, 5), (2, 5), (4, 5), (5, 5)])

    def test_a_job_can_be_cancelled_before_every_batch_and_after_the_last(self):
        for when in range(4):
            answers = iter([False] * when + [True])
            with self.subTest(when), self.assertRaises(Cancelled):
                self.run_job(
                    phantom((3, 8, 8)), axis="k", batch_size=1, cancelled=lambda: next(answers)
                )

    def test_the_output_says_what_it_is_and_how_it_was_made(self):
        provenance = self.run_job(phantom(), np.diag([1, 1, 3, 1])).provenance
        self.assertEqual(provenance["notice"], "synthetic, not for diagnosis")
        self.assertEqual(provenance["model"]["name"], "tiny-x2")
        self.assertRegex(provenance["model"]["sha256"], "^[0-9a-f]{64}$")
        self.assertEqual(provenance["slices"]["axis"], "k")
        self.assertEqual(
            provenance["input"], {"size": [24, 20, 6], "spacing": [1, 1, 3], "type": "int16"}
        )
        self.assertEqual(UpsamplingOptions.from_dict(provenance["job"]).model, "tiny-x2")
        self.assertIn("torch", provenance["versions"])

    def test_pixels_that_the_model_was_not_made_for_give_a_warning(self):
        self.assertFalse([m for m in self.run_job(phantom()).messages if "trained on" in m])
        self.assertTrue(
            [
                m
                for m in self.run_job(phantom(), np.diag([3, 3, 3, 1])).messages
                if "trained on pixels of 0.5–1.5 mm" in m
            ]
        )

    def test_an_unusable_position_in_space_is_refused(self):
        for matrix in (
            np.diag([0, 1, 1, 1]),
            np.full((4, 4), np.nan),
            np.eye(3),
            np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        ):
            with (
                self.subTest(matrix=matrix),
                self.assertRaisesRegex(SuperResolutionError, "position in space"),
            ):
                self.run_job(phantom(), matrix)

    def test_an_output_that_does_not_fit_into_memory_is_refused_with_its_size(self):
        with self.assertRaisesRegex(SuperResolutionError, "GiB") as caught:
            allocate_in_memory((1 << 20, 1 << 13, 1 << 13), np.int16)
        self.assertEqual(caught.exception.kind, "memory")


class BaselinesWithoutTorchTest(unittest.TestCase):
    def test_interpolating_imports_no_torch(self):
        code = (
            "import sys, numpy as np\n"
            "from MRISuperResLib.core.upsampling import upsample\n"
            "from MRISuperResLib.core.options import UpsamplingOptions\n"
            "upsample(np.zeros((2, 4, 4)), np.eye(4), UpsamplingOptions('bicubic'))\n"
            "sys.exit('torch' in sys.modules)\n"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", code], timeout=120).returncode, 0)

    def test_a_network_without_torch_says_what_to_install(self):
        code = (
            "import sys, numpy as np\n"
            "sys.modules['torch'] = None\n"
            "from MRISuperResLib.core.errors import SuperResolutionError\n"
            "from MRISuperResLib.core.upsampling import upsample\n"
            "from MRISuperResLib.core.options import UpsamplingOptions\n"
            "try:\n"
            "    upsample(np.zeros((2, 4, 4)), np.eye(4), UpsamplingOptions())\n"
            "except SuperResolutionError as e:\n"
            "    sys.exit(0 if e.kind == 'packages' and 'PyTorch' in str(e) else str(e))\n"
            "sys.exit('no error')\n"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", code], timeout=120).returncode, 0)


if __name__ == "__main__":
    unittest.main()
