"""Batches hold pairs of patches, and depend on the seed, the step and the index only."""

import collections
import dataclasses
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from MRISuperResLib.core import resampling
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResTrainingLib.data.preparation import prepare
from MRISuperResTrainingLib.data.sampler import PatchSampler, SlicePairs
from MRISuperResTrainingLib.data.sources import Source
from MRISuperResTrainingLib.options.presets import preset

from made_volumes import tissue, write


class SamplerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name).resolve()
        cls.volumes = cls.prepared(
            a=("brain", tissue(1)),
            b=("brain", tissue(2)),
            c=("brain", tissue(3, (4, 64, 40))),
            d=("fetal", tissue(4)),
        )

    @classmethod
    def prepared(cls, **volumes):
        sources = [
            Source(write(cls.folder / f"{name}.nii.gz", volume), name, anatomy)
            for name, (anatomy, volume) in volumes.items()
        ]
        return prepare(sources, cls.settings().data, cls.folder / "cache")[0]

    @staticmethod
    def settings(scale=2, batch=12, seed=1, **data):
        return preset("quick", scale, batch=batch, seed=seed, gan=None, data={"patch": 32} | data)

    def sampler(self, volumes=None, **options):
        return PatchSampler(self.volumes if volumes is None else volumes, self.settings(**options))

    def assert_same(self, batch, expected):
        for mine, other in zip(batch, expected, strict=True):
            np.testing.assert_array_equal(mine, other)


class DeterminismTest(SamplerTest):
    @settings(max_examples=40, deadline=None)
    @given(
        st.sampled_from((1, 2, 3, 4, 6, 12)),
        st.integers(0, 2**40),
        st.integers(0, 2**32),
        st.sampled_from(("bicubic", "mixture")),
    )
    def test_parts_of_a_batch_are_the_batch(self, parts, step, seed, degradation):
        sampler = self.sampler(seed=seed, degradation=degradation, noise=5.0)
        shares = [sampler.batch(step, part, parts) for part in range(parts)]
        self.assert_same([np.concatenate(share) for share in zip(*shares)], sampler.batch(step))

    def test_earlier_batches_do_not_change_a_batch(self):
        fresh = self.sampler(degradation="mixture", noise=5.0).batch(7)
        sampler = self.sampler(degradation="mixture", noise=5.0)
        for step in (3, 8, 7, 1):
            batch = sampler.batch(step)
            if step == 7:
                self.assert_same(batch, fresh)

    def test_seed_step_and_index_each_change_the_samples(self):
        low, _ = self.sampler().batch(7)
        self.assertEqual(len({sample.tobytes() for sample in low}), len(low))
        for other in (self.sampler().batch(8)[0], self.sampler(seed=2).batch(7)[0]):
            self.assertFalse(
                {sample.tobytes() for sample in low} & {sample.tobytes() for sample in other}
            )

    def test_a_larger_batch_begins_with_the_samples_of_a_smaller_one(self):
        self.assert_same(
            [a[:12] for a in self.sampler(batch=24).batch(5)], self.sampler(batch=12).batch(5)
        )

    def test_the_order_of_the_volumes_does_not_matter(self):
        self.assert_same(self.sampler(self.volumes[::-1]).batch(3), self.sampler().batch(3))

    def test_concurrent_threads_get_the_same_batches(self):
        sampler = self.sampler(degradation="mixture", noise=5.0)
        expected = [sampler.batch(step) for step in range(8)]
        with ThreadPoolExecutor(4) as pool:
            for batch, other in zip(pool.map(sampler.batch, range(8)), expected):
                self.assert_same(batch, other)

    def test_an_uneven_division_of_a_batch_is_refused(self):
        for part, parts in ((0, 5), (2, 2), (-1, 2)):
            with self.subTest(part=part, parts=parts), self.assertRaises(ValueError):
                self.sampler().batch(0, part, parts)


