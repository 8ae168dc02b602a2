"""Upsampling inside a mask, and clipping to the range of the input."""

import tempfile
import unittest
from unittest import mock

import numpy as np
import MRISuperResLib as sr
from hypothesis import given, settings
from hypothesis import strategies as st
from MRISuperResLib.core import slices
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.methods.network import NetworkMethod
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.upsampling import upsample_frames, upsample_volume
from MRISuperResLib.core.volume import Frames, Volume

from made_bodies import enlarged
from made_models import write_model

MATRIX = np.diag([1.0, 1.0, 4.0, 1.0])
SHAPE = (4, 40, 44)
COMPACT = {"network": "compact", "blocks": 1, "features": 8}
"""Network whose reach, 5 pixels, is much smaller than a slice."""


def anatomy(dtype=np.int16, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).integers(0, 750, shape).astype(dtype)


def box(first=(1, 14, 20), last=(2, 22, 30)):
    inside = np.zeros(SHAPE, np.uint8)
    inside[tuple(slice(a, b + 1) for a, b in zip(first, last))] = 1
    return inside


class WithModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        write_model(folder, "tiny-x2", architecture=COMPACT)
        cls.registry = MethodRegistry(ModelStore([folder]))

    def upsample(self, array, mask=None, model="tiny-x2", **options):
        return upsample_volume(
            Volume(array, MATRIX),
            UpsamplingOptions(model, 2, device="cpu", slice_axis="k", **options),
            registry=self.registry,
            mask=None if mask is None else Volume(mask, MATRIX),
        )


