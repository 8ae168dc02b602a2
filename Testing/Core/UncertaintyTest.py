"""The uncertainty map: the spread of the eight results of the self-ensemble."""

import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.inference import runner
from MRISuperResLib.core.inference.runner import NetworkRunner
from MRISuperResLib.core.intensity import Intensity
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.methods.network import SelfEnsemble
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.networks import make_generator
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.uncertainty import MAP
from MRISuperResLib.core.upsampling import upsample_frames, upsample_volume
from MRISuperResLib.core.volume import Frames, Volume

from EnsembleTest import SYMMETRIES, network, transformed
from made_models import write_model, write_network
from NetworkRunnerTest import CPU, LimitedNetwork

COMPACT = {"network": "compact", "blocks": 1, "features": 4}
THROUGH_PLANE = {"network": "through-plane", "blocks": 1, "features": 4}
FLIPS = [(down, right) for down in (1, -1) for right in (1, -1)]


def results_of(method, images):
    """The eight results for images (…, h, w), each turned back."""
    for mirror, turns in SYMMETRIES:
        result = method(transformed(images, mirror, turns).copy())
        yield np.rot90(result, -turns, (-2, -1))[..., ::mirror].astype(np.float64)


class MadeModels(unittest.TestCase):
    """Tiny models in-plane and between slices, and a volume of random voxels."""

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        write_model(folder)
        torch.manual_seed(1)
        net = make_generator(THROUGH_PLANE, 8)
        for parameter in net.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        write_network(folder, "tiny-between", net, architecture=THROUGH_PLANE, scale=8)
        self.registry = MethodRegistry(ModelStore([folder]))
        random = np.random.default_rng(0)
        self.array = random.integers(0, 1000, (3, 7, 9)).astype(np.int16)
        self.volume = Volume(self.array, np.diag([1.0, 1, 4, 1]), header={"sform_code": "4"})

    def upsample(self, volume=None, uncertainty=True, mask=None, **options):
        chosen = {"model": "tiny-x2-psnr", "ensemble": True, "slice_axis": "k"} | options
        return upsample_volume(
            volume or self.volume,
            UpsamplingOptions(uncertainty=uncertainty, **chosen),
            registry=self.registry,
            mask=mask,
        )