class PatchTest(SamplerTest):
    def test_batches_have_the_shapes_and_types_of_the_networks(self):
        for scale in (2, 4, 8):
            low, high = self.sampler(scale=scale).batch(0)
            self.assertEqual(
                (low.shape, high.shape), ((12, 1, 32 // scale, 32 // scale), (12, 1, 32, 32))
            )
            self.assertEqual({low.dtype, high.dtype}, {np.dtype(np.float32)})

    def test_both_patches_of_a_pair_show_the_same_place(self):
        for scale in (2, 4):
            low, high = self.sampler(scale=scale).batch(0)
            # away from the edges, where the slice went on and the patch does not
            np.testing.assert_allclose(
                low[..., 2:-2, 2:-2], resampling.degrade(high, scale)[..., 2:-2, 2:-2], atol=1e-4
            )

    def test_every_patch_is_cut_from_a_slice_in_one_of_the_eight_symmetries(self):
        (volume,) = self.prepared(e=("brain", tissue(5, (1, 40, 40))))
        image, seen = np.array(volume.slices[0]), collections.Counter()
        for _, high in (
            self.sampler([volume], batch=64, patch=32).batch(step) for step in range(8)
        ):
            for patch in high[:, 0]:
                found = [
                    (turns, flip)
                    for turns in range(4)
                    for flip in (0, 1)
                    for row in range(9)
                    for column in range(9)
                    if np.array_equal(
                        patch,
                        np.rot90(
                            image[row : row + 32, column : column + 32][:, :: -1 if flip else 1],
                            turns,
                        ),
                    )
                ]
                self.assertEqual(len(found), 1)
                seen[found[0]] += 1
        self.assertEqual(len(seen), 8)
        self.assertGreater(min(seen.values()), 30)

    def test_symmetries_can_be_left_out(self):
        (volume,) = self.prepared(e=("brain", tissue(5, (1, 32, 32))))
        image = np.array(volume.slices[0])
        for flips, rotations, count in (
            (False, False, 1),
            (True, False, 2),
            (False, True, 4),
            (True, True, 8),
        ):
            _, high = self.sampler([volume], batch=100, flips=flips, rotations=rotations).batch(0)
            patches = {patch.tobytes() for patch in high}
            self.assertEqual(len(patches), count)
            self.assertIn(image.tobytes(), patches)

    def test_patches_reach_every_edge_of_a_slice(self):
        (volume,) = self.prepared(e=("brain", tissue(6, (1, 41, 43))))
        _, high = self.sampler([volume], batch=400, flips=False, rotations=False).batch(0)
        image = np.array(volume.slices[0])
        self.assertTrue((high[:, 0] == image[:32, :32]).all((1, 2)).any())
        self.assertTrue(
            (high[:, 0] == image[8:40, 10:42]).all((1, 2)).any()
        )  # an odd pixel at the end is not used

    def test_every_anatomy_is_drawn_as_often(self):
        (noise,) = self.prepared(
            e=("fetal", np.random.default_rng(0).integers(0, 900, (8, 48, 56), np.int16))
        )
        _, high = self.sampler(
            [*self.volumes[:3], noise], batch=1000, flips=False, rotations=False
        ).batch(0)
        share = np.mean(
            np.diff(high).std((1, 2, 3)) > 0.35
        )  # noise differs from pixel to pixel, tissue hardly
        self.assertAlmostEqual(share, 0.5, delta=0.07)

    def test_only_kept_slices_are_drawn(self):
        volume = self.volumes[0]
        some = volume.restricted((2, 5), {})
        _, high = self.sampler([some], batch=200, flips=False, rotations=False).batch(0)
        allowed = {float(value) for number in (2, 5) for value in volume.slices[number].ravel()}
        self.assertLessEqual({float(value) for value in high[:, 0, ::8, ::8].ravel()}, allowed)

    def test_plain_background_is_drawn_again(self):
        voxels = np.zeros((4, 64, 512), np.int16)
        voxels[:, :, :64] = tissue(7, (4, 64, 64))
        (volume,) = self.prepared(e=("brain", voxels))
        _, high = self.sampler([volume], batch=200).batch(0)
        empty = (high.std((1, 2, 3)) < 0.01).mean()
        self.assertAlmostEqual(
            empty, 0.57, delta=0.12
        )  # 0.87 of the places are: four times in a row that is 0.57

    def test_resampled_slices_are_seen_whole(self):
        source = Source(write(self.folder / "f.nii.gz", tissue(8, (2, 64, 80))), "f")
        chosen = self.settings(patches="resample", flips=False, rotations=False)
        (volume,) = prepare([source], chosen.data, self.folder / "cache")[0]
        _, high = PatchSampler([volume], chosen).batch(0)
        whole = np.array(volume.slices)
        self.assertEqual(whole.shape, (2, 32, 40))
        for patch in high[:, 0]:
            self.assertTrue(
                any(
                    np.array_equal(patch, image[:, column : column + 32])
                    for image in whole
                    for column in range(9)
                )
            )

    def test_a_sampler_without_volumes_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "No training volumes"):
            self.sampler([])


class SlicePairsTest(SamplerTest):
    def test_pairs_hold_every_kept_slice_once(self):
        volumes = [self.volumes[0].restricted((1, 6), {}), self.volumes[2]]
        pairs = SlicePairs(volumes, self.settings(scale=4))
        self.assertEqual(len(pairs), 2 + 4)
        shapes = collections.Counter(
            (low.shape, high.shape) for low, high in (pairs[n] for n in range(len(pairs)))
        )
        self.assertEqual(shapes, {((12, 14), (48, 56)): 2, ((16, 10), (64, 40)): 4})

    def test_sides_are_cropped_to_multiples_of_the_scale(self):
        (volume,) = self.prepared(e=("brain", tissue(5, (1, 39, 45))))
        low, high = SlicePairs([volume], self.settings(scale=4))[0]
        np.testing.assert_array_equal(high, volume.slices[0][:36, :44])
        np.testing.assert_allclose(low, resampling.degrade(high, 4), atol=1e-5)

    def test_a_slice_is_always_degraded_in_the_same_way(self):
        chosen = self.settings(degradation="mixture", noise=5.0)
        pairs, again = SlicePairs(self.volumes, chosen), SlicePairs(self.volumes[::-1], chosen)
        for n in range(len(pairs)):
            self.assert_same(pairs[n], again[n])
        other = SlicePairs(self.volumes, dataclasses.replace(chosen, seed=2))
        self.assertTrue(
            any(not np.array_equal(pairs[n][0], other[n][0]) for n in range(len(pairs)))
        )


del SamplerTest  # a base, without tests of its own

if __name__ == "__main__":
    unittest.main()
