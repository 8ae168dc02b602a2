"""Figure of a comparison: content and layout."""

import importlib.util
import io
import sys
import unittest
import warnings
from unittest import mock

import numpy as np
from made_bodies import body, compare
from MRISuperResLib.core import geometry
from MRISuperResLib.core.comparison import figure
from MRISuperResLib.core.comparison.figure import Area
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.errors import SuperResolutionError

MATRIX = np.diag([0.8, 0.8, 3.0, 1])  # i to the right, j forward, k upward


def comparison(shape=(3, 192, 160), matrix=MATRIX, volume=None, **settings):
    options = ComparisonOptions(
        **{"methods": ("nearest", "bilinear", "bicubic"), "scale": 2} | settings
    )
    return compare(body(shape) if volume is None else volume, matrix, options)


def pictures_of(result, area=None, title=""):
    """[(image, label, axes)] of the parts, the figure as pixels, and matplotlib's figure."""
    from matplotlib.figure import Figure
    from PIL import Image

    kept = []
    savefig = Figure.savefig
    with mock.patch.object(
        Figure,
        "savefig",
        autospec=True,
        side_effect=lambda self, *a, **k: (kept.append(self), savefig(self, *a, **k))[1],
    ):
        file = io.BytesIO()
        figure.draw(result, file, title, area)
    axes = kept[0].axes
    return (
        [(np.asarray(a.images[0].get_array()), a.get_xlabel(), a) for a in axes],
        np.asarray(Image.open(file)),
        kept[0],
    )


