"""Comparison views under user actions: wheel, drags, other layouts, closed scenes."""

import gc
import os
import tempfile
import unittest
import unittest.mock
import weakref

import numpy as np
import qt
import slicer
import vtk
from comparison_views_helpers import METHODS, comparison, phantom
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.comparison.scores import PERCEPTUAL, ScoreTable, metrics_of
from MRISuperResLib.widgets.comparison.views import ComparisonViews
from MRISuperResLib.widgets.comparison.cell import scoreText
from MRISuperResLib.widgets.upsample import showInSliceViews
from MRISuperResLib.scene.comparison.layout import ComparisonDisplay
from MRISuperResLib.scene.comparison.layout import (
    COMPARISON_LAYOUT_ID,
    mainViewNames,
    zoomViewNames,
)
from MRISuperResLib.scene.comparison.maps import ERROR, ComparisonMaps
from MRISuperResLib.scene.comparison.linked_slices import LinkedSlices
from MRISuperResLib.scene.comparison.slice_views import PointOfInterest
from MRISuperResLib.scene.comparison.slice_views import pixelSize, viewCenter
from panel_testing import double_click, drag, process_events, turn_wheel

COLUMNS = metrics_of(ComparisonOptions(METHODS))
FOUR_UP = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
FRAME = "MRISuperRes zoomed area"
UPPER_LEFT = 2
OBLIQUE = [[1.2, -0.9, 0, 7], [0.9, 1.2, 0, -3], [0, 0, 4, 12], [0, 0, 0, 1]]