class MaskTest(WithModel):
    @settings(max_examples=10, deadline=None)
    @given(
        st.sampled_from((np.uint8, np.int16, np.uint16, np.float32, np.float64)),
        st.sampled_from(("tiny-x2", "tiny-x2+bp", "bicubic")),
    )
    def test_mask_of_ones_equals_no_mask_bit_for_bit(self, dtype, model):
        array = anatomy(dtype, shape=(2, 12, 14))
        array[0, 3:5] = 0
        ones = np.ones(array.shape, np.uint8)
        expected = self.upsample(array, model=model)
        result = self.upsample(array, ones, model)
        np.testing.assert_array_equal(result.array, expected.array)
        self.assertEqual(result.provenance["intensity"], expected.provenance["intensity"])

    @settings(max_examples=20, deadline=None)
    @given(
        st.integers(0, 2**31),
        st.sampled_from((np.int16, np.uint16, np.float32)),
        st.sampled_from(("tiny-x2", "tiny-x2+bp", "nearest")),
    )
    def test_result_inside_does_not_depend_on_what_is_outside(self, seed, dtype, model):
        inside = np.random.default_rng(seed).random(SHAPE) < 0.02
        inside[seed % 4] = False
        inside[0, 5, 5] = True
        results = []
        for other in (1, 2):
            array = np.where(inside, anatomy(dtype), anatomy(dtype, seed + other))
            results.append(self.upsample(array, inside.astype(np.int16), model))
        np.testing.assert_array_equal(*(r.array[enlarged(inside)] for r in results))
        self.assertEqual(*(r.provenance["intensity"] for r in results))

    def test_cropped_slices_give_the_result_of_whole_slices(self):
        for dtype in (np.int16, np.float32):
            array, inside = anatomy(dtype), box()
            windows = []
            real = NetworkMethod.start

            def recorded(method, images, intensity, windows=windows, real=real):
                windows.append(images.shape)
                return real(method, images, intensity)

            with mock.patch.object(NetworkMethod, "start", recorded):
                cropped = self.upsample(array, inside).array
            # rows 14 to 22 and columns 20 to 30, with the reach of 5 from a multiple of 8 on
            self.assertEqual(windows, [(1, 28 - 8, 36 - 8)] * 2)
            with mock.patch.object(
                slices, "_window", lambda *arguments: (slice(0, 40), slice(0, 44))
            ):
                whole = self.upsample(array, inside).array
            np.testing.assert_allclose(cropped, whole, atol=1e-3 if dtype == np.float32 else 0)

    def test_outside_is_interpolated_and_inside_is_that_of_the_network(self):
        array, inside = anatomy(), box()
        result = self.upsample(array, inside).array
        limits = tuple(np.percentile(array[inside > 0], (0.1, 99.9)))
        bicubic = self.upsample(array, model="bicubic", intensity_range=limits).array
        large = enlarged(inside) > 0
        np.testing.assert_array_equal(result[~large], bicubic[~large])
        self.assertTrue((result[large] != bicubic[large]).mean() > 0.9)
        network = self.upsample(array, intensity_range=limits).array
        deep = enlarged(box((1, 19, 25), (2, 17, 25))) > 0  # nothing is deeper than the reach
        self.assertFalse(deep.any())
        self.assertTrue((result[large] != network[large]).any())

    def test_range_is_that_of_the_image_inside_and_is_recorded_with_the_size_of_the_mask(self):
        array, inside = anatomy(np.float32), box()
        array[1, 14, 20] = np.nan
        record = self.upsample(array, inside).provenance
        values = array[inside > 0]
        low, high = np.percentile(values[np.isfinite(values)], (0.1, 99.9))
        self.assertEqual(record["intensity"], {"low": low, "high": high})
        self.assertEqual(record["mask"], {"voxels": int(inside.sum())})
        self.assertNotIn("mask", self.upsample(array).provenance)

    def test_nan_and_padding_come_back_inside_and_outside(self):
        array, inside = anatomy(np.float32), box()
        missing = np.zeros(SHAPE, bool)
        missing[1, 15:17, 21:23] = missing[0, :4] = missing[2, 30:] = True
        array[missing] = np.nan
        np.testing.assert_array_equal(
            np.isnan(self.upsample(array, inside).array), enlarged(missing)
        )

    def test_slices_along_any_axis_are_cut(self):
        array, inside = anatomy(), box()
        for axis in "ij":
            options = UpsamplingOptions("tiny-x2", 2, device="cpu", slice_axis=axis)
            result = upsample_volume(
                Volume(array, MATRIX),
                options,
                registry=self.registry,
                mask=Volume(inside, MATRIX),
            )
            turned = np.moveaxis(array, {"i": 2, "j": 1}[axis], 0)
            expected = upsample_volume(
                Volume(np.ascontiguousarray(turned), np.eye(4)),
                UpsamplingOptions("tiny-x2", 2, device="cpu", slice_axis="k"),
                registry=self.registry,
                mask=Volume(np.moveaxis(inside, {"i": 2, "j": 1}[axis], 0), np.eye(4)),
            )
            np.testing.assert_array_equal(
                np.moveaxis(result.array, {"i": 2, "j": 1}[axis], 0), expected.array
            )

    def test_unusable_masks_are_refused_before_the_work(self):
        volume, options = Volume(anatomy(), MATRIX), UpsamplingOptions("tiny-x2", device="cpu")
        moved = MATRIX.copy()
        moved[0, 3] = 5
        for mask, pattern in (
            (Volume(box()[:, 1:], MATRIX), "44×39×4 voxels of 1×1×4 mm and 44×40×4 .*Resample"),
            (Volume(box(), moved), "do not lie on one voxel grid"),
            (Volume(np.zeros(SHAPE), MATRIX), "mask holds no voxel of the image"),
            (Volume(np.where(box(), np.nan, 0), MATRIX), "mask holds no voxel of the image"),
        ):
            with (
                self.subTest(pattern),
                self.assertRaisesRegex(SuperResolutionError, pattern) as caught,
            ):
                upsample_volume(
                    volume, options, registry=self.registry, on_progress=self.fail, mask=mask
                )
            self.assertEqual(caught.exception.kind, "settings")

    def test_frames_share_the_range_inside(self):
        arrays, inside = [anatomy(), anatomy(seed=1)], box()
        arrays[1][inside == 0] = 9000
        frames = upsample_frames(
            Frames(2, lambda number: Volume(arrays[number], MATRIX)),
            UpsamplingOptions("bicubic", 2),
            mask=Volume(inside, MATRIX),
        )
        values = np.concatenate([array[inside > 0] for array in arrays])
        low, high = np.percentile(values, (0.1, 99.9))
        for frame in frames:
            self.assertEqual(
                frame.provenance["intensity"], {"low": low, "high": high, "of": "all frames"}
            )

    def test_python_takes_a_path_a_volume_or_an_array(self):
        array, inside = anatomy(), box()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        Volume(inside, MATRIX, provenance={}).save(f"{folder}/mask.nii.gz")
        volumes = [
            sr.upsample((array, MATRIX), model="nearest", scale=2, mask=mask).array
            for mask in (inside, inside > 0, Volume(inside, MATRIX), f"{folder}/mask.nii.gz")
        ]
        plain = sr.upsample((array, MATRIX), model="nearest", scale=2).array
        for result in volumes:
            np.testing.assert_array_equal(result, volumes[0])
            self.assertFalse(np.array_equal(result, plain))


class ClipTest(WithModel):
    def test_output_is_kept_within_the_range_of_the_input(self):
        for dtype in (np.int16, np.uint16, np.float32, np.float64):
            array = anatomy(dtype)
            array[:, :20] = 40
            plain = self.upsample(array).array
            clipped = self.upsample(array, clip="input").array
            low, high = array.min(), array.max()
            self.assertTrue(plain.min() < low or plain.max() > high)
            np.testing.assert_array_equal(clipped, np.clip(plain, low, high))

    def test_padding_and_nan_do_not_count_and_come_back(self):
        array = anatomy(np.float32)
        array[0, 0], array[:, 30:] = np.nan, -32768
        clipped = self.upsample(array, clip="input").array
        self.assertTrue((clipped[:, 60:] == -32768).all())
        self.assertTrue(np.isnan(clipped[0, :2]).all())
        inside = clipped[1:, :60]
        self.assertTrue(inside.min() >= 0 and inside.max() <= 749)

    def test_unsigned_values_saturate_at_0_without_clipping(self):
        signed = np.where(np.arange(44) % 9 < 4, 0, anatomy())
        plain = self.upsample(signed, model="bicubic").array
        self.assertLess(plain.min(), -10)
        unsigned = self.upsample(signed.astype(np.uint16), model="bicubic").array
        np.testing.assert_array_equal(unsigned, np.maximum(plain, 0))


if __name__ == "__main__":
    unittest.main()
