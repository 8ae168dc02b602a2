"""Pixels of the comparison views, and pictures of them."""

import unittest

import numpy as np
import slicer
from comparison_views_helpers import comparison, make_comparison, phantom
from MRISuperResLib.widgets.comparison.views import ComparisonViews
from MRISuperResLib.scene.comparison.layout import mainViewNames, zoomViewNames
from MRISuperResLib.scene.comparison.maps import ERROR, ComparisonMaps
from MRISuperResLib.scene.comparison.slice_views import ijkToWorld
from MRISuperResLib.scene.nodes import ijkToRAS
from panel_testing import gray_values, process_events, real_data, screenshot, turn_wheel

VOLUME = ("fetal", "sub-01_run-3_T2w.nii.gz")
SIZE = (1400, 900)
EIGHT = (
    "nearest",
    "bilinear",
    "bicubic",
    "nearest+bp",
    "bilinear+bp",
    "bicubic+bp",
    "net-psnr",
    "net-gan",
)


class ComparisonPicturesTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.manager = slicer.app.layoutManager()
        self.manager.viewport().resize(*SIZE)
        self.manager.viewport().show()
        process_events()

    def show(self, nodes):
        self.nodes, self.views = nodes, ComparisonViews(nodes)
        self.addCleanup(self.views.close)
        self.views.open()
        process_events()
        count = 1 + len(nodes.outputs)
        self.mains = [self.manager.sliceWidget(name) for name in mainViewNames(count)]
        self.zooms = [self.manager.sliceWidget(name) for name in zoomViewNames(count)]

    def real_comparison(self):
        """Compare on a few slices of a real volume if it is available, else on a phantom."""
        try:
            node = slicer.util.loadVolume(str(real_data(*VOLUME)))
        except unittest.SkipTest:
            return comparison(
                phantom((160, 160, 5)),
                methods=("nearest", "bilinear", "bicubic", "bicubic+bp", "fast-x2-psnr"),
            )
        crop = slice(9, 13), slice(60, 260), slice(90, 290)
        matrix = ijkToRAS(node)
        matrix[:3, 3] = (matrix @ [crop[2].start, crop[1].start, crop[0].start, 1])[:3]
        slicer.util.updateVolumeFromArray(node, slicer.util.arrayFromVolume(node)[crop].copy())
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
        node.SetName("Fetus T2")
        return make_comparison(
            node, ("nearest", "bilinear", "bicubic", "bicubic+bp", "fast-x2-psnr")
        )

    def assert_shows_its_voxels(self, widget, volume):
        """Check random pixels below the text."""
        shown, array, toIJK = (
            gray_values(widget.sliceView()),
            slicer.util.arrayFromVolume(volume),
            np.linalg.inv(ijkToWorld(volume)),
        )
        display = volume.GetDisplayNode()
        height, width = shown.shape
        found, expected = [], []
        for x, y in np.random.default_rng(2).integers((0, 50), (width, height), (1000, 2)):
            index = (toIJK @ [*widget.sliceView().convertXYZToRAS([x, height - 1 - y, 0]), 1])[:3]
            nearest = np.floor(index + 0.5).astype(int)
            isSure = (
                np.abs(index - nearest)[:2].max() < 0.4
            )  # the border between two voxels is anyone's
            if isSure and (nearest >= 0).all() and (nearest < array.shape[::-1]).all():
                found.append(shown[y, x])
                expected.append(
                    np.clip(
                        (array[tuple(nearest[::-1])] - display.GetLevel()) / display.GetWindow()
                        + 0.5,
                        0,
                        1,
                    )
                    * 255
                )
        self.assertGreater(len(found), 100)
        np.testing.assert_allclose(found, expected, atol=1.5, err_msg=volume.GetName())

    def test_every_view_shows_the_voxels_of_its_volume_without_smoothing(self):
        self.show(comparison())
        self.views.showZoom(False)
        process_events()
        for steps in (0, 2):
            turn_wheel(self.mains[1].sliceView(), steps)
            for widget, volume in zip(
                self.mains, (self.nodes.reference, *self.nodes.outputs.values())
            ):
                self.assert_shows_its_voxels(widget, volume)

    def test_zoomed_views_show_the_voxels_of_their_volume(self):
        self.show(comparison())
        for widget, volume in zip(self.zooms, (self.nodes.reference, *self.nodes.outputs.values())):
            self.assert_shows_its_voxels(widget, volume)

    def test_texts_and_frame_are_visible(self):
        self.show(comparison())
        before = [gray_values(widget.sliceView()) for widget in self.mains]
        self.views.showZoom(False)
        process_events()
        for widget, picture in zip(self.mains, before):
            now = gray_values(widget.sliceView())
            self.assertGreater((now[:40, :200] > 200).sum(), 100, "white letters on black")
            self.assertNotEqual(now.shape, picture.shape)

    def test_pictures_of_a_real_volume(self):
        self.show(self.real_comparison())
        matrix, size = (
            ijkToWorld(self.nodes.reference),
            self.nodes.reference.GetImageData().GetDimensions(),
        )
        self.views.pointOfInterest = (matrix @ [0.35 * size[0], 0.5 * size[1], 2, 1])[:3]
        screenshot(self.manager.viewport(), "comparison", SIZE)
        self.assertEqual([main.x for main in self.mains], [zoom.x for zoom in self.zooms])
        self.views.showMaps(ComparisonMaps(self.nodes).make(ERROR))
        self.views.showZoom(False)
        screenshot(self.manager.viewport(), "comparison_maps", SIZE)

    def test_reference_and_eight_methods_fit(self):
        self.show(comparison(phantom((64, 64, 3)), methods=EIGHT))
        screenshot(self.manager.viewport(), "comparison_nine", SIZE)
        self.assertEqual(len({(widget.x, widget.y) for widget in self.mains + self.zooms}), 18)
        self.assertLessEqual(np.ptp([widget.width for widget in self.mains]), 1)
        self.assertTrue(
            self.mains[8].overlayCornerAnnotation().GetText(2).startswith("net-gan\nPSNR")
        )


if __name__ == "__main__":
    unittest.main()
