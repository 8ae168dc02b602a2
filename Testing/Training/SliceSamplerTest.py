"""The network between slices is trained on slices whose rows are averaged to thick slices."""

import collections
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import RunTest
from made_runs import settings as run_settings
from made_volumes import tissue, write

from MRISuperResLib.core.errors import Cancelled
from MRISuperResLib.core.metrics.full_reference import psnr
from MRISuperResLib.core.networks import make_generator
from MRISuperResLib.core.slice_profile import profile_weights, slice_centers, thick_patch
from MRISuperResTrainingLib.data.preparation import prepare
from MRISuperResTrainingLib.data.sampler import PatchSampler, turned
from MRISuperResTrainingLib.data.slice_sampler import (
    SliceSampler,
    ThickSlicePairs,
    interpolated,
    make_pairs,
    make_sampler,
)
from MRISuperResTrainingLib.data.sources import Source
from MRISuperResTrainingLib.options.presets import preset
from MRISuperResTrainingLib.runs.folder import RunFolder
from MRISuperResTrainingLib.training.trainer import resume
from MRISuperResTrainingLib.training.validation import PSNR, Validation

TINY = {"network": "through-plane", "blocks": 1, "features": 4}


class SliceSamplerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name).resolve()
        cls.volumes = cls.prepared(
            a=("brain", tissue(1)), b=("brain", tissue(2)), c=("fetal", tissue(3, (4, 64, 40)))
        )

    @classmethod
    def prepared(cls, **volumes):
        sources = [
            Source(write(cls.folder / f"{name}.nii.gz", volume), name, anatomy)
            for name, (anatomy, volume) in volumes.items()
        ]
        return prepare(sources, cls.settings().data, cls.folder / "cache")[0]

    @staticmethod
    def settings(batch=12, seed=1, **data):
        changes = {"patch": 32, "noise": 0.0} | data
        return preset("through-plane", batch=batch, seed=seed, generator=TINY, data=changes)

    def sampler(self, volumes=None, **options):
        return SliceSampler(self.volumes if volumes is None else volumes, self.settings(**options))

    def assert_same(self, batch, expected):
        for mine, other in zip(batch, expected, strict=True):
            np.testing.assert_array_equal(mine, other)


class BatchTest(SliceSamplerTest):
    @settings(max_examples=40, deadline=None)
    @given(st.sampled_from((1, 2, 3, 4, 6, 12)), st.integers(0, 2**40), st.integers(0, 2**32))
    def test_parts_of_a_batch_are_the_batch_of_a_fresh_sampler(self, parts, step, seed):
        sampler = self.sampler(seed=seed, noise=5.0)
        shares = [sampler.batch(step, part, parts) for part in range(parts)]
        fresh = self.sampler(self.volumes[::-1], seed=seed, noise=5.0)
        self.assert_same([np.concatenate(share) for share in zip(*shares)], fresh.batch(step))

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**40), st.sampled_from((32, 40)))
    def test_the_network_returns_the_shape_of_the_reference(self, step, side):
        sampler = self.sampler(batch=2, patch=side)
        low, high = sampler.batch(step)
        geometry = sampler.geometry(step)
        self.assertEqual((low.shape, high.shape), ((2, 3, geometry[0], side), (2, 1, side, side)))
        self.assertEqual({low.dtype, high.dtype}, {np.dtype(np.float32)})
        with torch.no_grad():
            output = make_generator(TINY, 8)(torch.from_numpy(low))
        self.assertEqual(output.shape, high.shape)

    def test_the_channels_hold_slice_spacing_and_thickness(self):
        sampler = self.sampler()
        for step in range(8):
            low, _ = sampler.batch(step)
            slices, aspect, coverage = sampler.geometry(step)
            self.assertEqual(aspect * slices, 32)
            np.testing.assert_allclose(low[:, 1], aspect / 8, rtol=1e-6)
            np.testing.assert_allclose(low[:, 2], coverage, rtol=1e-6)

    def test_slice_spacings_are_log_uniform_and_half_of_the_steps_have_no_gap(self):
        sampler = self.sampler(patch=96)
        geometries = [sampler.geometry(step) for step in range(4000)]
        aspects, coverages = (np.array([g[n] for g in geometries]) for n in (1, 2))
        self.assertEqual((aspects.min(), aspects.max()), (1, 8))
        for share in (0.25, 0.5, 0.75):
            self.assertAlmostEqual(np.quantile(aspects, share), 8**share, delta=0.06 * 8**share)
        self.assertAlmostEqual(np.mean(coverages == 1), 0.5, delta=0.03)
        others = coverages[coverages != 1]
        self.assertGreaterEqual(others.min(), 0.5)
        self.assertLessEqual(others.max(), 1.25)
        self.assertAlmostEqual(others.mean(), 0.875, delta=0.02)

    def test_the_geometry_of_a_step_is_drawn_apart_from_its_samples(self):
        # numpy's seeds (1, 7) and (1, 7, 0) give the same numbers
        make, streams = np.random.default_rng, set()

        def recorded(seed):
            if isinstance(seed, tuple):
                streams.add(tuple(np.random.SeedSequence(seed).generate_state(4)))
            return make(seed)

        with mock.patch.object(np.random, "default_rng", recorded):
            self.sampler(batch=12).batch(7)
        self.assertEqual(len(streams), 13)


