"""Adaptation: fine-tuning of the network between slices on the volume's own slices."""

import json
import os
import tempfile
import unittest
from dataclasses import replace
from unittest import mock

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
import MRISuperResLib as sr
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.slice_profile import profile_weights, slice_centers
from MRISuperResLib.core.through_plane import adaptation
from MRISuperResLib.core.through_plane.adaptation import OwnPatches, adapt
from MRISuperResLib.core.upsampling import upsample_frames, upsample_volume
from MRISuperResLib.core.volume import Frames, Volume

from made_models import write_model

ARCHITECTURE = {"network": "through-plane", "blocks": 1, "features": 8}
ASPECT, STEPS = 4, 3
ASKED = {
    "isotropic": True,
    "between_slices": "tiny-through-plane",
    "adapt": STEPS,
    "device": "cpu",
}
OPTIONS = UpsamplingOptions(**ASKED)


def stripes(count=10, side=48, seed=0):
    """Slices (n, h, w) of smooth stripes with sharp edges, whose phase differs by slice."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((side, side))
    phases = rng.random((count, 3, 1, 1)) * 6
    directions = (0.8 * x + 0.1 * y, 0.6 * y - 0.3 * x, 0.4 * x + 0.5 * y)
    waves = [np.tanh(4 * np.sin(w + phases[:, n])) for n, w in enumerate(directions)]
    return (0.5 + np.mean(waves, axis=0) / 3).astype(np.float32)


def thick_volume(side=48):
    """Slices of 1×1 mm with a spacing of 4 mm, integers."""
    array = np.round(1000 * stripes(side=side)).astype(np.int16)
    return Volume(array, np.diag([1.0, 1.0, ASPECT, 1.0]))


def wide_volume(slice_spacing=ASPECT):
    """Slices whose pixels of 2×1 mm are upsampled in-plane before."""
    array = np.round(1000 * stripes(side=64)[:, :, ::2]).astype(np.int16)
    return Volume(array, np.diag([2.0, 1.0, slice_spacing, 1.0]))


class AdaptationTest(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        write_model(self.folder, "tiny-through-plane", scale=8, architecture=ARCHITECTURE)
        self.registry = MethodRegistry(ModelStore([self.folder]))
        self.volume = thick_volume()

    def method(self):
        return self.registry.between_slices(OPTIONS)

    def adapt(self, slices=None, steps=STEPS, seed=0, **more):
        slices = stripes() if slices is None else slices
        return adapt(slices, self.method(), ASPECT, 1.0, steps, seed, **more)

    def upsample(self, volume=None, **more):
        options = replace(OPTIONS, **more)
        return upsample_volume(volume or self.volume, options, registry=self.registry)


class NetworkTest(AdaptationTest):
    def weights(self, found):
        return {name: each.clone() for name, each in found.method.net.state_dict().items()}

    def assert_equal_weights(self, first, second):
        for name, values in first.items():
            self.assertTrue(torch.equal(values, second[name]), name)

    def test_fine_tuning_improves_the_network_on_held_out_slices(self):
        found = self.adapt(steps=20)
        self.assertTrue(found.is_used)
        self.assertGreater(found.gain, 0.01)
        self.assertIn(f"{found.gain:+.2f} dB", found.message.text)

    def test_a_run_is_bit_identical_with_and_without_a_progress_callback(self):
        first = self.adapt()
        torch.manual_seed(5)
        reports = []
        second = self.adapt(on_progress=reports.append, is_cancelled=lambda: torch.rand(1) > 2)
        self.assert_equal_weights(self.weights(first), self.weights(second))
        self.assertEqual(first.gain, second.gain)
        self.assertEqual(
            [(p.done, p.total) for p in reports], [(n, STEPS) for n in range(STEPS + 1)]
        )

    def test_the_seed_decides_the_result(self):
        first, second = (self.weights(self.adapt(seed=seed)) for seed in (0, 1))
        self.assertFalse(all(torch.equal(first[name], second[name]) for name in first))

    def test_the_network_of_the_registry_is_unchanged(self):
        before = {name: each.clone() for name, each in self.method().net.state_dict().items()}
        found = self.adapt()
        self.assertIsNot(found.method, self.method())
        self.assert_equal_weights(before, self.method().net.state_dict())
        self.assertFalse(any(p.requires_grad for p in self.method().net.parameters()))
        self.assertFalse(any(p.requires_grad for p in found.method.net.parameters()))

    def test_a_network_that_becomes_worse_is_not_used(self):
        with mock.patch.object(adaptation, "LEARNING_RATE", 1.0):
            found = self.adapt()
        self.assertIs(found.method, self.method())
        self.assertFalse(found.is_used)
        self.assertLess(found.gain, 0)
        self.assertIn("the original network was used", found.message.text)
        self.assertEqual(found.message.code, "training")

    def test_a_network_that_diverges_is_not_used(self):
        with mock.patch.object(adaptation, "LEARNING_RATE", 1e30):
            found = self.adapt()
        self.assertIs(found.method, self.method())
        json.dumps(found.to_dict(), allow_nan=False)

    def test_it_can_be_cancelled_between_steps(self):
        answers = iter((False, False, True))
        with self.assertRaises(Cancelled):
            self.adapt(steps=5, is_cancelled=lambda: next(answers))

    def test_lack_of_memory_is_an_error_that_says_what_to_do(self):
        failing = mock.patch.object(
            adaptation.F, "l1_loss", side_effect=RuntimeError("CUDA out of memory")
        )
        with failing, self.assertRaises(SuperResolutionError) as caught:
            self.adapt()
        self.assertEqual(caught.exception.kind, "memory")
        self.assertIn("leave out the adaptation", str(caught.exception))


class PatchesTest(unittest.TestCase):
    def test_slices_are_either_trained_on_or_held_out(self):
        for count in (4, 7, 8, 9, 40):
            patches = OwnPatches(stripes(count), ASPECT, 1.0, 0)
            self.assertEqual(sorted([*patches.trained, *patches.held_out]), list(range(count)))
            self.assertGreaterEqual(len(patches.held_out), 1)
            self.assertGreater(len(patches.trained), len(patches.held_out))

    def test_validation_patches_come_from_held_out_slices_and_the_others_do_not(self):
        slices = np.arange(10, dtype=np.float32)[:, None, None] + 0.3 * stripes()
        patches = OwnPatches(slices, ASPECT, 1.0, 0)
        for pairs, numbers in (
            (patches.validation(), patches.held_out),
            (patches.batch(0), patches.trained),
        ):
            self.assertLessEqual(set(np.floor(pairs[1].mean((1, 2))).astype(int)), set(numbers))

    def test_slices_without_anatomy_are_left_out(self):
        slices = stripes()
        slices[[0, 3]] = 0.5
        patches = OwnPatches(slices, ASPECT, 1.0, 0)
        self.assertFalse({0, 3} & {*patches.trained, *patches.held_out})

    def test_thick_slices_average_the_patch_with_the_slice_profile(self):
        slices = stripes(side=32)  # the patch is the whole slice
        low, high = OwnPatches(slices, ASPECT, 0.75, 0).batch(0)
        weights = profile_weights(32, slice_centers(32, 8), 0.75 * ASPECT)
        np.testing.assert_allclose(low, weights @ high, atol=1e-5)

    def test_each_step_has_patches_of_its_own(self):
        patches = OwnPatches(stripes(), ASPECT, 1.0, 0)
        first, second, again = (patches.batch(step)[1] for step in (0, 1, 0))
        np.testing.assert_array_equal(first, again)
        self.assertFalse(np.array_equal(first, second))

    @settings(max_examples=40, deadline=None)
    @given(st.floats(1.01, 8), st.integers(32, 130), st.integers(32, 130))
    def test_patches_fit_into_the_slices_and_have_nearly_the_slice_spacing(
        self, aspect, height, width
    ):
        slices = np.tile(np.random.default_rng(0).random((height, width), np.float32), (4, 1, 1))
        patches = OwnPatches(slices, aspect, 1.0, 0)
        low, high = patches.batch(0)
        self.assertEqual(high.shape, (8, patches.side, patches.side))
        self.assertEqual(low.shape, (8, patches.count, patches.side))
        self.assertLessEqual(patches.side, min(height, width, 96))
        self.assertLess(abs(patches.side / patches.count / aspect - 1), 0.04)

    def test_small_slices_and_few_slices_are_refused(self):
        for slices, reason in (
            (stripes(side=31), "31×31 pixels"),
            (stripes(3), "3 slices that show anatomy"),
            (np.zeros((9, 48, 48), np.float32), "0 slices that show anatomy"),
        ):
            with self.assertRaises(SuperResolutionError) as caught:
                OwnPatches(slices, ASPECT, 1.0, 0)
            self.assertIn(reason, str(caught.exception))


class VolumeTest(AdaptationTest):
    def test_the_output_differs_and_its_provenance_says_why(self):
        plain, adapted = self.upsample(adapt=0), self.upsample(adapt=20, seed=3)
        self.assertFalse(np.array_equal(plain.array, adapted.array))
        record = adapted.provenance["adaptation"]
        self.assertEqual((record["steps"], record["seed"], record["used"]), (20, 3, True))
        self.assertGreater(record["held_out_gain_db"], 0)
        self.assertEqual(adapted.provenance["model"]["name"], "tiny-through-plane")
        self.assertNotIn("adaptation", plain.provenance)
        self.assertIn("training", [message.code for message in adapted.messages])
        np.testing.assert_array_equal(self.upsample(adapt=0).array, plain.array)

    def test_the_same_seed_gives_the_same_volume(self):
        first, second, other = (self.upsample(seed=seed).array for seed in (0, 0, 1))
        np.testing.assert_array_equal(first, second)
        self.assertFalse(np.array_equal(first, other))

    def test_the_network_is_trained_on_the_pixels_that_it_receives(self):
        with mock.patch.object(adaptation, "adapt", wraps=adapt) as call:
            self.upsample(wide_volume(), model="bicubic")
        slices, _, aspect, coverage = call.call_args.args[:4]
        self.assertEqual((slices.shape, aspect, coverage), ((10, 64, 64), ASPECT, 1.0))

    def test_progress_counts_the_steps(self):
        for slice_spacing, expected in ((ASPECT, 10 + STEPS + 64 + 64), (1.0, 10)):
            reports = []
            upsample_volume(
                wide_volume(slice_spacing),
                replace(OPTIONS, model="bicubic", slice_axis="k"),
                registry=self.registry,
                on_progress=reports.append,
            )
            self.assertEqual({report.total for report in reports}, {expected})
            done = [report.done for report in reports]
            self.assertEqual(done, sorted(done))
            self.assertLessEqual({0, min(10 + STEPS, expected), expected}, set(done))

    def test_cancelled_during_the_steps_it_allocates_no_output(self):
        answers, allocate = iter((False, True)), mock.Mock()
        with self.assertRaises(Cancelled):
            upsample_volume(
                self.volume,
                OPTIONS,
                registry=self.registry,
                is_cancelled=lambda: next(answers),
                allocate=allocate,
            )
        allocate.assert_not_called()

    def test_without_further_slices_nothing_is_adapted(self):
        result = self.upsample(Volume(self.volume.array, np.eye(4)))
        self.assertNotIn("adaptation", result.provenance)
        self.assertIn("No adaptation", " ".join(map(str, result.messages)))

    def test_the_frames_of_a_4d_image_are_refused(self):
        frames = Frames(2, lambda number: self.volume)
        with self.assertRaises(SuperResolutionError) as caught:
            upsample_frames(frames, OPTIONS, registry=self.registry)
        self.assertIn("one frame", str(caught.exception))

    def test_the_python_function_passes_steps_and_seed_on(self):
        with mock.patch.dict(os.environ, MRISUPERRES_MODELS=str(self.folder)):
            found = sr.upsample(self.volume, **ASKED, seed=1)
        np.testing.assert_array_equal(found.array, self.upsample(seed=1).array)
        self.assertEqual(found.provenance["adaptation"]["seed"], 1)


class OptionsTest(unittest.TestCase):
    def test_adaptation_without_a_network_between_slices_is_refused(self):
        for values in (
            {"adapt": 300},
            {"adapt": 300, "scale": 2},
            {"adapt": 300, "isotropic": True, "between_slices": "bspline"},
            {"adapt": -1, "isotropic": True},
            {"adapt": 2.5, "isotropic": True},
            {"adapt": True, "isotropic": True},
            {"seed": -1},
        ):
            with self.subTest(values), self.assertRaises(SuperResolutionError) as caught:
                UpsamplingOptions(**values)
            self.assertEqual(caught.exception.kind, "settings")

    def test_the_options_survive_json(self):
        options = UpsamplingOptions(spacing=(1.0, 1.0, 1.0), adapt=300, seed=7)
        values = json.loads(json.dumps(options.to_dict()))
        self.assertEqual(UpsamplingOptions.from_dict(values), options)


if __name__ == "__main__":
    unittest.main()
