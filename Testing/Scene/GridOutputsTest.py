"""Outputs that are isotropic or have a requested spacing: nodes, pairs, maps, estimates."""

import json
import unittest
from types import SimpleNamespace
from unittest import mock

import numpy as np
import slicer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.through_plane.thick_slices import ThickSlices
from MRISuperResLib.scene.comparison.before_after import ConsistencyMap, UpsampledPair
from MRISuperResLib.scene.descriptions import describeEstimate, describeGeometry
from MRISuperResLib.scene.nodes import sliceThickness, volumeFromNode
from MRISuperResLib.scene.speeds import SETTING
from MRISuperResLib.scene.tasks import Task
from MRISuperResLib.scene.upsampling import VolumeUpsampling
from scene_helpers import AXES, WorkerDouble, corners_ras, make_volume, upsample
from sequence_helpers import make_browser, make_sequence

ISOTROPIC = {"scale": None, "isotropic": True, "between_slices": "bspline"}
THICK = np.diag([1.0, 1.0, 4.0, 1.0])
CARD = SimpleNamespace(
    scale=8,
    architecture={"network": "through-plane"},
    cpu_speed={"seconds_per_megapixel": 3.0, "threads": 2, "processor": "AMD EPYC"},
)


def spaced(*spacing):
    return ISOTROPIC | {"isotropic": False, "spacing": spacing}