class SpreadTest(MadeModels):
    def test_the_map_is_the_standard_deviation_of_the_eight_results(self):
        plain = self.registry.get(UpsamplingOptions("tiny-x2-psnr"))
        for dtype in (np.int16, np.float32, np.float64):
            with self.subTest(dtype):
                volume = replace(self.volume, array=self.array.astype(dtype))
                found = self.upsample(volume, intensity_range=(100.0, 900.0)).uncertainty
                normalized = ((self.array - 100.0) / 800).astype(np.float32)
                expected = 800 * np.std(list(results_of(plain, normalized)), axis=0)
                np.testing.assert_allclose(found.array, expected, rtol=1e-3, atol=1e-3)
                self.assertEqual(found.array.dtype, np.float32)
                self.assertGreater(expected.min(), 0.1)

    @settings(max_examples=20, deadline=None)
    @given(st.floats(1e-4, 1e-2), st.floats(-1, 1))
    def test_a_small_spread_around_a_large_value_keeps_its_digits(self, size, offset):
        net = network(2, **COMPACT)

        class Offset(torch.nn.Module):
            scale, reach = 2, 1

            def forward(self, x):
                return offset + size * net(x)

        image = torch.rand(1, 1, 6, 5, generator=torch.Generator().manual_seed(0))
        found = SelfEnsemble(Offset(), True)(image)[:, 1:].numpy()
        results = results_of(lambda x: net(torch.from_numpy(x)).numpy(), image.numpy())
        expected = size * np.std(list(results), axis=0)
        np.testing.assert_allclose(found, expected, rtol=0.01, atol=3e-7)

    def test_the_volume_is_the_same_with_and_without_the_map(self):
        for dtype in (np.int16, np.float32, np.float64):
            volume = replace(self.volume, array=self.array.astype(dtype))
            for options in ({}, {"isotropic": True, "between_slices": "tiny-between"}):
                with self.subTest(dtype, **options):
                    options = options | {"scale": None}
                    found = self.upsample(volume, **options)
                    without = self.upsample(volume, uncertainty=False, **options)
                    np.testing.assert_array_equal(found.array, without.array)
                    self.assertIsNone(without.uncertainty)

    def test_tiles_give_the_map_of_the_whole_slice(self):
        net = SelfEnsemble(network(2, **COMPACT), True)
        batch = torch.rand(1, 1, 50, 30)
        with mock.patch.object(runner, "MIN_TILE", 16):
            limited = NetworkRunner(LimitedNetwork(net, 1000), CPU)
            found = limited(batch, lambda upsampled: upsampled)()
        np.testing.assert_allclose(found, net(batch).numpy(), atol=1e-5)
        self.assertIn("tiles", limited.messages[0].text)

    def test_a_constant_volume_has_no_spread(self):
        constant = replace(self.volume, array=np.full_like(self.array, 7))
        for options in ({}, {"isotropic": True, "between_slices": "tiny-between"}):
            found = self.upsample(constant, **options)
            self.assertEqual(np.unique(found.array).tolist(), [7])
            self.assertEqual(np.unique(found.uncertainty.array).tolist(), [0])

    def test_equal_flat_slices_share_their_map(self):
        array = self.array.copy()
        array[[0, 2]] = 3
        found = self.upsample(replace(self.volume, array=array)).uncertainty.array
        np.testing.assert_array_equal(found[0], found[2])
        self.assertFalse(np.array_equal(found[0], found[1]))

    def test_voxels_without_image_have_no_spread(self):
        array = self.array.astype(np.float32)
        array[1, 2, 3] = np.nan
        for options in ({}, {"isotropic": True, "between_slices": "tiny-between", "model": None}):
            with self.subTest(**options):
                found = self.upsample(replace(self.volume, array=array), **options)
                is_missing = np.isnan(found.array)
                self.assertGreater(np.count_nonzero(is_missing), 3)
                self.assertTrue((found.uncertainty.array[is_missing] == 0).all())
                self.assertTrue((found.uncertainty.array[~is_missing] > 0).all())

    def test_outside_of_a_mask_there_is_no_spread(self):
        inside = np.zeros(self.array.shape, np.uint8)
        inside[1, 2:5, 3:6] = 1
        found = self.upsample(mask=Volume(inside, self.volume.ijk_to_ras)).uncertainty.array
        large = inside.repeat(2, axis=1).repeat(2, axis=2).astype(bool)
        self.assertTrue((found[large] > 0).all())
        self.assertTrue((found[~large] == 0).all())

    def test_every_frame_has_its_map(self):
        frames = Frames(2, lambda number: replace(self.volume, array=self.array + number))
        options = UpsamplingOptions("tiny-x2-psnr", slice_axis="k", uncertainty=True)
        found = upsample_frames(frames, options, registry=self.registry)
        self.assertEqual([frame.uncertainty.size for frame in found], [(18, 14, 3)] * 2)