class ComparisonViewsTestCase(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.manager = slicer.app.layoutManager()
        self.manager.setLayout(FOUR_UP)
        self.manager.viewport().resize(900, 700)
        self.manager.viewport().setUpdatesEnabled(
            False
        )  # nobody looks: painting takes most of the time
        self.manager.viewport().show()
        process_events()

    def show(self, nodes=None, **options):
        """Open the views until the end of the test."""
        self.nodes = nodes or comparison(**options)
        closed = self.closed = []
        self.views = ComparisonViews(self.nodes, lambda: closed.append(True))
        self.addCleanup(self.views.close)
        self.assertTrue(self.views.open())
        process_events()
        count = 1 + len(self.nodes.outputs)
        self.mains = [self.manager.sliceWidget(name) for name in mainViewNames(count)]
        self.zooms = [self.manager.sliceWidget(name) for name in zoomViewNames(count)]

    def view(self, n):
        return self.mains[n].sliceView()

    def texts(self):
        return [widget.overlayCornerAnnotation().GetText(UPPER_LEFT) for widget in self.mains]

    def offsets(self, widgets):
        return [widget.sliceLogic().GetSliceOffset() for widget in widgets]

    def centers(self, widgets):
        return np.array([viewCenter(widget.mrmlSliceNode()) for widget in widgets])

    def pixel_sizes(self, widgets):
        return [pixelSize(widget.mrmlSliceNode()) for widget in widgets]

    def assert_all_show_the_same(self, widgets):
        np.testing.assert_allclose(
            self.centers(widgets), [self.centers(widgets)[0]] * len(widgets), atol=1e-6
        )
        np.testing.assert_allclose(self.pixel_sizes(widgets), self.pixel_sizes(widgets)[0])

    def assert_zoom_views_follow(self):
        """Check center, plane and magnification of the zoomed views."""
        np.testing.assert_allclose(
            self.centers(self.zooms), [self.views.pointOfInterest] * len(self.zooms), atol=1e-6
        )
        np.testing.assert_allclose(
            np.array(self.pixel_sizes(self.mains)) / self.pixel_sizes(self.zooms),
            self.views.lensFactor,
        )
        np.testing.assert_allclose(self.offsets(self.zooms), self.offsets(self.mains), atol=1e-6)

    def pixel_of(self, point, n):
        """Return the pixel (x, y) of a world point in a view, from the upper left corner."""
        x, y, _ = self.view(n).convertRASToXYZ(list(point))
        return x, self.view(n).height - 1 - y


class OpeningTest(ComparisonViewsTestCase):
    def test_every_volume_has_a_named_view_and_the_reference_is_first(self):
        self.show()
        self.assertEqual(self.manager.layout, COMPARISON_LAYOUT_ID)
        shown = [widget.sliceLogic().GetBackgroundLayer().GetVolumeNode() for widget in self.mains]
        self.assertEqual(shown, [self.nodes.reference, *self.nodes.outputs.values()])
        self.assertEqual([text.split("\n")[0] for text in self.texts()], ["reference", *METHODS])
        self.assertTrue(
            all(widget.isVisibleTo(self.manager.viewport()) for widget in self.mains + self.zooms)
        )

    def test_input_is_first_without_a_reference(self):
        self.show(reference=False)
        self.assertIs(
            self.mains[0].sliceLogic().GetBackgroundLayer().GetVolumeNode(), self.nodes.low
        )
        self.assertEqual(self.texts()[0].split("\n")[0], "input")

    def body_in_air(self):
        """Return a noisy volume with a body of 24 by 20 voxels in its left half."""
        array = np.random.default_rng(0).normal(10, 3, (9, 48, 60))
        array[:, 14:34, 4:28] += 300
        array[4, 40, 50] = 400  # a spike in the air
        return array

    def test_views_fit_the_body_in_the_middle_slice_at_any_window_size(self):
        nodes = comparison(self.body_in_air())
        for size in ((900, 700), (1500, 400), (500, 900)):
            with self.subTest(size):
                self.manager.viewport().resize(*size)
                self.show(nodes)
                for widget in self.mains:
                    width, height, _ = widget.mrmlSliceNode().GetFieldOfView()
                    self.assertAlmostEqual(min(width / 24, height / 20), 1.06, delta=0.03)
                np.testing.assert_allclose(
                    self.centers(self.mains), [[15.5, 23.5, 12]] * 4, atol=0.3
                )
                self.assert_all_show_the_same(self.mains)
                self.assert_zoom_views_follow()
                self.views.close()

    def test_volume_without_air_fills_the_views(self):
        self.show(array=np.random.default_rng(0).normal(500, 20, (9, 40, 48)))
        width, height, _ = self.mains[0].mrmlSliceNode().GetFieldOfView()
        self.assertAlmostEqual(min(width / 48, height / 40), 1, delta=0.02)

    def test_views_resized_after_opening_fit_the_body(self):
        self.views = ComparisonViews(comparison(self.body_in_air()))
        self.addCleanup(self.views.close)
        self.views.open()
        self.manager.viewport().resize(300, 900)
        process_events()
        width, height, _ = (
            self.manager.sliceWidget(mainViewNames(1)[0]).mrmlSliceNode().GetFieldOfView()
        )
        self.assertAlmostEqual(min(width / 24, height / 20), 1.06, delta=0.03)

    def test_views_are_parallel_to_the_slices_in_every_direction(self):
        array = phantom((24, 20, 16))
        for axis in "ijk":
            with self.subTest(axis):
                self.show(array=array, matrix=OBLIQUE, slice_axis=axis)
                column = np.array(OBLIQUE)[:3, "ijk".index(axis)]
                normal = slicer.util.arrayFromVTKMatrix(
                    self.mains[2].mrmlSliceNode().GetSliceToRAS()
                )[:3, 2]
                self.assertAlmostEqual(abs(normal @ column), np.linalg.norm(column))
                self.assertIn(
                    f"{axis} = {array.shape[::-1]['ijk'.index(axis)] // 2}", self.texts()[0]
                )
                self.assert_all_show_the_same(self.mains)
                self.views.close()

    def test_parent_transform_rotates_the_views(self):
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.array([[0.8, 0, -0.6, 5], [0, 1, 0, 0], [0.6, 0, 0.8, 0], [0, 0, 0, 1]])
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        self.show(transform=transform)
        normal = slicer.util.arrayFromVTKMatrix(self.mains[0].mrmlSliceNode().GetSliceToRAS())[
            :3, 2
        ]
        np.testing.assert_allclose(normal, matrix[:3, 2])
        self.assertIn("k = 4", self.texts()[0])

    def test_volume_loaded_meanwhile_is_not_shown_in_the_views(self):
        self.show()
        other = slicer.util.addVolumeFromArray(phantom(), name="Other")
        logic = slicer.app.applicationLogic()
        logic.GetSelectionNode().SetActiveVolumeID(other.GetID())
        logic.PropagateVolumeSelection()
        self.assertIs(
            self.mains[1].sliceLogic().GetBackgroundLayer().GetVolumeNode(),
            self.nodes.outputs["nearest"],
        )

    def test_text_of_the_data_probe_is_hidden_until_the_views_close(self):
        self.show()
        annotations = [w.sliceView().cornerAnnotation() for w in self.mains + self.zooms]
        for annotation in annotations:
            annotation.SetText(0, "B: Phantom restored x2 nearest")
        turn_wheel(self.view(1), 1)
        self.assertEqual({annotation.GetVisibility() for annotation in annotations}, {0})
        self.views.close()
        self.assertEqual({annotation.GetVisibility() for annotation in annotations}, {1})

    def test_views_stay_closed_without_a_main_window(self):
        views = ComparisonViews(comparison())
        with unittest.mock.patch.object(type(slicer.app), "layoutManager", lambda app: None):
            self.assertFalse(views.open())
        self.assertFalse(views.isOpen)

    def test_views_stay_closed_without_volumes(self):
        nodes = comparison()
        nodes.remove()
        self.assertFalse(ComparisonViews(nodes).open())
        self.assertEqual(self.manager.layout, FOUR_UP)

    def test_opening_another_comparison_closes_the_first(self):
        self.show()
        first, closed = self.views, self.closed
        self.show(comparison(methods=("nearest", "bicubic")))
        self.assertEqual((first.isOpen, self.views.isOpen, closed), (False, True, [True]))
        self.views.close()
        self.assertEqual(self.manager.layout, FOUR_UP)


class LinkTest(ComparisonViewsTestCase):
    def test_wheel_scrolls_all_views_and_their_scores(self):
        self.show()
        turn_wheel(self.view(2), 3)
        self.assertEqual(self.offsets(self.mains), [12 + 3 * 3] * 4)
        self.assert_zoom_views_follow()
        self.assertIn("k = 7", self.texts()[0])
        for method, text in zip(self.nodes.outputs, self.texts()[1:]):
            psnr, ssim = (self.nodes.table.values(method, key)[7] for key in ("psnr", "ssim_wang"))
            self.assertEqual(text, f"{method}\nPSNR {psnr:.2f} dB  SSIM {ssim:.4f}")

    def test_wheel_stops_at_the_last_slice(self):
        self.show()
        turn_wheel(self.view(0), 20)
        self.assertIn("k = 8", self.texts()[0])

    def test_slider_of_any_view_scrolls_all(self):
        self.show()
        self.mains[3].sliceController().setSliceOffsetValue(3)
        self.assertEqual(self.offsets(self.mains), [3] * 4)
        self.assertIn("k = 1", self.texts()[0])

    def test_dragging_with_the_right_button_zooms_all_views(self):
        self.show()
        before = self.pixel_sizes(self.mains)
        drag(self.view(1), (50, 60), (50, 100), qt.Qt.RightButton)
        self.assertLess(self.pixel_sizes(self.mains)[0], 0.9 * before[0])
        self.assert_all_show_the_same(self.mains)
        self.assert_zoom_views_follow()

    def test_zooming_with_the_wheel_moves_all_views_to_one_position(self):
        self.show()
        before = self.centers(self.mains)
        turn_wheel(self.view(3), -3, at=(30, 40), modifiers=qt.Qt.ControlModifier)
        self.assertGreater(
            np.abs(self.centers(self.mains) - before).max(), 1, "it zooms around the mouse"
        )
        self.assert_all_show_the_same(self.mains)
        self.assert_zoom_views_follow()

    def test_dragging_with_the_middle_button_pans_all_views(self):
        self.show()
        before, size = self.centers(self.mains), self.pixel_sizes(self.mains)[0]
        point = self.views.pointOfInterest
        drag(self.view(1), (50, 60), (80, 60), qt.Qt.MiddleButton)
        np.testing.assert_allclose(np.abs(self.centers(self.mains) - before)[:, 0], 30 * size)
        self.assert_all_show_the_same(self.mains)
        np.testing.assert_allclose(
            self.views.pointOfInterest, point, err_msg="the point stays where it is in the body"
        )
        self.assert_zoom_views_follow()

    def test_fitting_one_view_fits_all(self):
        self.show()
        before = self.pixel_sizes(self.mains)
        drag(self.view(1), (50, 60), (80, 100), qt.Qt.MiddleButton)
        drag(self.view(1), (50, 60), (50, 100), qt.Qt.RightButton)
        self.mains[2].sliceController().fitSliceToBackground()
        # Slicer fits the volume with the air around the body
        np.testing.assert_allclose(self.pixel_sizes(self.mains), before, rtol=0.15)
        self.assert_all_show_the_same(self.mains)
        self.assert_zoom_views_follow()

    def test_unlinked_views_move_alone(self):
        self.show()
        self.mains[0].sliceController().setSliceLink(False)
        turn_wheel(self.view(1), 2)
        self.assertEqual(self.offsets(self.mains), [12, 18, 12, 12])
        np.testing.assert_allclose(self.offsets(self.zooms), self.offsets(self.mains), atol=1e-6)
        self.assertIn("k = 4", self.texts()[0])
        self.assertIn(f"{self.nodes.table.values('nearest', 'psnr')[6]:.2f}", self.texts()[1])

    def test_single_unlinked_view_follows_but_does_not_lead(self):
        self.show()
        self.mains[1].sliceLogic().GetSliceCompositeNode().SetLinkedControl(False)
        turn_wheel(self.view(1), 2)
        self.assertEqual(self.offsets(self.mains), [12, 18, 12, 12])
        turn_wheel(self.view(2), -1)
        self.assertEqual(self.offsets(self.mains), [9, 9, 9, 9])

    def test_other_views_of_slicer_do_not_follow(self):
        red = self.manager.sliceWidget("Red")
        self.show()
        red.sliceLogic().GetSliceCompositeNode().SetLinkedControl(True)
        before = red.sliceLogic().GetSliceOffset(), pixelSize(red.mrmlSliceNode())
        turn_wheel(self.view(1), 2)
        drag(self.zooms[1].sliceView(), (50, 60), (50, 100), qt.Qt.RightButton)
        self.assertEqual(
            (red.sliceLogic().GetSliceOffset(), pixelSize(red.mrmlSliceNode())), before
        )

    def test_rotated_views_show_mean_scores(self):
        self.show()
        node = self.mains[0].mrmlSliceNode()
        node.SetOrientation("Sagittal")
        psnr, ssim = (self.nodes.table.mean("nearest", key) for key in ("psnr", "ssim_wang"))
        self.assertEqual(
            self.texts()[:2], ["reference", f"nearest\nmean PSNR {psnr:.2f} dB  SSIM {ssim:.4f}"]
        )

    def test_data_consistency_is_shown_without_a_reference(self):
        self.show(reference=False)
        turn_wheel(self.view(1), 1)
        self.assertEqual(
            self.texts()[1],
            f"nearest\nInconsistency {self.nodes.table.values('nearest', 'inconsistency')[5]:.2f}",
        )

    def test_window_level_changes_apply_to_all_views(self):
        self.show()
        mode = slicer.app.applicationLogic().GetInteractionNode()
        mode.SetCurrentInteractionMode(mode.AdjustWindowLevel)
        self.addCleanup(mode.SetCurrentInteractionMode, mode.ViewTransform)
        displays = [
            volume.GetDisplayNode()
            for volume in (self.nodes.reference, *self.nodes.outputs.values())
        ]
        before = displays[0].GetWindow()
        drag(self.view(2), (60, 60), (90, 80))
        self.assertGreater(displays[0].GetWindow(), before)
        self.assertEqual(
            len({(display.GetWindow(), display.GetLevel()) for display in displays}), 1
        )

    def test_display_does_not_interpolate(self):
        self.show()
        volumes = (self.nodes.reference, *self.nodes.outputs.values())
        self.assertEqual([volume.GetDisplayNode().GetInterpolate() for volume in volumes], [0] * 4)


class ScoreTextTest(unittest.TestCase):
    def table(self, *keys):
        metrics = [
            metric
            for metric in (*COLUMNS, PERCEPTUAL["niqe"], PERCEPTUAL["pi"])
            if metric.key in keys
        ]
        return ScoreTable(metrics, {"a": {key: [1.0, None, 2.0] for key in keys}})

    def test_scores_of_a_slice_or_their_means_are_shown(self):
        table = self.table("psnr", "ssim_wang", "rmse", "inconsistency")
        self.assertEqual(scoreText(table, "a", 2), "PSNR 2.00 dB  SSIM 2.0000")
        self.assertEqual(scoreText(table, "a", None), "mean PSNR 1.50 dB  SSIM 1.5000")

    def test_undefined_score_is_a_dash(self):
        self.assertEqual(scoreText(self.table("psnr", "ssim_wang"), "a", 1), "PSNR –  SSIM –")

    def test_no_reference_metric_is_shown_beside_data_consistency(self):
        self.assertEqual(
            scoreText(self.table("inconsistency", "niqe"), "a", 0), "Inconsistency 1.00  NIQE 1.00"
        )
        self.assertEqual(
            scoreText(self.table("inconsistency", "pi"), "a", 1), "Inconsistency –  PI –"
        )


class ZoomTest(ComparisonViewsTestCase):
    def test_dragging_the_point_moves_all_zoomed_views(self):
        self.show()
        centers = self.centers(self.mains)
        x, y = self.pixel_of(self.views.pointOfInterest, 1)
        drag(self.view(1), (x, y), (x + 30, y - 20))
        np.testing.assert_allclose(
            self.pixel_of(self.views.pointOfInterest, 1), (x + 30, y - 20), atol=1.5
        )
        self.assert_zoom_views_follow()
        np.testing.assert_allclose(
            self.centers(self.mains), centers, atol=1e-6, err_msg="the pictures stay"
        )

    def test_point_follows_the_slice(self):
        self.show()
        x, y = self.pixel_of(self.views.pointOfInterest, 1)
        drag(self.view(1), (x, y), (x + 30, y - 20))
        before = self.views.pointOfInterest
        turn_wheel(self.view(1), 2)
        np.testing.assert_allclose(self.views.pointOfInterest, before + [0, 0, 6])
        drag(self.view(3), (x + 30, y - 20), (x, y))
        np.testing.assert_allclose(self.pixel_of(self.views.pointOfInterest, 1), (x, y), atol=1.5)

    def test_frame_outlines_the_zoomed_area(self):
        self.show()
        self.views.lensFactor = 5
        frame = slicer.util.getNode(FRAME)
        bounds = np.array(frame.GetPolyData().GetBounds())
        width, height, _ = self.zooms[0].mrmlSliceNode().GetFieldOfView()
        np.testing.assert_allclose(bounds[[1, 3]] - bounds[[0, 2]], [width, height], rtol=1e-5)
        np.testing.assert_allclose(
            (bounds[[1, 3, 5]] + bounds[[0, 2, 4]]) / 2, self.views.pointOfInterest, atol=1e-4
        )

    def test_scrolling_in_a_zoomed_view_scrolls_all_views(self):
        self.show()
        turn_wheel(self.zooms[2].sliceView(), -2)
        self.assertEqual(self.offsets(self.mains), [6] * 4)
        self.assertIn("k = 2", self.texts()[0])
        self.assert_zoom_views_follow()

    def test_panning_a_zoomed_view_moves_the_point(self):
        self.show()
        before, size = self.views.pointOfInterest, self.pixel_sizes(self.zooms)[0]
        drag(self.zooms[1].sliceView(), (50, 60), (80, 60), qt.Qt.MiddleButton)
        np.testing.assert_allclose(
            np.abs(self.views.pointOfInterest - before), [30 * size, 0, 0], atol=1e-6
        )
        self.assert_zoom_views_follow()

    def test_zooming_a_zoomed_view_changes_the_magnification_of_all(self):
        self.show()
        drag(self.zooms[3].sliceView(), (50, 60), (50, 100), qt.Qt.RightButton)
        self.assertGreater(self.views.lensFactor, 4.2)
        self.assert_zoom_views_follow()
        self.assertEqual(
            self.zooms[0].overlayCornerAnnotation().GetText(UPPER_LEFT),
            f"reference ×{self.views.lensFactor:.3g}",
        )

    def test_magnification_is_limited(self):
        self.show()
        for asked, got in ((0.1, 1.5), (1000, 40)):
            self.views.lensFactor = asked
            self.assertEqual(self.views.lensFactor, got)
            self.assert_zoom_views_follow()

    def test_resetting_all_views_keeps_the_magnification(self):
        self.show()
        self.manager.resetSliceViews()
        self.assertEqual(self.views.lensFactor, 4)
        self.assert_zoom_views_follow()

    def test_resized_window_keeps_the_magnification(self):
        self.show()
        before = [widget.mrmlSliceNode().GetFieldOfView()[1] for widget in self.mains]
        self.manager.viewport().resize(1100, 500)
        process_events()
        after = [widget.mrmlSliceNode().GetFieldOfView()[1] for widget in self.mains]
        np.testing.assert_allclose(after, before, err_msg="Slicer keeps the height that is seen")
        self.assertEqual(self.views.lensFactor, 4)
        self.assert_all_show_the_same(self.mains)
        self.assert_zoom_views_follow()

    def test_pixels_match_the_field_of_view_after_a_resize(self):
        self.manager.viewport().resize(300, 300)
        self.show()
        for widget in (*self.mains, *self.zooms):
            widget.sliceView().renderWindow()  # as soon as it is painted
        for size in ((1200, 900), (700, 800)):
            self.manager.viewport().resize(*size)
            process_events()
            for widget in (*self.mains, *self.zooms):
                node = widget.mrmlSliceNode()
                pixel = slicer.util.arrayFromVTKMatrix(node.GetXYToRAS())[:3, 0]
                self.assertAlmostEqual(
                    np.linalg.norm(pixel), node.GetFieldOfView()[0] / node.GetDimensions()[0], 9
                )

    def test_script_moves_the_point_to_another_slice(self):
        self.show()
        self.views.pointOfInterest = [10, 12, 21]
        self.assertIn("k = 7", self.texts()[0])
        self.assert_zoom_views_follow()

    def test_hidden_zoom_row_is_restored_unchanged(self):
        self.show()
        drag(self.zooms[1].sliceView(), (50, 60), (80, 60), qt.Qt.MiddleButton)
        self.views.lensFactor = 6
        point = self.views.pointOfInterest
        turn_wheel(self.view(1), 1)
        self.views.showZoom(False)
        process_events()
        self.assertFalse(any(widget.isVisibleTo(self.manager.viewport()) for widget in self.zooms))
        self.assertEqual(slicer.util.getNodesByClass("vtkMRMLMarkupsNode"), [])
        turn_wheel(self.view(1), 1)
        self.views.showZoom(True)
        process_events()
        np.testing.assert_allclose(self.views.pointOfInterest, point + [0, 0, 6])
        self.assertEqual(self.views.lensFactor, 6)
        self.assertIn("k = 6", self.texts()[0])
        self.assert_zoom_views_follow()

    def test_deleted_point_keeps_the_zoomed_views(self):
        self.show()
        slicer.mrmlScene.RemoveNode(slicer.util.getNodesByClass("vtkMRMLMarkupsNode")[0])
        slicer.mrmlScene.RemoveNode(slicer.util.getNode(FRAME))
        turn_wheel(self.view(1), 1)
        self.assert_zoom_views_follow()

    def test_point_is_unique_and_visible_in_the_comparison_only(self):
        self.show()
        point = slicer.util.getNodesByClass("vtkMRMLMarkupsNode")[0]
        self.assertTrue(point.GetFixedNumberOfControlPoints())
        self.assertTrue(
            point.GetDisplayNode().IsDisplayableInView(self.mains[0].mrmlSliceNode().GetID())
        )
        for widget in (self.zooms[0], self.manager.sliceWidget("Red")):
            self.assertFalse(
                point.GetDisplayNode().IsDisplayableInView(widget.mrmlSliceNode().GetID())
            )


class MapTest(ComparisonViewsTestCase):
    def foregrounds(self, widgets):
        return [widget.sliceLogic().GetForegroundLayer().GetVolumeNode() for widget in widgets]

    def test_maps_overlay_the_images_and_can_be_removed(self):
        self.show()
        one, other = (slicer.util.addVolumeFromArray(phantom(), name=name) for name in "ab")
        self.views.showMaps({"nearest": one, "bicubic": other, "bilinear": None})
        self.assertEqual(self.foregrounds(self.mains), [None, one, None, other])
        self.assertEqual(
            self.mains[1].sliceLogic().GetSliceCompositeNode().GetForegroundOpacity(), 1
        )
        self.assertEqual(self.foregrounds(self.zooms), [None] * 4)
        one.GetDisplayNode().SetWindowLevel(3, 4)
        self.assertEqual(
            (other.GetDisplayNode().GetWindow(), other.GetDisplayNode().GetLevel()), (3, 4)
        )
        self.assertNotEqual(self.nodes.reference.GetDisplayNode().GetWindow(), 3)
        self.views.showMaps({})
        self.assertEqual(self.foregrounds(self.mains), [None] * 4)

    def test_maps_stay_when_the_zoom_row_changes(self):
        self.show()
        one = slicer.util.addVolumeFromArray(phantom(), name="a")
        self.views.showMaps({"nearest": one})
        for visible in (False, True):
            self.views.showZoom(visible)
            self.assertEqual(self.foregrounds(self.mains), [None, one, None, None])
        self.assertEqual(self.foregrounds(self.zooms), [None] * 4)

    def test_legend_is_visible_only_with_its_map(self):
        self.show()
        maps = ComparisonMaps(self.nodes).make(ERROR)
        legend = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")[0]
        manager = self.view(1).displayableManagerByClassName("vtkMRMLColorLegendDisplayableManager")
        seen = []
        for shown in (maps, {}, maps):
            self.views.showMaps(shown)
            seen.append(manager.GetColorLegendActor(legend).GetVisibility())
        self.views.close()
        self.assertEqual([*seen, manager.GetColorLegendActor(legend).GetVisibility()], [1, 0, 1, 0])

    def test_deleted_map_is_tolerated(self):
        self.show()
        one = slicer.util.addVolumeFromArray(phantom(), name="a")
        self.views.showMaps({"nearest": one})
        slicer.mrmlScene.RemoveNode(one)
        self.views.showZoom(False)
        self.views.close()


class ClosingTest(ComparisonViewsTestCase):
    def assert_closed(self):
        self.assertFalse(self.views.isOpen)
        self.assertEqual(self.closed, [True])
        self.assertEqual(slicer.util.getNodesByClass("vtkMRMLMarkupsNode"), [])
        self.assertEqual(slicer.util.getNodes(FRAME), {})
        self.assertEqual(self.texts(), [""] * len(self.mains))
        for widget in self.mains + self.zooms:
            self.assertIsNone(widget.sliceLogic().GetBackgroundLayer().GetVolumeNode())

    def test_closing_restores_layout_and_display_settings(self):
        self.manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        nodes = comparison()
        display = nodes.outputs["bicubic"].GetDisplayNode()
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(11, 12)
        self.show(nodes)
        self.assertEqual(display.GetInterpolate(), 0)
        self.views.close()
        self.assert_closed()
        self.assertEqual(
            self.manager.layout, slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
        )
        self.assertEqual(
            (display.GetWindow(), display.GetLevel(), display.GetInterpolate()), (11, 12, 1)
        )

    def test_closing_twice_equals_closing_once(self):
        self.show()
        self.views.close()
        self.views.close()
        self.assert_closed()

    def test_closed_views_get_no_callbacks(self):
        called = self.record_calls(
            (LinkedSlices, "_onMainModified"),
            (LinkedSlices, "_onZoomModified"),
            (PointOfInterest, "_onPointModified"),
            (ComparisonDisplay, "_onModified"),
            (ComparisonViews, "_onCompositeModified"),
            (ComparisonViews, "_onLayoutChanged"),
            (ComparisonViews, "_onNodeRemoved"),
            (ComparisonViews, "_onImported"),
            (ComparisonViews, "_onSceneClose"),
        )
        self.show()
        self.views.showMaps(ComparisonMaps(self.nodes).make(ERROR))
        point = slicer.util.getNodesByClass("vtkMRMLMarkupsNode")[0]
        for visible in (False, True):
            self.views.showZoom(visible)
        self.disturb(point)
        self.assertEqual(len(set(called)), 8, "all but the closed scene")
        self.views.close()
        called.clear()
        self.disturb(point)
        slicer.mrmlScene.InvokeEvent(slicer.mrmlScene.StartCloseEvent)
        self.assertEqual(called, [])

    def record_calls(self, *methods):
        called = []
        for owner, name in methods:

            def recording(this, *arguments, name=name, original=getattr(owner, name)):
                called.append(name)
                original(this, *arguments)

            patch = unittest.mock.patch.object(owner, name, recording)
            patch.start()
            self.addCleanup(patch.stop)
        return called

    def disturb(self, point):
        """Modify everything that has observers."""
        for node in (
            *slicer.util.getNodesByClass("vtkMRMLSliceNode"),
            *slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"),
            *slicer.util.getNodesByClass("vtkMRMLScalarVolumeDisplayNode"),
            self.manager.layoutLogic().GetLayoutNode(),
        ):
            node.Modified()
        for node in (point, *slicer.util.getNodesByClass("vtkMRMLMarkupsNode")):
            node.InvokeEvent(node.PointModifiedEvent)
        slicer.mrmlScene.RemoveNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode"))
        slicer.mrmlScene.InvokeEvent(slicer.mrmlScene.EndImportEvent)

    def test_closed_views_are_released(self):
        views = ComparisonViews(comparison())
        views.open()
        process_events()
        views.close()
        alive = weakref.ref(views)
        del views
        gc.collect()
        self.assertIsNone(alive())

    def test_closed_views_open_again(self):
        self.show()
        turn_wheel(self.view(1), 2)
        self.views.close()
        self.assertTrue(self.views.open())
        self.assertIn("k = 4", self.texts()[0])
        turn_wheel(self.view(1), 1)
        self.assertEqual(self.offsets(self.mains), [15] * 4)

    def test_layout_chosen_by_the_user_closes_the_views_and_stays(self):
        self.show()
        self.manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        self.assert_closed()
        self.assertEqual(
            self.manager.layout, slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
        )

    def test_volume_shown_in_the_slice_views_closes_the_comparison(self):
        self.show()
        showInSliceViews(self.nodes.low)
        self.assertEqual(
            (self.views.isOpen, self.closed, self.manager.layout), (False, [True], FOUR_UP)
        )
        self.assertIs(
            self.manager.sliceWidget("Red").sliceLogic().GetBackgroundLayer().GetVolumeNode(),
            self.nodes.low,
        )

    def test_maximized_view_keeps_the_comparison_open(self):
        self.show()
        for _ in range(2):
            double_click(self.view(1))
            process_events()
            self.assertTrue(self.views.isOpen)
            turn_wheel(self.view(1), 1)
            self.assert_all_show_the_same([self.mains[0], self.mains[2], self.mains[3]])
        self.assertIn("k = 6", self.texts()[0])

    def test_view_that_was_maximized_before_is_maximized_again(self):
        red, yellow = (self.manager.sliceWidget(name) for name in ("Red", "Yellow"))
        double_click(red.sliceView())
        process_events()
        self.show()
        self.views.close()
        visible = [widget.isVisibleTo(self.manager.viewport()) for widget in (red, yellow)]
        self.assertEqual(visible, [True, False])
        double_click(red.sliceView())
        process_events()

    def test_closed_scene_closes_the_views_and_restores_the_layout(self):
        self.show()
        slicer.mrmlScene.Clear(0)
        process_events()
        self.assert_closed()
        self.assertEqual(self.manager.layout, FOUR_UP)
        self.assertTrue(self.manager.sliceWidget("Red").isVisibleTo(self.manager.viewport()))

    def test_views_close_before_the_scene(self):
        nodes, found = comparison(), []
        views = ComparisonViews(nodes, lambda: found.append(nodes.isPresent))
        views.open()
        slicer.mrmlScene.Clear(0)
        self.assertEqual(found, [True], "the volumes were still there")

    def test_next_comparison_after_a_closed_scene_is_linked_and_rotated(self):
        self.show()
        slicer.mrmlScene.Clear(0)
        self.show(matrix=OBLIQUE)
        turn_wheel(self.view(1), 1)
        self.assertIn("k = 5", self.texts()[0])
        self.assert_all_show_the_same(self.mains)
        self.assert_zoom_views_follow()

    def test_deleted_output_keeps_the_others(self):
        self.show()
        slicer.mrmlScene.RemoveNode(self.nodes.outputs["bilinear"])
        self.assertTrue(self.views.isOpen)
        self.assertEqual(self.texts()[2], "bilinear: deleted")
        turn_wheel(self.view(1), 1)
        self.assertIn("k = 5", self.texts()[0])

    def test_views_close_with_the_last_output(self):
        self.show()
        for volume in self.nodes.outputs.values():
            slicer.mrmlScene.RemoveNode(volume)
        self.assert_closed()
        self.assertEqual(self.manager.layout, FOUR_UP)

    def test_another_volume_in_a_view_shows_its_own_name(self):
        self.show()
        self.mains[1].sliceLogic().GetSliceCompositeNode().SetBackgroundVolumeID(
            self.nodes.low.GetID()
        )
        self.assertEqual(self.texts()[1], self.nodes.low.GetName())

    def test_imported_scene_does_not_change_the_views(self):
        self.show()
        path = f"{slicer.app.temporaryPath}/saved.mrml"
        self.assertTrue(slicer.util.saveScene(path))
        turn_wheel(self.view(1), 2)
        slicer.mrmlScene.SetURL(path)
        slicer.mrmlScene.Import()
        process_events()
        self.assertTrue(self.views.isOpen)
        shown = [widget.sliceLogic().GetBackgroundLayer().GetVolumeNode() for widget in self.mains]
        self.assertEqual(shown, [self.nodes.reference, *self.nodes.outputs.values()])
        drag(self.zooms[3].sliceView(), (50, 60), (50, 100), qt.Qt.RightButton)
        self.assertGreater(self.views.lensFactor, 4.2)
        self.assert_all_show_the_same(self.mains)
        self.assert_zoom_views_follow()

    def test_saving_and_loading_the_scene_logs_no_warning(self):
        """An oblique plane is reported as an error when it is loaded."""
        window, messages = vtk.vtkOutputWindow.GetInstance(), vtk.vtkStringOutputWindow()
        vtk.vtkOutputWindow.SetInstance(messages)
        self.addCleanup(vtk.vtkOutputWindow.SetInstance, window)
        self.show(matrix=OBLIQUE)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "scene.mrml")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear(0)
            slicer.util.loadScene(path)
        self.assertEqual(messages.GetOutput(), "")

    def test_failed_opening_restores_everything(self):
        nodes = comparison()
        views = ComparisonViews(nodes)
        with unittest.mock.patch(
            "MRISuperResLib.widgets.comparison.views.LinkedSlices",
            side_effect=RuntimeError("broken"),
        ):
            with self.assertRaisesRegex(RuntimeError, "broken"):
                views.open()
        self.assertFalse(views.isOpen)
        self.assertEqual(self.manager.layout, FOUR_UP)
        self.show(nodes)


if __name__ == "__main__":
    unittest.main()
