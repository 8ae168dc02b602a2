"""Whole validation slices, the measures of the comparison, and which model is the best."""

import unittest
from unittest import mock

import made_vgg
import numpy as np
import torch
from made_runs import RunTest, settings
from MRISuperResLib.core import metrics, resampling
from MRISuperResLib.core.comparison.slice_scores import SliceScores
from MRISuperResLib.core.networks import make_generator
from MRISuperResTrainingLib.training import validation
from MRISuperResTrainingLib.networks import lpips
from MRISuperResTrainingLib.networks.vgg import VGG
from MRISuperResTrainingLib.training.validation import (
    CONTRAST,
    LPIPS,
    PSNR,
    VGG_DISTANCE,
    Validation,
    contrast,
)
from scipy.ndimage import gaussian_filter, uniform_filter


def slices(count=3, shape=(32, 40)):
    """[(low, high)]"""
    high = [
        np.clip(gaussian_filter(np.random.default_rng(n).normal(0.5, 1, shape), 1), 0, 1).astype(
            np.float32
        )
        for n in range(count)
    ]
    return [(resampling.degrade(image, 2), image) for image in high]


class ScoresTest(RunTest):
    def validation(self, pairs=None, vgg=None, measure=None):
        used = settings()
        return Validation(self.accelerator(used), used, pairs or slices(), vgg, measure)

    def weights(self, seed=0):
        torch.manual_seed(seed)
        net = make_generator(settings().generator, 2)
        torch.nn.init.normal_(net.conv_last.weight, std=0.01)
        return net, net.state_dict()

    def test_the_scores_are_those_of_the_comparison_averaged_over_the_slices(self):
        net, weights = self.weights()
        pairs = slices()
        expected = []
        for low, high in pairs:
            with torch.no_grad():
                output = net(torch.from_numpy(low)[None, None])[0, 0].numpy()
            expected.append(SliceScores(high, None, low, 2, "bicubic").of(output))
        found = self.validation(pairs).scores(weights, PSNR)
        self.assertEqual(set(found), {"psnr", "ssim"})
        self.assertAlmostEqual(
            found["psnr"], np.mean([scores["psnr"] for scores in expected]), places=4
        )
        self.assertAlmostEqual(
            found["ssim"], np.mean([scores["ssim_wang"] for scores in expected]), places=5
        )

    def test_bicubic_interpolation_is_measured_on_the_same_slices(self):
        pairs = slices()
        expected = np.mean(
            [metrics.psnr(resampling.upsample(low, 2) * 255, high * 255) for low, high in pairs]
        )
        self.assertAlmostEqual(self.validation(pairs).bicubic(PSNR)["psnr"], expected, places=6)

    def test_of_many_slices_some_are_measured_spread_over_all(self):
        class Counted(list):
            def __getitem__(self, n):
                asked.append(int(n))
                return super().__getitem__(n)

        asked = []
        with mock.patch.object(validation, "MOST_SLICES", 4):
            self.validation(Counted(slices(10)))
        self.assertEqual(asked, [0, 3, 6, 9])

    def test_vgg_looks_at_some_of_them_only(self):
        with (
            mock.patch.object(validation, "MOST_LOOKED_AT", 2),
            mock.patch.object(validation, "VggDistance") as distance,
        ):
            distance.return_value.side_effect = [1.0, 2.0]
            self.assertEqual(
                self.validation(slices(5), vgg=torch.nn.Identity()).bicubic(VGG_DISTANCE)[
                    "vgg_distance"
                ],
                1.5,
            )

    def test_slices_that_are_smaller_than_the_window_of_ssim_have_psnr_only(self):
        self.assertEqual(set(self.validation(slices(2, (8, 8))).bicubic(PSNR)), {"psnr"})

    def test_samples_show_what_the_last_weights_make_of_a_few_slices(self):
        pairs = slices(7)
        checked = self.validation(pairs)
        net, weights = self.weights()
        checked.scores(weights, PSNR)
        samples = checked.samples()
        self.assertEqual([len(images) for images in samples.values()], [3, 3, 3])
        with torch.no_grad():
            np.testing.assert_allclose(
                samples["output"][1],
                net(torch.from_numpy(samples["low"][1])[None, None])[0, 0].numpy(),
                atol=1e-6,
            )
        self.assertEqual(samples["output"][0].shape, samples["high"][0].shape)

    def test_the_best_is_chosen_by_lpips_if_it_is_there_else_by_the_distance_in_vgg19_else_by_contrast(
        self,
    ):
        with made_vgg.narrow():
            vgg = VGG(
                "vgg19",
                made_vgg.write_torchvision(
                    self.folder / "vgg19.pth", "vgg19", made_vgg.random_weights("vgg19")
                ),
            )
            torch.save(
                {
                    f"lin{n}.model.1.weight": torch.rand(1, width, 1, 1)
                    for n, width in enumerate(made_vgg.WIDTHS)
                },
                self.folder / "lin.pth",
            )
            measure = lpips.Lpips(
                made_vgg.write_torchvision(
                    self.folder / "vgg16.pth", "vgg16", made_vgg.random_weights("vgg16")
                ),
                self.folder / "lin.pth",
            )
        _, weights = self.weights()
        for given, expected in (
            ((vgg, measure), LPIPS),
            ((vgg, None), VGG_DISTANCE),
            ((None, None), CONTRAST),
        ):
            with self.subTest(expected.name):
                checked = self.validation(None, *given)
                by = checked.judge("gan")
                self.assertIs(by, expected)
                self.assertIs(checked.judge("psnr"), PSNR)
                self.assertEqual(set(checked.scores(weights, by)), {"psnr", "ssim", expected.name})
                self.assertGreater(checked.bicubic(by)[by.name], 0)

    def test_higher_psnr_and_contrast_and_lower_lpips_and_vgg_distance_are_better(self):
        self.assertEqual(
            [by.is_better(2, 1) for by in (PSNR, CONTRAST, LPIPS, VGG_DISTANCE)],
            [True, True, False, False],
        )


class ContrastTest(unittest.TestCase):
    def texture(self, seed=0):
        return gaussian_filter(np.random.default_rng(seed).normal(0, 1, (64, 64)), 1)

    def test_it_is_the_contrast_term_of_ssim(self):
        image, truth = self.texture(0), self.texture(1)
        ones = [gaussian_filter(a, 1.5, radius=5, mode="nearest") for a in (image, truth)]
        squares = [gaussian_filter(a**2, 1.5, radius=5, mode="nearest") for a in (image, truth)]
        variances = [square - one**2 for one, square in zip(ones, squares)]
        expected = (
            (2 * np.sqrt(variances[0] * variances[1]) + 0.0009)
            / (variances[0] + variances[1] + 0.0009)
        ).mean()
        self.assertAlmostEqual(contrast(image, truth), expected, places=9)

    def test_both_smoothing_and_noise_cost_and_a_texture_that_has_moved_costs_less_than_a_smooth_one(
        self,
    ):
        truth = self.texture()
        self.assertAlmostEqual(contrast(truth, truth), 1)
        smooth, moved = uniform_filter(truth, 3), np.roll(truth, 1, 0)
        for worse in (smooth, truth + np.random.default_rng(3).normal(0, 0.5, truth.shape)):
            self.assertLess(contrast(worse, truth), 0.97)
        self.assertGreater(contrast(moved, truth), contrast(smooth, truth))
        self.assertLess(metrics.psnr(moved, truth), metrics.psnr(smooth, truth))


if __name__ == "__main__":
    unittest.main()