class BetweenSlicesTest(MadeModels):
    GRID = {"model": None, "isotropic": True, "between_slices": "tiny-between"}

    def by_hand(self, image):
        """The eight results (k, j, i) of a normalized image whose slices are 4 pixels apart."""
        method = self.registry.between_slices(
            UpsamplingOptions(isotropic=True, between_slices="tiny-between")
        )
        count = 4 * len(image)
        for order in ((1, 0, 2), (2, 0, 1)):
            for down, right in FLIPS:
                reformats = image.transpose(order)[:, ::down, ::right]
                result = method(reformats, count, 4.0, 1.0)[:, ::down, ::right]
                yield result.transpose(np.argsort(order)).astype(np.float64)

    def test_mean_and_map_are_those_of_the_eight_results(self):
        volume = replace(self.volume, array=self.array.astype(np.float32))
        found = self.upsample(volume, intensity_range=(0.0, 1000.0), **self.GRID)
        results = 1000 * np.stack(list(self.by_hand(self.array / np.float32(1000))))
        np.testing.assert_allclose(found.array, results.mean(0), rtol=0, atol=0.01)
        np.testing.assert_allclose(found.uncertainty.array, results.std(0), rtol=1e-3, atol=0.01)
        self.assertGreater(results.std(0).max(), 1)

    def test_without_the_ensemble_two_orientations_are_averaged(self):
        volume = replace(self.volume, array=self.array.astype(np.float32))
        options = self.GRID | {"ensemble": False, "intensity_range": (0.0, 1000.0)}
        found = self.upsample(volume, uncertainty=False, **options)
        results = 1000 * np.stack(list(self.by_hand(self.array / np.float32(1000))))
        np.testing.assert_allclose(found.array, results[[0, 4]].mean(0), rtol=0, atol=0.01)

    def test_a_network_runs_in_batches_with_the_same_map(self):
        whole = self.upsample(**self.GRID).uncertainty.array
        with mock.patch("MRISuperResLib.core.methods.between_slices.BATCH_PIXELS", 60):
            np.testing.assert_allclose(
                self.upsample(**self.GRID).uncertainty.array, whole, rtol=1e-3, atol=1e-2
            )


class RefusalTest(MadeModels):
    def test_methods_without_a_spread_are_refused_and_the_error_says_what_to_do(self):
        grid = {"isotropic": True, "model": None}
        for options, text in (
            ({"model": "bicubic"}, "is 0 for bicubic. Choose a model"),
            ({"model": "bicubic+bp"}, "Leave out [+]bp or the map"),
            ({"model": "tiny-x2-psnr+bp"}, "Leave out [+]bp or the map"),
            (grid | {"between_slices": "linear"}, "is 0 for linear. Choose a model"),
            (grid | {"spacing": (1.0, 1.0, 4.0), "isotropic": False}, "no more slices"),
        ):
            with self.subTest(**options):
                with self.assertRaisesRegex(SuperResolutionError, text) as caught:
                    self.upsample(**options)
                self.assertEqual(caught.exception.kind, "settings")

    def test_the_map_includes_the_ensemble(self):
        self.assertTrue(UpsamplingOptions(uncertainty=True).ensemble)
        self.assertFalse(UpsamplingOptions().ensemble)


class FileTest(MadeModels):
    def test_the_map_has_the_grid_the_space_and_the_provenance_of_the_volume(self):
        result = self.upsample()
        target = Path(self.enterContext(tempfile.TemporaryDirectory()), "map.nii.gz")
        result.uncertainty.save(target)
        found = read_volume(target)
        np.testing.assert_array_equal(found.array, result.uncertainty.array)
        self.assertTrue(found.is_aligned_with(result))
        self.assertEqual(found.header["sform_code"], "4")
        record = json.loads(target.with_name("map.nii.gz.json").read_text(encoding="utf-8"))
        self.assertEqual(record["map"], MAP)
        self.assertEqual(record["model"], result.provenance["model"])
        self.assertNotIn("map", result.provenance)

    def test_intensities_scale_the_map(self):
        method = self.registry.get(UpsamplingOptions("tiny-x2-psnr", uncertainty=True))
        images = np.random.default_rng(0).random((1, 5, 6), dtype=np.float32)
        one, ten = (
            method.start_with_spread(images, Intensity(0.0, high, np.dtype(np.float32)))()[1]
            for high in (1.0, 10.0)
        )
        np.testing.assert_allclose(ten, 10 * one, rtol=1e-6)


if __name__ == "__main__":
    unittest.main()
