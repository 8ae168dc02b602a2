"""How slices get to the network and back: batches that fit the device, nothing computed twice, the next batch begun before the last is fetched."""

import tempfile
import unittest
from unittest import mock

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from MRISuperResLib.core.inference import gpu_memory
from MRISuperResLib.core.intensity import Intensity
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.methods.registry import InterpolationMethod, MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.methods.network import CHEAP_BATCH_PIXELS, NetworkMethod
from MRISuperResLib.core.inference.tensor_intensity import is_exact_in_single, restore
from MRISuperResLib.core.upsampling import upsample

from made_models import write_model

NARROW = [np.dtype(name) for name in ("int8", "uint8", "int16", "uint16", "float16", "float32")]


class TensorIntensityTest(unittest.TestCase):
    @given(
        st.sampled_from(NARROW),
        st.floats(-1000, 1000),
        st.floats(1, 60000),
        hnp.arrays(np.float32, (3, 5), elements=st.floats(-2, 3, width=32)),
    )
    def test_a_tensor_is_restored_as_an_array_is(self, dtype, low, extent, values):
        intensity = Intensity(low, low + extent, dtype)
        found, expected = (
            restore(torch.from_numpy(values.copy()), intensity).numpy(),
            intensity.restore(values),
        )
        self.assertEqual(found.dtype, dtype)
        if dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                np.testing.assert_allclose(
                    found.astype(float),
                    expected.astype(float),
                    rtol=1e-3 if dtype == np.float16 else 1e-6,
                    atol=1e-6 * extent + 1e-3,
                )
        else:
            exact = np.clip(
                values.astype(float) * extent + low, np.iinfo(dtype).min, np.iinfo(dtype).max
            )
            self.assertLessEqual(np.abs(found.astype(float) - exact).max(), 0.52)
            clear = np.abs(exact - np.floor(exact) - 0.5) > 0.02
            np.testing.assert_array_equal(found[clear], expected[clear])

    def test_integers_of_more_than_16_bits_and_double_precision_need_more(self):
        self.assertTrue(all(is_exact_in_single(dtype) for dtype in NARROW))
        for name in ("int32", "uint32", "int64", "uint64", "float64"):
            self.assertFalse(is_exact_in_single(np.dtype(name)), name)


class WithNetwork(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        write_model(folder, "tiny", architecture={"network": "compact", "blocks": 1, "features": 4})
        self.methods = MethodRegistry(ModelStore([folder]))
        self.job = UpsamplingOptions("tiny", 2, "k", "cpu", "float32")
        self.network = self.methods.get(self.job)


class BatchSizeTest(WithNetwork):
    def size(self, height, width, free, peak=10**9):
        """On a GPU with so much free memory, of which a slice takes so much."""
        with (
            mock.patch.object(NetworkMethod, "device", torch.device("cuda")),
            mock.patch.object(gpu_memory, "free", return_value=free),
            mock.patch.object(
                gpu_memory, "peak", side_effect=lambda device, function: [function(), peak][1]
            ),
            mock.patch.object(
                NetworkMethod, "upload", lambda self, images: torch.from_numpy(images).float()
            ),
        ):
            return self.network.batch_size(height, width)

    def test_on_a_cpu_slices_go_one_by_one(self):
        self.assertEqual(self.network.batch_size(16, 16), 1)

    def test_on_a_gpu_as_many_as_the_free_memory_holds_with_something_to_spare(self):
        self.assertEqual(self.size(64, 64, 10 * 10**9), 8)

    def test_not_more_than_keep_a_gpu_busy(self):
        self.assertEqual(self.size(64, 64, 10**15), CHEAP_BATCH_PIXELS // 64**2)

    def test_at_least_one(self):
        self.assertEqual(self.size(64, 64, 1000), 1)
        self.assertEqual(self.size(2000, 2000, 10**15), 1)

    def test_what_a_slice_takes_is_measured_once_for_every_size_of_slices(self):
        self.assertEqual(
            [
                self.size(64, 64, 10**10),
                self.size(64, 64, 10**10, peak=1),
                self.size(32, 32, 10**10, peak=4 * 10**9),
            ],
            [8, 8, 2],
        )


class Recording(InterpolationMethod):
    """Keeps account of what it is asked for, and when that is fetched."""

    def __init__(self, size):
        super().__init__("bicubic", 2)
        self.name, self.size, self.log = "recording", size, []

    def __call__(self, images):
        return InterpolationMethod("bicubic", 2)(images)

    def batch_size(self, height, width):
        return self.size

    def start(self, images, intensity):
        number = sum(entry[0] == "start" for entry in self.log)
        self.log.append(("start", number, len(images)))
        made = super().start(images, intensity)
        return lambda: self.log.append(("fetch", number)) or made()


class StreamTest(unittest.TestCase):
    def enlarge(self, volume, size=1, axis="k"):
        method = Recording(size)
        found = upsample(
            volume,
            np.eye(4),
            UpsamplingOptions("recording", slice_axis=axis),
            MethodRegistry(given=[method]),
        ).volume
        expected = upsample(volume, np.eye(4), UpsamplingOptions("bicubic", slice_axis=axis)).volume
        np.testing.assert_array_equal(found, expected)
        return method.log

    def test_a_batch_is_fetched_after_the_next_has_begun(self):
        log = self.enlarge(np.random.default_rng(0).integers(0, 99, (5, 6, 7)), size=2)
        self.assertEqual(
            log,
            [
                ("start", 0, 2),
                ("start", 1, 2),
                ("fetch", 0),
                ("start", 2, 1),
                ("fetch", 1),
                ("fetch", 2),
            ],
        )

    def test_of_empty_slices_each_gray_level_is_enlarged_once(self):
        volume = np.random.default_rng(0).integers(0, 99, (9, 6, 7))
        volume[:3], volume[6:8], volume[8] = 0, 0, 7
        for size in (1, 2, 4, 20):
            with self.subTest(size):
                self.assertEqual(
                    sum(entry[2] for entry in self.enlarge(volume, size) if entry[0] == "start"),
                    3 + 1 + 1,
                )

    def test_a_volume_of_one_gray_level_takes_one_slice_whatever_the_axis(self):
        for axis in "ijk":
            log = self.enlarge(np.full((4, 5, 6), -3, np.int16), 3, axis)
            self.assertEqual([entry for entry in log if entry[0] == "start"], [("start", 0, 1)])


if __name__ == "__main__":
    unittest.main()