class AreaTest(unittest.TestCase):
    def test_the_area_is_where_the_methods_differ_most(self):
        result = comparison()
        area = figure.most_different_area(result)
        spread = np.stack([output.volume.array.astype(float) for output in result.outputs]).std(
            axis=0
        )
        means = {}
        for number in range(3):
            for row in range(0, 192 - 2 * area.height + 1, 2):
                for column in range(0, 160 - 2 * area.width + 1, 2):
                    means[number, row // 2, column // 2] = spread[
                        number, row : row + 2 * area.height, column : column + 2 * area.width
                    ].mean()
        self.assertGreater(
            means[area.number, area.row, area.column], 0.97 * max(means.values())
        )  # which do not leave out the air
        inside = means[area.number, area.row, area.column]
        self.assertGreater(inside, 1.3 * np.median(list(means.values())))

    def test_differences_in_air_do_not_attract_the_area(self):
        volume = body((2, 192, 160)).astype(float)
        volume[:, :32, :32] += 60 * np.random.default_rng(0).random((2, 32, 32))
        area = figure.most_different_area(comparison(volume=volume))
        self.assertFalse(area.row < 16 and area.column < 16)

    def test_the_area_is_square_in_mm_and_a_fifth_of_the_slice_but_not_tiny(self):
        wide = np.diag([0.5, 1.0, 3.0, 1])
        for matrix, shape, size in (
            (MATRIX, (2, 192, 160), (16, 16)),
            (wide, (2, 192, 400), (19, 38)),
            (MATRIX, (2, 40, 24), (12, 12)),
        ):
            with self.subTest(shape):
                area = figure.most_different_area(comparison(shape, matrix))
                self.assertEqual((area.height, area.width), size)

    def test_a_voxel_of_the_input_selects_the_area(self):
        for reference, part in ((True, 2), (False, 1)):
            result = comparison(reference=reference)
            area = figure.area_around(result, (81, 101, 2))
            self.assertEqual(area.number, 2)
            self.assertEqual(
                (area.row + area.height // 2, area.column + area.width // 2),
                (101 // part, 81 // part),
            )
            self.assertEqual(
                figure.area_around(result, (0, 0, 0)), Area(0, 0, 0, area.height, area.width)
            )
            last = figure.area_around(result, (159, 191, 0))
            self.assertEqual(
                (last.row + last.height, last.column + last.width), (192 // part, 160 // part)
            )
            for voxel in ((160, 0, 0), (0, 192, 0), (0, 0, 3), (-1, 0, 0)):
                with self.assertRaisesRegex(SuperResolutionError, "is outside the compared volume"):
                    figure.area_around(result, voxel)

    def test_voxels_are_those_of_the_input_along_any_axis(self):
        for axis, name in enumerate("ijk"):
            result = comparison((48, 56, 64), np.diag([1.0, 1, 1, 1]), slice_axis=name)
            voxel = np.array((40, 30, 20))
            area = figure.area_around(result, tuple(voxel.tolist()))
            mask = np.zeros((48, 56, 64), bool)
            np.moveaxis(mask, 2 - axis, 0)[area.within(2)] = True
            self.assertTrue(mask[tuple(voxel[::-1])])
            self.assertEqual(np.ptp(np.nonzero(mask)[2 - axis]), 0)


@unittest.skipUnless(importlib.util.find_spec("matplotlib"), "matplotlib is not installed")
class PictureTest(unittest.TestCase):
    def test_it_shows_a_whole_slice_and_the_area_in_the_reference_and_every_output(self):
        result = comparison()
        area = Area(1, 40, 20, 16, 16)
        parts, _, _ = pictures_of(result, area)
        cut = np.s_[1, 80:112, 40:72]
        expected = [
            result.reference.array[1],
            result.reference.array[cut],
            *(output.volume.array[cut] for output in result.outputs),
        ]
        self.assertEqual(len(parts), len(expected))
        for (image, _, _), volume in zip(parts, expected):
            np.testing.assert_array_equal(
                image, volume[::-1, ::-1]
            )  # forward is up, the patient's right on the left

    def test_without_a_reference_the_input_is_shown_in_its_own_pixels(self):
        result = comparison(reference=False)
        area = Area(0, 40, 20, 16, 16)
        (whole, *_), (first, label, _), (second, *_) = pictures_of(result, area)[0][:3]
        self.assertEqual((whole.shape, first.shape, second.shape), ((192, 160), (16, 16), (32, 32)))
        np.testing.assert_array_equal(first, result.low.array[0, 40:56, 20:36][::-1, ::-1])
        np.testing.assert_array_equal(
            second, result.outputs[0].volume.array[0, 80:112, 40:72][::-1, ::-1]
        )
        self.assertIn("input", label)

    def test_scores_are_those_of_the_displayed_slice(self):
        result = comparison()
        for number in (0, 2):
            labels = [label for _, label, _ in pictures_of(result, Area(number, 40, 20, 16, 16))[0]]
            self.assertEqual(
                labels[:2],
                [f"slice {number + 1} of 3, axial", "reference\nPSNR (dB) / SSIM (Wang)"],
            )
            for output, label in zip(result.outputs, labels[2:]):
                psnr, ssim = (
                    result.table.values(output.name, key)[number] for key in ("psnr", "ssim_wang")
                )
                self.assertEqual(label, f"{output.name}\n{psnr:.2f} / {ssim:.4f}")

    def test_the_frame_lies_around_the_area(self):
        for axis in "ijk":
            result = comparison((48, 56, 64), np.diag([1.0, 1, 1, 1]), slice_axis=axis)
            area = Area(20, 3, 5, 6, 8)
            (image, _, axes), (part, *_) = pictures_of(result, area)[0][:2]
            x, y, width, height = axes.patches[0].get_bbox().bounds
            framed = image[
                round(y + 0.5) : round(y + height + 0.5), round(x + 0.5) : round(x + width + 0.5)
            ]
            np.testing.assert_array_equal(framed, part)

    def test_slices_are_in_radiological_orientation(self):
        matrix = np.array(
            [[0, 0, 1.0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
        )  # i forward, j upward, k to the right
        result = comparison((48, 56, 64), matrix, slice_axis="sagittal")
        image = pictures_of(result, Area(20, 3, 5, 6, 8))[0][0][0]
        np.testing.assert_array_equal(
            image, geometry.to_radiological(result.reference.array, matrix, result.axis)[20]
        )
        np.testing.assert_array_equal(
            image, result.reference.array[20, ::-1, ::-1]
        )  # upward is up, forward is left

    def test_everything_is_to_scale_in_the_same_gray_levels_and_not_smoothed(self):
        matrix = np.array(
            [[0, 1.5, 0, 0], [0.5, 0, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1.0]]
        )  # columns run forward, rows to the right
        result = comparison((2, 80, 200), matrix)
        parts, _, _ = pictures_of(result)
        limits = {(axes.images[0].norm.vmin, axes.images[0].norm.vmax) for _, _, axes in parts}
        self.assertEqual(len(limits), 1)
        for image, _, axes in parts:
            self.assertEqual(axes.images[0].get_interpolation(), "nearest")
            height, width = image.shape
            box = axes.get_window_extent()
            self.assertAlmostEqual(box.height / box.width, (height * 0.5) / (width * 1.5), places=2)

    def test_texts_stay_inside_the_figure_and_do_not_overlap(self):
        for methods in (
            ("nearest", "bicubic"),
            ("nearest", "bilinear", "bicubic", "nearest+bp", "bilinear+bp", "bicubic+bp"),
        ):
            result = comparison(methods=methods, noise=12.5)
            _, _, drawn = pictures_of(
                result, title="a rather long name of a volume in a file.nii.gz, ×2"
            )
            texts = [*drawn.texts, *(axes.xaxis.label for axes in drawn.axes)]
            boxes = [text.get_window_extent() for text in texts]
            for n, box in enumerate(boxes):
                self.assertTrue(
                    drawn.bbox.contains(box.x0, box.y0) and drawn.bbox.contains(box.x1, box.y1),
                    texts[n].get_text(),
                )
                self.assertFalse(box.count_overlaps(boxes[:n]), texts[n].get_text())
                self.assertFalse(
                    box.count_overlaps([axes.get_window_extent() for axes in drawn.axes]),
                    texts[n].get_text(),
                )

    def test_the_footer_states_the_degradation_and_that_images_are_synthetic(self):
        result = comparison(degradation="kspace", noise=2.5)
        texts = [text.get_text() for text in pictures_of(result, title="T2, ×2")[2].texts]
        self.assertEqual(texts[0], "T2, ×2")
        for part in ("÷2", "kspace", "noise 2.5 %", "synthetic, not for diagnosis"):
            self.assertIn(part, texts[1])

    def test_any_file_name_is_a_title(self):
        result = comparison(methods=("nearest", "bicubic"))
        for title in (
            "$\\frac{1$ and $_x$.nii.gz, ×2",
            "脳のMRI.nii.gz, ×2",
            "a" * 250 + ".nii.gz, ×2",
        ):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                drawn = pictures_of(result, title=title)[2]
            if "脳" not in title:  # measuring it warns
                box = drawn.texts[0].get_window_extent()
                self.assertTrue(
                    drawn.bbox.contains(box.x0, box.y0) and drawn.bbox.contains(box.x1, box.y1),
                    title,
                )

    def test_the_same_comparison_gives_the_same_figure(self):
        result = comparison()
        np.testing.assert_array_equal(pictures_of(result)[1], pictures_of(result)[1])

    def test_matplotlibs_global_state_is_unchanged(self):
        before = "matplotlib.pyplot" in sys.modules
        pictures_of(comparison())
        self.assertEqual("matplotlib.pyplot" in sys.modules, before)


class WithoutMatplotlibTest(unittest.TestCase):
    def test_a_missing_matplotlib_is_one_sentence(self):
        with (
            mock.patch.dict(sys.modules, {"matplotlib.figure": None}),
            self.assertRaisesRegex(
                SuperResolutionError, "needs the package matplotlib.*pip install"
            ),
        ):
            figure.import_matplotlib()


if __name__ == "__main__":
    unittest.main()