class DegradationTest(SliceSamplerTest):
    def found(self, image, patch):
        """The positions in an image where it equals a patch."""
        side = len(patch)
        return [
            (row, column)
            for row in range(image.shape[0] - side + 1)
            for column in range(image.shape[1] - side + 1)
            if np.array_equal(patch, image[row : row + side, column : column + side])
        ]

    def test_a_patch_is_a_part_of_the_degraded_slice_in_each_of_the_eight_symmetries(self):
        (volume,) = self.prepared(d=("brain", tissue(5, (1, 40, 52))))
        image, seen = np.array(volume.slices[0]), collections.Counter()
        symmetries = [(turns, flip) for turns in range(4) for flip in (False, True)]
        sampler = self.sampler([volume], batch=8)
        compared = 0
        for step in range(40):
            slices, aspect, coverage = sampler.geometry(step)
            for low, high in zip(*sampler.batch(step)):
                (place,) = [
                    (symmetry, *position)
                    for symmetry in symmetries
                    for position in self.found(turned(image, *symmetry), high[0])
                ]
                symmetry, row, column = place
                seen[symmetry] += 1
                whole = turned(image, *symmetry)
                count, rest = divmod(len(whole), aspect)
                if rest or row % aspect:
                    continue  # the slices of the whole slice lie between those of the patch
                centers = slice_centers(len(whole), int(count))
                thick = profile_weights(len(whole), centers, coverage * aspect) @ whole
                first = int(row / aspect)
                np.testing.assert_allclose(
                    low[0], thick[first : first + slices, column : column + 32], atol=1e-5
                )
                compared += 1
        self.assertEqual(set(seen), set(symmetries))
        self.assertGreater(min(seen.values()), 20)
        self.assertGreater(compared, 20)

    def test_half_of_the_patches_are_noisy_and_no_reference_is(self):
        clean, noisy = self.sampler(batch=200), self.sampler(batch=200, noise=10.0)
        (low, high), (other, reference) = clean.batch(0), noisy.batch(0)
        np.testing.assert_array_equal(high, reference)
        is_noisy = (low != other).any((1, 2, 3))
        self.assertAlmostEqual(is_noisy.mean(), 0.5, delta=0.12)

    def test_pairs_of_files_are_refused(self):
        path = write(self.folder / "e.nii.gz", tissue(6))
        source = Source(path, "e", low=path)
        volumes, unusable = prepare([source], self.settings().data, self.folder / "cache")
        self.assertEqual(volumes, [])
        self.assertRegex(unusable[0][1], "pair of files cannot train the network between slices")

    def test_other_networks_have_samples_and_slices_of_their_own(self):
        own, other = self.settings(), preset("quick", 2, gan=None, data={"patch": 32})
        self.assertIs(type(make_sampler(self.volumes, own)), SliceSampler)
        self.assertIs(type(make_sampler(self.volumes, other)), PatchSampler)
        self.assertIs(type(make_pairs(self.volumes, own)), ThickSlicePairs)
        self.assertIsNot(type(make_pairs(self.volumes, other)), ThickSlicePairs)