class GridOutputsTestCase(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        slicer.app.userSettings().remove(SETTING)


class NodeTest(GridOutputsTestCase):
    def test_outer_faces_stay_in_place_in_every_orientation(self):
        for name, matrix in AXES.items():
            for options in (ISOTROPIC, spaced(1.1, 0.9, 2.0)):
                with self.subTest(name, options=options):
                    volume = make_volume(ijk_to_ras=matrix)
                    output = upsample(volume, "bicubic", **options)
                    np.testing.assert_allclose(corners_ras(output), corners_ras(volume), atol=1e-9)
                    self.assertIs(UpsampledPair.of(volume, output).output, output)

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(spacing=st.tuples(*3 * [st.floats(0.55, 3)]), matrix=st.sampled_from(list(AXES)))
    def test_every_possible_grid_is_paired_with_its_input(self, spacing, matrix):
        slicer.mrmlScene.Clear(0)
        volume = make_volume(ijk_to_ras=AXES[matrix])
        output = upsample(volume, "nearest", **spaced(*spacing))
        np.testing.assert_allclose(corners_ras(output), corners_ras(volume), atol=1e-9)
        self.assertEqual(UpsampledPair.newestOf(volume).outputId, output.GetID())

    def test_names_say_what_was_requested(self):
        for options, name in (
            (ISOTROPIC, "T2 isotropic (bspline)"),
            (spaced(0.8, 0.8, 0.8), "T2 0.8 mm (bspline)"),
            (spaced(1, 1, 0.8), "T2 1×1×0.8 mm (bspline)"),
        ):
            output = upsample(make_volume(ijk_to_ras=THICK, name="T2"), "bicubic", **options)
            self.assertEqual(output.GetName(), name)
            self.assertIn(name[3:].split(" (")[0] + " of “T2”", output.GetDescription())

    def test_all_frames_of_a_sequence_become_isotropic(self):
        sequence = make_sequence(3, size=(6, 6, 4))
        browser, proxy = make_browser(sequence)
        result = upsample(sequence, None, **ISOTROPIC)
        frame = result.GetNthDataNode(2)
        sides = np.array(frame.GetSpacing())
        self.assertLess(sides.max() / sides.min(), 1.2)
        self.assertEqual(UpsampledPair.of(proxy, result).output, browser.GetProxyNode(result))


class SliceThicknessTest(GridOutputsTestCase):
    def test_thickness_of_the_dicom_images_reaches_the_worker(self):
        volume, worker = make_volume(ijk_to_ras=THICK), WorkerDouble()
        database = SimpleNamespace(instanceValue=lambda uid, tag: {"0018,0050": "3"}.get(tag, ""))
        volume.SetAttribute("DICOM.instanceUIDs", "1.2 1.3")
        with mock.patch.object(slicer, "dicomDatabase", database, create=True):
            task = Task(worker, volume, VolumeUpsampling(UpsamplingOptions("bicubic", **ISOTROPIC)))
            worker.finish()
        self.assertEqual(worker.request["sliceThickness"], 3.0)
        record = json.loads(task.result.GetAttribute("MRISuperRes.Provenance"))
        self.assertEqual(record["slice_thickness"], 3.0)

    def test_thickness_that_is_no_length_is_unknown(self):
        volume = make_volume()
        self.assertIsNone(volumeFromNode(volume).slice_thickness)
        volume.SetAttribute("DICOM.instanceUIDs", "1.2")
        for text in ("", "thick", "0", "-3", "inf", "nan"):
            database = SimpleNamespace(instanceValue=lambda uid, tag, text=text: text)
            with mock.patch.object(slicer, "dicomDatabase", database, create=True):
                self.assertIsNone(sliceThickness(volume), text)


class PairTest(GridOutputsTestCase):
    def test_finer_slices_are_shown_in_a_reformat_that_is_coronal_if_possible(self):
        for axis, plane in (("k", "coronal"), ("j", "sagittal"), ("i", "coronal")):
            spacing = np.ones(4)
            spacing["ijk".index(axis)] = 4
            volume = make_volume(ijk_to_ras=np.diag(spacing), size=(6, 7, 8))
            pair = UpsampledPair.of(volume, upsample(volume, "bicubic", **ISOTROPIC))
            self.assertEqual((pair.axis.name, pair.viewAxis.plane), (axis, plane))
        scaled = UpsampledPair.of(volume, upsample(volume, "bicubic"))
        self.assertEqual(scaled.viewAxis, scaled.axis)

    def test_map_is_dark_where_thick_slices_of_the_output_equal_the_input(self):
        rng = np.random.default_rng(3)
        volume = make_volume(np.float32, THICK, (6, 7, 8))
        output = upsample(volume, "bicubic", **ISOTROPIC, slice_thickness=3.0)
        pair = UpsampledPair.of(volume, output)
        self.assertEqual((pair.coverage, pair.whyNoMap), (0.75, ""))
        fine = rng.uniform(0, 100, (32, 7, 6)).astype(np.float32)
        low = ThickSlices(pair.axis, 32, 8, 4, 3).degrade(fine)
        low[2, 3, 4] += 10
        slicer.util.updateVolumeFromArray(output, fine)
        slicer.util.updateVolumeFromArray(volume, low)
        consistency = ConsistencyMap(pair)
        list(consistency.steps())
        found = slicer.util.arrayFromVolume(consistency.node).copy()
        low_end, high_end = pair.intensityRange
        self.assertAlmostEqual(found[2, 3, 4], 1000 / (high_end - low_end), places=2)
        found[2, 3, 4] = 0
        self.assertLess(found.max(), 1e-3)

    def test_voxels_without_image_are_consistent(self):
        volume = make_volume(np.float32, THICK, (6, 7, 8))
        array = slicer.util.arrayFromVolume(volume)
        array[:, :3] = np.nan
        slicer.util.arrayFromVolumeModified(volume)
        output = upsample(volume, "bicubic", **ISOTROPIC)
        consistency = ConsistencyMap(UpsampledPair.of(volume, output))
        list(consistency.steps())
        found = slicer.util.arrayFromVolume(consistency.node)
        self.assertEqual(found[:, :3].max(), 0)
        self.assertTrue(np.isfinite(found).all())

    def test_map_is_refused_with_a_reason_for_other_voxels_in_the_plane(self):
        volume = make_volume(ijk_to_ras=THICK, size=(6, 8, 6))
        for spacing in ((0.75, 1, 1), (0.75, 1, 4), (2, 2, 2)):
            pair = UpsampledPair.of(volume, upsample(volume, "bicubic", **spaced(*spacing)))
            self.assertIn("no consistency map", pair.whyNoMap)
            consistency = ConsistencyMap(pair)
            list(consistency.steps())
            self.assertIsNone(consistency.node)
        pair = UpsampledPair.of(volume, upsample(volume, "bicubic", **spaced(0.5, 0.5, 4)))
        self.assertEqual(pair.whyNoMap, "")  # as x2


class TextTest(GridOutputsTestCase):
    def estimate(self, nodes, free=8 * 2**30, between=CARD, **options):
        options = UpsamplingOptions(**({"isotropic": True, "device": "cpu"} | options))
        return describeEstimate(nodes, options, None, between, availableMemory=lambda: free)

    def test_estimate_has_voxels_memory_and_time(self):
        volume = make_volume(np.int16, THICK, (128, 128, 64))
        with mock.patch("MRISuperResLib.scene.speeds.thread_count", lambda: 2):
            self.assertEqual(
                self.estimate([volume]),
                ("Output: 8 MiB (128 × 128 × 256 voxels), about 13–25 s", ""),
            )
        self.assertEqual(
            self.estimate([volume], between=None),
            ("Output: 8 MiB (128 × 128 × 256 voxels)", ""),
        )

    def test_estimate_of_a_batch_adds_its_volumes(self):
        volumes = [make_volume(np.int16, THICK, (128, 128, n)) for n in (64, 128)]
        line, _warning = self.estimate(volumes, between=None)
        self.assertEqual(line, "Output: 24 MiB")

    def test_insufficient_memory_asks_for_a_larger_spacing(self):
        volume = make_volume(np.int16, THICK, (128, 128, 64))
        self.assertIn("choose a larger spacing", self.estimate([volume], free=2**29)[1])

    def test_impossible_grid_is_a_warning(self):
        line, text = self.estimate([make_volume()], isotropic=False, spacing=(0.1, 1, 1))
        self.assertEqual(line, "")
        self.assertIn("Choose a spacing of at least", text)

    def test_geometry_has_the_new_grid(self):
        volume = make_volume(ijk_to_ras=THICK)
        self.assertIn(
            "5 × 6 × 7 → 5 × 6 × 28 voxels, 1 × 1 × 1 mm",
            describeGeometry(volume, UpsamplingOptions(isotropic=True)),
        )


if __name__ == "__main__":
    unittest.main()
