"""Whole validation slices, the measures of the comparison, and which model is the best."""

import unittest
from functools import partial
from unittest import mock

import made_vgg
import numpy as np
import torch
from made_runs import RunTest, settings
from MRISuperResLib.core import resampling
from MRISuperResLib.core.metrics import full_reference as metrics
from MRISuperResLib.core.comparison.scores import SliceScores
from MRISuperResLib.core.networks import make_generator
from MRISuperResTrainingLib.training import validation
from MRISuperResTrainingLib.networks.vgg import VGG, Lpips
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

    def test_scores_are_the_mean_scores_of_the_comparison(self):
        net, weights = self.weights()
        pairs = slices()
        expected = []
        for low, high in pairs:
            with torch.no_grad():
                output = net(torch.from_numpy(low)[None, None])[0, 0].numpy()
            expected.append(
                SliceScores(high, None, low, partial(resampling.degrade, scale=2)).of(output)
            )
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
        self.assertAlmostEqual(
            self.validation(pairs).baseline_scores(PSNR)["psnr"], expected, places=6
        )

    def test_measured_slices_are_spread_over_all_slices(self):
        class Counted(list):
            def __getitem__(self, n):
                asked.append(int(n))
                return super().__getitem__(n)

        asked = []
        with mock.patch.object(validation, "MAX_SLICES", 4):
            self.validation(Counted(slices(10)))
        self.assertEqual(asked, [0, 3, 6, 9])

    def test_vgg_sees_some_of_the_slices_only(self):
        with (
            mock.patch.object(validation, "MAX_PERCEPTUAL_SLICES", 2),
            mock.patch.object(validation, "VggDistance") as distance,
        ):
            distance.return_value.to.return_value.side_effect = [1.0, 2.0]
            self.assertEqual(
                self.validation(slices(5), vgg=torch.nn.Identity()).baseline_scores(VGG_DISTANCE)[
                    "vgg_distance"
                ],
                1.5,
            )

    def test_slices_smaller_than_the_window_of_ssim_have_psnr_only(self):
        self.assertEqual(set(self.validation(slices(2, (8, 8))).baseline_scores(PSNR)), {"psnr"})

    def test_out_of_memory_leads_to_tiles_with_the_same_scores(self):
        pairs = slices(2, (160, 176))
        _, weights = self.weights()
        expected = self.validation(pairs).scores(weights, PSNR)
        checked = self.validation(pairs)

        def fill_memory(module, arguments):
            if min(arguments[0].shape[2:]) >= 80:
                raise torch.OutOfMemoryError("CUDA out of memory")

        checked._net.register_forward_pre_hook(fill_memory)
        found = checked.scores(weights, PSNR)
        for name, value in expected.items():
            self.assertAlmostEqual(found[name], value, places=4)
        self.assertEqual(
            [(message.level, message.code) for message in checked.messages],
            [("info", "out-of-memory")],
        )

    def test_out_of_memory_moves_the_perceptual_distance_to_the_cpu(self):
        distance = torch.nn.Module()
        devices = []

        def measure(network, images, device):
            devices.append(device.type)
            if device.type == "cuda":
                raise torch.OutOfMemoryError("CUDA out of memory")
            return 0.25

        with mock.patch.object(validation, "_distance", measure):
            checked = self.validation(slices(3), measure=distance)
            checked._accelerator = mock.Mock(
                device=torch.device("cuda"), process_index=0, num_processes=1
            )
            self.assertEqual(checked.baseline_scores(LPIPS)["lpips"], 0.25)
        self.assertEqual(devices, ["cuda", "cpu", "cpu", "cpu"])
        self.assertIsNot(checked._distances[LPIPS], distance)
        self.assertEqual(
            [(message.level, message.code) for message in checked.messages],
            [("info", "out-of-memory")],
        )

    def test_samples_are_results_of_the_last_weights(self):
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

    def test_the_best_is_selected_by_lpips_else_by_the_vgg19_distance_else_by_contrast(
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
            measure = Lpips(
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
                by = checked.measure("gan")
                self.assertIs(by, expected)
                self.assertIs(checked.measure("psnr"), PSNR)
                self.assertEqual(set(checked.scores(weights, by)), {"psnr", "ssim", expected.name})
                self.assertGreater(checked.baseline_scores(by)[by.name], 0)

    def test_higher_psnr_and_contrast_and_lower_lpips_and_vgg_distance_are_better(self):
        self.assertEqual(
            [by.is_better(2, 1) for by in (PSNR, CONTRAST, LPIPS, VGG_DISTANCE)],
            [True, True, False, False],
        )


class ContrastTest(unittest.TestCase):
    def texture(self, seed=0):
        return gaussian_filter(np.random.default_rng(seed).normal(0, 1, (64, 64)), 1)

    def test_it_is_the_contrast_term_of_ssim(self):
        image, reference = self.texture(0), self.texture(1)
        ones = [gaussian_filter(a, 1.5, radius=5, mode="nearest") for a in (image, reference)]
        squares = [gaussian_filter(a**2, 1.5, radius=5, mode="nearest") for a in (image, reference)]
        variances = [square - one**2 for one, square in zip(ones, squares)]
        expected = (
            (2 * np.sqrt(variances[0] * variances[1]) + 0.0009)
            / (variances[0] + variances[1] + 0.0009)
        ).mean()
        self.assertAlmostEqual(contrast(image, reference), expected, places=9)

    def test_smoothing_and_noise_cost_contrast_and_a_moved_texture_costs_less(
        self,
    ):
        reference = self.texture()
        self.assertAlmostEqual(contrast(reference, reference), 1)
        smooth, moved = uniform_filter(reference, 3), np.roll(reference, 1, 0)
        for worse in (smooth, reference + np.random.default_rng(3).normal(0, 0.5, reference.shape)):
            self.assertLess(contrast(worse, reference), 0.97)
        self.assertGreater(contrast(moved, reference), contrast(smooth, reference))
        self.assertLess(metrics.psnr(moved, reference), metrics.psnr(smooth, reference))


if __name__ == "__main__":
    unittest.main()
