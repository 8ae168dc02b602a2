"""NetworkMethod: batch size, voxel types, and the order in which batches run."""

import tempfile
import tomllib
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.intensity import Intensity
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.methods import network as network_module
from MRISuperResLib.core.methods.interpolation import InterpolationMethod
from MRISuperResLib.core.methods.registry import MIN_TORCH, MethodRegistry, check_torch_version
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.methods.network import GPU_BATCH_PIXELS, NetworkMethod
from MRISuperResLib.core.inference.runner import is_exact_in_float32, restore
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume

from made_models import write_model

PROJECT = Path(__file__).resolve().parents[2]
NARROW = [np.dtype(name) for name in ("int8", "uint8", "int16", "uint16", "float16", "float32")]


class TensorIntensityTest(unittest.TestCase):
    @given(
        st.sampled_from(NARROW),
        st.floats(-1000, 1000),
        st.floats(1, 60000),
        hnp.arrays(np.float32, (3, 5), elements=st.floats(-2, 3, width=32)),
    )
    def test_tensors_are_restored_like_arrays(self, dtype, low, extent, values):
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
            is_clear = np.abs(exact - np.floor(exact) - 0.5) > 0.02
            np.testing.assert_array_equal(found[is_clear], expected[is_clear])

    def test_integers_above_16_bits_and_float64_are_not_exact_in_float32(self):
        self.assertTrue(all(is_exact_in_float32(dtype) for dtype in NARROW))
        for name in ("int32", "uint32", "int64", "uint64", "float64"):
            self.assertFalse(is_exact_in_float32(np.dtype(name)), name)


class WithNetwork(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        write_model(folder, "tiny", architecture={"network": "compact", "blocks": 1, "features": 4})
        self.registry = MethodRegistry(ModelStore([folder]))
        options = UpsamplingOptions("tiny", 2, "k", "cpu", "float32")
        self.network = self.registry.get(options)


class BatchSizeTest(WithNetwork):
    def size(self, height, width, free, peak=10**9):
        """The batch size on a GPU with `free` bytes, of which a slice takes `peak`."""
        with (
            mock.patch.object(NetworkMethod, "device", torch.device("cuda")),
            mock.patch.object(network_module, "free_memory", return_value=free),
            mock.patch.object(
                network_module,
                "peak_memory",
                side_effect=lambda device, function: [function(), peak][1],
            ),
            mock.patch.object(
                NetworkMethod, "upload", lambda self, images: torch.from_numpy(images).float()
            ),
        ):
            return self.network.batch_size(height, width)

    def test_a_cpu_computes_slices_one_by_one(self):
        self.assertEqual(self.network.batch_size(16, 16), 1)

    def test_a_gpu_computes_as_many_slices_as_80_percent_of_the_free_memory_holds(self):
        self.assertEqual(self.size(64, 64, 10 * 10**9), 8)

    def test_a_batch_is_not_larger_than_keeps_a_gpu_busy(self):
        self.assertEqual(self.size(64, 64, 10**15), GPU_BATCH_PIXELS // 64**2)

    def test_a_batch_has_at_least_one_slice(self):
        self.assertEqual(self.size(64, 64, 1000), 1)
        self.assertEqual(self.size(2000, 2000, 10**15), 1)

    def test_the_memory_of_a_slice_is_measured_once_per_slice_size(self):
        self.assertEqual(
            [
                self.size(64, 64, 10**10),
                self.size(64, 64, 10**10, peak=1),
                self.size(32, 32, 10**10, peak=4 * 10**9),
            ],
            [8, 8, 2],
        )


class TorchVersionTest(WithNetwork):
    def test_an_older_torch_than_the_oldest_supported_one_is_refused_with_both_versions(self):
        for version in ("2.2.2", "2.2.0+cpu", "1.13.1"):
            with (
                self.subTest(version),
                mock.patch.object(torch, "__version__", version),
                self.assertRaises(SuperResolutionError) as caught,
            ):
                self.registry.get(UpsamplingOptions("tiny", 2, device="cpu"))
            self.assertEqual(caught.exception.kind, "packages")
            self.assertIn(
                f"PyTorch {version} is too old: {MIN_TORCH} or later", str(caught.exception)
            )

    def test_the_oldest_supported_torch_and_newer_ones_are_accepted(self):
        for version in (MIN_TORCH, f"{MIN_TORCH}.0+cu121", "2.10.0a0+git123", "3.0"):
            check_torch_version(version)

    def test_interpolations_need_no_torch(self):
        with mock.patch.object(torch, "__version__", "1.0"):
            self.assertEqual(self.registry.get(UpsamplingOptions("bicubic", 2)).name, "bicubic")

    def test_the_package_states_the_same_oldest_torch(self):
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
        self.assertIn(f"torch>={MIN_TORCH}", project["project"]["dependencies"])

    def test_the_oldest_supported_torch_has_the_types_that_volumes_are_restored_to(self):
        self.assertGreaterEqual(tuple(map(int, MIN_TORCH.split("."))), (2, 3))  # torch.uint16


class Recording(InterpolationMethod):
    """Records which batches are started and fetched."""

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
    def log_of(self, array, size=1, axis="k"):
        """Upsample in batches of `size` slices; return the starts and fetches in their order."""
        method = Recording(size)
        volume = Volume(array, np.eye(4))
        found = upsample_volume(
            volume,
            UpsamplingOptions("recording", slice_axis=axis),
            registry=MethodRegistry(given=[method]),
        )
        expected = upsample_volume(volume, UpsamplingOptions("bicubic", slice_axis=axis))
        np.testing.assert_array_equal(found.array, expected.array)
        return method.log

    def test_a_batch_is_fetched_after_the_next_is_started(self):
        log = self.log_of(np.random.default_rng(0).integers(0, 99, (5, 6, 7)), size=2)
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

    def test_each_gray_level_of_constant_slices_is_upsampled_once(self):
        volume = np.random.default_rng(0).integers(0, 99, (9, 6, 7))
        volume[:3], volume[6:8], volume[8] = 0, 0, 7
        for size in (1, 2, 4, 20):
            with self.subTest(size):
                self.assertEqual(
                    sum(entry[2] for entry in self.log_of(volume, size) if entry[0] == "start"),
                    3 + 1 + 1,
                )

    def test_a_constant_volume_needs_no_method_along_any_axis(self):
        for axis in "ijk":
            log = self.log_of(np.full((4, 5, 6), -3, np.int16), 3, axis)
            self.assertEqual(log, [])


if __name__ == "__main__":
    unittest.main()
