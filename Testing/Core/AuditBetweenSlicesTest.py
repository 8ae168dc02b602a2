"""Audit between slices: spheres, patches along the slice direction, and the findings."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_bodies import audit
from made_models import write_model
from scipy.ndimage import gaussian_filter

from MRISuperResLib.core.audit.audit import audit_tasks
from MRISuperResLib.core.audit.figure import WorstSlices
from MRISuperResLib.core.audit.findings import card_entry, lesions_csv, markdown, volumes_csv
from MRISuperResLib.core.audit.sfrc import ReferenceSlice, patch_side
from MRISuperResLib.core.audit.spheres import Spheres, reach, scattered_spheres
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.methods.between_slices import SliceInterpolation
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.options import AuditOptions
from MRISuperResLib.core.slice_profile import INTERPOLATIONS
from MRISuperResLib.core.through_plane.thick_slices import ThickSlices
from MRISuperResLib.core.volume import Volume

SHAPE = (64, 60, 56)


def solid(seed=0):
    """A body with structure in all directions, (k, j, i)."""
    noise = gaussian_filter(np.random.default_rng(seed).random(SHAPE), 1.5)
    array = 400 + 300 * (noise - noise.mean()) / noise.std() * 0.3
    array[:, :4] = array[:, -4:] = 0
    return array.clip(0).astype(np.float32)


def thick_of(spacing=3.0, thickness=None, axis="k", sides=(1.0, 1.0, 1.0)):
    volume = Volume(np.zeros(SHAPE, np.int16), np.diag([*sides, 1.0]))
    options = AuditOptions((), slice_spacing=spacing, slice_thickness=thickness, slice_axis=axis)
    return ThickSlices.of(volume, options)


class Doubling(SliceInterpolation):
    """A method whose detail between slices is that of another interpolation, amplified."""

    def __init__(self, factor):
        super().__init__("bspline")
        self.factor = factor

    def __call__(self, images, count, aspect, coverage):
        upsampled = super().__call__(images, count, aspect, coverage)
        return self.factor * upsampled


class SpheresTest(unittest.TestCase):
    @given(seed=st.integers(0, 1000), axis=st.sampled_from("ijk"), thickness=st.floats(2, 4))
    @settings(max_examples=5, deadline=None)
    def test_spheres_lie_in_the_foreground_and_their_windows_apart(self, seed, axis, thickness):
        thick = thick_of(thickness=thickness, axis=axis)
        mask = np.zeros(SHAPE, bool)
        mask[3:-3, 3:-3, 3:-3] = True
        spheres = scattered_spheres(np.full(SHAPE, 0.5), mask, np.ones(3), thick, 0.2, seed)
        self.assertTrue(spheres)
        for number, sphere in enumerate(spheres):
            for center, side in zip(sphere.center, SHAPE):
                radius = sphere.diameter * thickness / 2
                self.assertGreater(center - radius, 1)
                self.assertLess(center + radius, side - 2)
            for other in spheres[:number]:
                gap = np.abs(np.subtract(sphere.center, other.center)).max()
                self.assertGreater(
                    gap, reach(sphere.diameter, thick) + reach(other.diameter, thick) - 1
                )
        self.assertLessEqual(abs(sum(np.sign([s.contrast for s in spheres]))), 1)
        self.assertEqual(
            spheres, scattered_spheres(np.full(SHAPE, 0.5), mask, np.ones(3), thick, 0.2, seed)
        )

    def test_a_method_that_returns_the_spheres_keeps_them_whole(self):
        for axis in "ijk":
            thick = thick_of(axis=axis)
            mask = np.ones(SHAPE, bool)
            placed = scattered_spheres(np.full(SHAPE, 0.5), mask, np.ones(3), thick, 0.2, 1)
            spheres = Spheres(placed, SHAPE, np.ones(3), thick)
            truth = np.zeros(SHAPE)
            grid = np.indices(SHAPE)
            for each in placed:
                distance = np.sqrt(sum((g - c) ** 2 for g, c in zip(grid, each.center)))
                radius = each.diameter * thick.thickness / 2
                truth += each.contrast * np.clip(radius - distance + 0.5, 0, 1)
            scores = [found.score for found in spheres.scores("m", truth, 0 * truth)]
            for score in scores:
                self.assertAlmostEqual(score.contrast, 1, places=4)
                self.assertAlmostEqual(score.brightness, 1, delta=0.1)
                self.assertEqual(score.outcome, "preserved")
            self.assertEqual({score.diameter for score in scores}, {1, 2, 3})
            for share, outcome in ((0.1, "lost"), (0.5, "weakened"), (1.5, "exaggerated")):
                found = spheres.scores("m", share * truth, 0 * truth)
                self.assertEqual({each.score.outcome for each in found}, {outcome})

    def test_the_place_is_that_in_the_thick_slices(self):
        thick = thick_of()
        placed = scattered_spheres(
            np.full(SHAPE, 0.5), np.ones(SHAPE, bool), np.ones(3), thick, 0.2, 1
        )
        spheres = Spheres(placed, SHAPE, np.ones(3), thick)
        for sphere, found in zip(placed, spheres.scores("m", np.zeros(SHAPE), np.zeros(SHAPE))):
            part = spheres.added[found.number, found.lesion.row, found.lesion.column]
            self.assertGreater(part / sphere.contrast, 0.3)


class DirectionalPatchesTest(unittest.TestCase):
    def test_only_frequencies_along_the_slice_direction_count(self):
        rng = np.random.default_rng(0)
        reference = gaussian_filter(rng.random((96, 96)), 1)
        wrong = reference + 0.05 * np.cos(np.arange(96) * 2.5)  # changes along columns only
        mask = np.ones((96, 96), bool)
        rows = ReferenceSlice(reference, mask, 4.0, 0).agreement(wrong)
        columns = ReferenceSlice(reference, mask, 4.0, 1).agreement(wrong)
        self.assertLess(rows.hallucinated / rows.detail, 0.02)
        self.assertGreater(columns.hallucinated / columns.detail, 0.3)
        np.testing.assert_array_equal(
            ReferenceSlice(reference.T, mask, 4.0, 1).agreement(wrong.T).crossing,
            rows.crossing.T,
        )

    @given(st.floats(1.05, 8))
    @settings(deadline=None)
    def test_patches_have_an_even_side_of_about_eight_slices(self, factor):
        side = patch_side(factor)
        self.assertEqual(side % 2, 0)
        self.assertLessEqual(abs(side - 8 * factor), 1 + 1e-9)


class AuditBetweenSlicesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.options = AuditOptions((), slice_spacing=3.0, slices=6)
        cls.found = audit(solid(), np.eye(4), cls.options)

    def test_the_interpolations_are_audited_always(self):
        self.assertEqual(tuple(self.found.methods), INTERPOLATIONS)
        options = AuditOptions(("mine", "linear"), slice_spacing=3.0)
        self.assertEqual(options.methods, (*INTERPOLATIONS, "mine"))

    def test_interpolations_lose_no_sphere_that_the_slices_show(self):
        for name, method in self.found.methods.items():
            figures = method.findings.figures()
            with self.subTest(name):
                self.assertGreater(figures["lesions"], 2)
                self.assertEqual((figures["slices"], figures["lesions_lost"]), (6, 0))
                self.assertLess(figures["1_slices"], 1.05)
                self.assertLess(figures["unfaithful"], 10)

    def test_lost_and_exaggerated_spheres_are_found(self):
        array = solid()
        for factor, outcome in ((0.2, "lesions_lost"), (1.6, "lesions_exaggerated")):
            registry = MethodRegistry()
            between = registry.between_slices
            registry.between_slices = lambda options, between=between, factor=factor: (
                Doubling(factor) if options.between_slices == "bspline" else between(options)
            )
            found = audit(array, np.eye(4), self.options, registry)
            figures = found.methods["bspline"].findings.figures()
            self.assertEqual(figures[outcome], figures["lesions"])

    def test_maps_cover_the_audited_reformats_on_the_grid_of_the_reference(self):
        found = self.found
        crossing = found.methods["linear"].crossing
        self.assertEqual(crossing.shape, SHAPE)
        self.assertEqual((found.axis.plane, len(found.numbers)), ("coronal", 6))
        filled = np.flatnonzero(crossing.any(axis=(0, 2)))
        self.assertLessEqual(set(filled.tolist()), set(found.numbers))
        self.assertTrue(len(filled))
        self.assertAlmostEqual(found.factor, 64 / 21)

    def test_tables_say_what_was_audited(self):
        findings = {name: method.findings for name, method in self.found.methods.items()}
        results = {1: {"brain": findings}}
        text = markdown(results, self.options)
        self.assertIn("Degradation: 3 mm slice spacing, no gap; at most 6 reformats", text)
        self.assertIn("## Between slices: 1 volume", text)
        self.assertIn("1 to 3 slice thicknesses", text)
        header = volumes_csv(results).split("\n")[0].split(",")
        self.assertEqual(header[-3:], ["1_slices", "2_slices", "3_slices"])
        self.assertGreater(len(lesions_csv(results).split("\n")), 3 * 3)
        entry = card_entry("brain", "bspline", self.options, results[1])
        self.assertEqual(entry["degradation"], "3 mm slice spacing, no gap")
        self.assertEqual(list(entry["baselines"]), list(INTERPOLATIONS))

    def test_the_figure_shows_the_worst_reformats(self):
        worst = WorstSlices()
        worst.add(1, "brain", self.found)
        with tempfile.TemporaryDirectory() as folder:
            worst.draw(Path(folder, "audit.png"))
            self.assertTrue(Path(folder, "audit.png").stat().st_size)

    def test_progress_counts_all_methods_and_can_be_cancelled(self):
        seen = []
        with self.assertRaises(Cancelled):
            audit(
                solid(),
                np.eye(4),
                self.options,
                on_progress=seen.append,
                is_cancelled=lambda: bool(seen) and seen[-1].done >= 200,
            )
        self.assertEqual(seen[0].total, 3 * (2 * (60 + 56) + 6))

    def test_models_are_audited_with_the_baselines(self):
        with tempfile.TemporaryDirectory() as folder:
            network = {"network": "through-plane", "blocks": 1, "features": 4}
            write_model(folder, "between", scale=8, architecture=network)
            registry = MethodRegistry(ModelStore([folder]))
            (task,) = audit_tasks(["between"], None, registry, slice_spacing=4.0, slices=2)
            found = audit(solid(), np.eye(4), task, registry)
        self.assertEqual(tuple(found.methods), (*INTERPOLATIONS, "between"))
        # a fresh network equals the interpolation that it corrects
        fresh, bspline = (found.methods[name].findings for name in ("between", "bspline"))
        self.assertAlmostEqual(fresh.crossing, bspline.crossing, places=4)

    def test_what_cannot_be_audited_is_refused_with_a_sentence(self):
        with self.assertRaisesRegex(SuperResolutionError, "not both"):
            audit_tasks(["linear"], 2, MethodRegistry(), slice_spacing=4.0)
        with self.assertRaisesRegex(SuperResolutionError, "too small for patches"):
            audit(solid()[:20], np.eye(4), self.options)
        with self.assertRaisesRegex(SuperResolutionError, "No patch can be judged"):
            array = np.zeros(SHAPE, np.float32)
            array[30:33, 30:33, 30:33] = 1000
            audit(array, np.eye(4), self.options)


if __name__ == "__main__":
    unittest.main()
