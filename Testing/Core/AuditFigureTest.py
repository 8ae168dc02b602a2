"""Figure of an audit: content and layout."""

import importlib.util
import io
import unittest
from unittest import mock

import numpy as np
from made_bodies import audit, body
from MRISuperResLib.core import geometry
from MRISuperResLib.core.audit.figure import WorstSlices
from MRISuperResLib.core.options import BASELINES, AuditOptions
from MRISuperResLib.core.audit.sfrc import LIMIT

MATRIX = np.diag([0.8, 0.8, 3.0, 1])  # i to the right, j forward, k upward


def audited(shape=(3, 96, 80), seed=0, matrix=MATRIX, **settings):
    return audit(body(shape, seed=seed), matrix, AuditOptions((), **settings))


def drawn(worst):
    """(matplotlib's figure, the picture as pixels)"""
    from matplotlib.figure import Figure
    from PIL import Image

    kept, savefig, file = [], Figure.savefig, io.BytesIO()
    with mock.patch.object(
        Figure,
        "savefig",
        autospec=True,
        side_effect=lambda self, *a, **k: (kept.append(self), savefig(self, *a, **k))[1],
    ):
        worst.draw(file)
    return kept[0], np.asarray(Image.open(file))


@unittest.skipUnless(importlib.util.find_spec("matplotlib"), "matplotlib is not installed")
class AuditFigureTest(unittest.TestCase):
    def test_every_method_has_a_row_with_reference_output_and_map_of_its_worst_slice(self):
        found, worst = audited(), WorstSlices()
        worst.add(2, "sub-1", found)
        figure, _ = drawn(worst)
        images = [axes.images[0].get_array() for axes in figure.axes if axes.images]
        self.assertEqual(len(images), 3 * len(BASELINES))
        for number, method in enumerate(found.methods.values()):
            for image, expected in zip(
                images[3 * number :],
                (method.worst.reference, method.worst.image, method.worst.crossing),
            ):
                np.testing.assert_array_equal(
                    np.ma.getdata(image), geometry.to_radiological(expected, MATRIX, found.axis)
                )
        labels = [text.get_text() for text in figure.texts]
        self.assertIn(
            f"bicubic ×2: sub-1, slice {found.methods['bicubic'].worst.number + 1} (axial)",
            labels[0],
        )
        self.assertIn("not for diagnosis", labels[-1])

    def test_the_worst_volume_of_every_scale_is_shown(self):
        good, bad, worst = audited(), audited(seed=1, noise=15.0), WorstSlices()
        self.assertGreater(bad.methods["bicubic"].worst.share, good.methods["bicubic"].worst.share)
        for order in ((("good", good), ("bad", bad)), (("bad", bad), ("good", good))):
            worst = WorstSlices()
            worst.add(4, "other", audited(scale=4))
            for name, found in order:
                worst.add(2, name, found)
            figure, _ = drawn(worst)
            expected = [
                f"{method} ×{scale}: {name}"
                for scale, name in ((2, "bad"), (4, "other"))
                for method in BASELINES
            ]
            self.assertEqual(
                [text.get_text().split(",")[0] for text in figure.texts[:-1]], expected
            )

    def test_unfaithful_patches_are_outlined_and_the_limit_is_marked(self):
        from matplotlib.contour import ContourSet

        worst = WorstSlices()
        worst.add(2, "noisy", audited(noise=15.0))
        figure, _ = drawn(worst)
        self.assertTrue(any(isinstance(part, ContourSet) for part in figure.axes[1].get_children()))
        bar = next(axes for axes in figure.axes if not axes.images and axes.lines)
        self.assertEqual(set(bar.lines[-1].get_ydata()), {LIMIT / 2})

    def test_pixels_are_to_scale_and_texts_stay_inside(self):
        for shape, matrix in (
            ((3, 96, 80), MATRIX),
            ((2, 40, 160), np.diag([0.5, 1.0, 3, 1])),
            ((2, 160, 40), MATRIX),
        ):
            worst = WorstSlices()
            worst.add(
                2,
                "a long name of a volume " * 4 + "in a folder/_$x$.dcm",
                audited(shape, matrix=matrix),
            )
            figure, pixels = drawn(worst)
            self.assertGreater(pixels.std(), 0)
            for axes in (axes for axes in figure.axes if axes.images):
                height, width = axes.images[0].get_array().shape
                box = axes.get_window_extent()
                self.assertAlmostEqual(
                    box.height / box.width, height * matrix[1, 1] / (width * matrix[0, 0]), places=2
                )
            for text in figure.texts:
                box = text.get_window_extent()
                self.assertTrue(
                    figure.bbox.contains(box.x0, box.y0) and figure.bbox.contains(box.x1, box.y1),
                    text.get_text(),
                )


if __name__ == "__main__":
    unittest.main()