class ThickSlicePairsTest(SliceSamplerTest):
    def test_pairs_hold_whole_slices_that_are_always_degraded_in_the_same_way(self):
        pairs = ThickSlicePairs(self.volumes, self.settings(noise=5.0))
        again = ThickSlicePairs(self.volumes[::-1], self.settings(noise=5.0))
        self.assertEqual(len(pairs), 8 + 8 + 4)
        spacings = set()
        for n in range(len(pairs)):
            low, high = pairs[n]
            self.assert_same((low, high), again[n])
            self.assertIn(high.shape, ((48, 56), (64, 40)))
            self.assertEqual(low.shape[::2], (3, high.shape[1]))
            self.assertAlmostEqual(float(low[1, 0, 0]) * 8, len(high) / low.shape[1], places=5)
            spacings.add(round(len(high) / low.shape[1]))
            self.assertEqual(interpolated(low).shape, high.shape)
        self.assertGreaterEqual(len(spacings), 4)

    def test_whole_slices_are_degraded_as_patches_are(self):
        volumes = self.prepared(h=("brain", tissue(8, (4, 48, 48))))
        pairs = ThickSlicePairs(volumes, self.settings())
        for n in range(len(pairs)):
            low, high = pairs[n]
            slices, coverage = low.shape[1], float(low[2, 0, 0])
            expected = thick_patch(high, (0, 0), 48, slices, coverage)
            np.testing.assert_allclose(low[0], expected, atol=1e-5)

    def test_interpolation_restores_smooth_slices(self):
        rows = np.linspace(0, np.pi, 48)[:, None] + np.linspace(0, 1, 56)
        volumes = self.prepared(f=("brain", (1000 + 900 * np.cos(rows)).astype(np.int16)[None]))
        volume = volumes[0].restricted((0,), {})
        low, high = ThickSlicePairs([volume], self.settings())[0]
        self.assertGreater(psnr(interpolated(low) * 255, high * 255), 30)


class TrainingTest(RunTest):
    CHANGES = {
        "scale": 8,
        "generator": TINY,
        "data": {"patch": 32, "degradation": "slices"},
        "gan": None,
        "ema": 0.9,
    }

    def test_an_untrained_network_has_the_scores_of_the_splines(self):
        used = run_settings(**self.CHANGES)
        volumes = prepare(self.volumes(), used.data, self.folder / "cache")[0]
        checked = Validation(self.accelerator(used), used, make_pairs(volumes, used))
        self.assertEqual(checked.baseline, "bspline")
        scores = checked.scores(make_generator(TINY, 8).state_dict(), PSNR)
        for name, value in checked.baseline_scores(PSNR).items():
            self.assertAlmostEqual(scores[name], value, places=3)
        self.assertEqual(checked.samples()["low"][0].ndim, 2)

    def test_a_resumed_run_has_the_weights_of_an_uninterrupted_one(self):
        whole = self.train("whole", **self.CHANGES)
        seen = []
        with self.assertRaises(Cancelled):
            self.train(
                "parts",
                on_event=lambda event: seen.append(event) if event["event"] == "step" else None,
                is_cancelled=lambda: bool(seen),
                **self.CHANGES,
            )
        resume(self.folder / "parts")
        self.assert_same_weights(
            whole.weights("psnr-last"), RunFolder(self.folder / "parts").weights("psnr-last")
        )
        self.assertTrue(whole.card("psnr-best").is_through_plane)
        validations = self.events("whole", "validation")
        self.assertEqual([event["baseline"] for event in validations], ["bspline"])
        self.assertGreater(validations[0]["bspline"]["psnr"], 5)
        losses = [event["losses"]["content"] for event in self.events("whole", "step")]
        self.assertLess(losses[-1], losses[0] * 2)


del SliceSamplerTest  # a base, without tests of its own

if __name__ == "__main__":
    unittest.main()
