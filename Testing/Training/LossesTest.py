"""Every loss equals a computation that follows its formula term by term."""

import math
import tempfile
import unittest
from pathlib import Path

import made_vgg
import numpy as np
import torch
from MRISuperResTrainingLib.training.losses import (
    artifacts,
    discriminator_loss,
    fft_l1,
    generator_loss,
    l1,
    mesh,
    perceptual,
    r1_penalty,
)
from MRISuperResTrainingLib.networks.vgg import VGG

REAL, FAKE = [1.5, -0.3, 0.8], [-0.7, 2.1, 0.4]


def column(values):
    return torch.tensor(values)[:, None]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def d_ra(one, others):
    return sigmoid(one - mean(others))


class ArtifactsTest(unittest.TestCase):
    """Liang et al. 2022, with loops."""

    def images(self, count=3):
        rng = np.random.default_rng(0)
        return [rng.random((2, 1, 9, 11)) for _ in range(count)]

    def expected(self, images, reference, averaged):
        total = 0
        for n in range(2):
            residual = np.abs(images - reference)[n, 0]
            other = np.abs(averaged - reference)[n, 0]
            padded = np.pad(residual, 3, mode="reflect")
            of_image = residual.var(ddof=1) ** 0.2
            for y, x in np.ndindex(residual.shape):
                if residual[y, x] >= other[y, x]:
                    local = padded[y : y + 7, x : x + 7].var(ddof=1)
                    total += of_image * local * residual[y, x]
        return total / images.size

    def test_it_follows_the_formula(self):
        images, reference, averaged = self.images()
        found = artifacts(*map(torch.from_numpy, (images, reference, averaged)))
        self.assertAlmostEqual(float(found), self.expected(images, reference, averaged), places=10)

    def test_pixels_at_which_the_average_is_further_off_count_nothing(self):
        images, reference, _ = map(torch.from_numpy, self.images())
        self.assertEqual(float(artifacts(images, reference, reference + 2)), 0)

    def test_the_weights_count_as_constants(self):
        images, reference, averaged = map(torch.from_numpy, self.images())
        images.requires_grad_()
        artifacts(images, reference, averaged).backward()
        weights = images.grad / torch.sign(images.detach() - reference)
        total = (weights * (images.detach() - reference).abs()).sum()
        self.assertAlmostEqual(
            float(total), float(artifacts(images.detach(), reference, averaged)), places=10
        )


class MeshTest(unittest.TestCase):
    def test_it_is_the_mean_deviation_of_the_mean_error_by_pixel_phase(self):
        images, reference = torch.rand(2, 3, 1, 8, 12, generator=torch.Generator().manual_seed(1))
        total = 0.0
        for error in (images - reference)[:, 0].double().numpy():
            phases = [error[y::2, x::2].mean() for y in range(2) for x in range(2)]
            total += sum(abs(phase - error.mean()) for phase in phases) / 4
        self.assertAlmostEqual(float(mesh(images, reference, 2)), total / 3, places=6)

    def test_a_mesh_counts_and_a_constant_error_does_not(self):
        reference = torch.zeros(1, 1, 8, 8)
        self.assertEqual(float(mesh(reference + 0.5, reference, 4)), 0)
        pattern = torch.tensor([[0.1, -0.1], [-0.1, 0.1]]).repeat(4, 4)
        self.assertAlmostEqual(float(mesh(reference + pattern, reference, 2)), 0.1, places=7)


class SlopeTest(unittest.TestCase):
    def test_the_penalty_of_a_linear_discriminator_is_its_squared_weights(self):
        weights = torch.arange(6.0).reshape(1, 2, 3).requires_grad_()
        images = torch.rand(4, 1, 2, 3, requires_grad=True)
        for factor in (1.0, 1024.0):
            penalty = r1_penalty(images, (images * weights).sum((1, 2, 3))[:, None], factor)
            self.assertAlmostEqual(float(penalty), 0 + 1 + 4 + 9 + 16 + 25, places=4)
        (gradient,) = torch.autograd.grad(penalty, weights)
        torch.testing.assert_close(gradient, 2 * weights)

    def test_of_a_number_per_pixel_the_mean_counts(self):
        images = torch.rand(4, 1, 2, 3, requires_grad=True)
        penalty = r1_penalty(images, 5 * images)  # a slope of 5/6 at six pixels
        self.assertAlmostEqual(float(penalty), 6 * (5 / 6) ** 2, places=5)


class RelativisticTest(unittest.TestCase):
    def test_the_discriminators_loss(self):
        expected = (
            -mean(math.log(d_ra(r, FAKE)) for r in REAL)
            - mean(math.log(1 - d_ra(f, REAL)) for f in FAKE)
        ) / 2
        self.assertAlmostEqual(
            float(discriminator_loss(column(REAL), column(FAKE))), expected, places=6
        )

    def test_the_generators_loss_of_the_thesis_has_the_fake_term_only(self):
        expected = -mean(math.log(d_ra(f, REAL)) for f in FAKE)
        self.assertAlmostEqual(
            float(generator_loss(column(REAL), column(FAKE))), expected, places=6
        )
        self.assertAlmostEqual(
            float(generator_loss(column(REAL), column(FAKE), "fake")),
            expected,
            places=6,
        )

    def test_that_of_esrgans_code_averages_both(self):
        expected = (
            -mean(math.log(d_ra(f, REAL)) for f in FAKE)
            - mean(math.log(1 - d_ra(r, FAKE)) for r in REAL)
        ) / 2
        self.assertAlmostEqual(
            float(generator_loss(column(REAL), column(FAKE), "both")),
            expected,
            places=6,
        )

    def test_a_discriminator_that_is_sure_gives_large_but_finite_losses(self):
        real, fake = column([300.0, 200.0]), column([-200.0, -300.0])
        self.assertEqual(float(discriminator_loss(real, fake)), 0)
        self.assertAlmostEqual(float(generator_loss(real, fake)), 500)

    def test_in_half_precision_the_loss_is_computed_in_single(self):
        self.assertEqual(
            generator_loss(column(REAL).half(), column(FAKE).half()).dtype,
            torch.float32,
        )

    def test_the_gradient_goes_through_the_mean_of_the_others(self):
        fake = column(FAKE).requires_grad_()
        generator_loss(column(REAL), fake, "both").backward()
        for n, value in enumerate(FAKE):
            step = 1e-3
            ends = []
            for moved in (value - step, value + step):
                others = [*FAKE[:n], moved, *FAKE[n + 1 :]]
                ends.append(
                    (
                        -mean(math.log(d_ra(f, REAL)) for f in others)
                        - mean(math.log(1 - d_ra(r, others)) for r in REAL)
                    )
                    / 2
                )
            self.assertAlmostEqual(float(fake.grad[n]), (ends[1] - ends[0]) / (2 * step), places=5)


class ContentTest(unittest.TestCase):
    def test_l1_is_the_mean_absolute_difference(self):
        images, truth = (
            torch.tensor([[[[0.0, 0.5], [1.0, 0.25]]]]),
            torch.tensor([[[[0.5, 0.5], [0.0, 0.5]]]]),
        )
        self.assertAlmostEqual(float(l1(images, truth)), (0.5 + 0 + 1 + 0.25) / 4)

    def test_the_spectral_loss_compares_real_and_imaginary_parts(self):
        images, truth = np.random.default_rng(3).random((2, 1, 1, 4, 6))
        difference, total, count = (images - truth)[0, 0], 0.0, 0
        for u in range(4):
            for v in range(6 // 2 + 1):
                value = sum(
                    difference[y, x] * np.exp(-2j * np.pi * (u * y / 4 + v * x / 6))
                    for y in range(4)
                    for x in range(6)
                ) / math.sqrt(4 * 6)
                total, count = total + abs(value.real) + abs(value.imag), count + 2
        self.assertAlmostEqual(
            float(fft_l1(torch.tensor(images), torch.tensor(truth))),
            total / count,
            places=6,
        )


class PerceptualTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.weights = made_vgg.random_weights("vgg19")
        with made_vgg.narrow():
            cls.vgg = VGG(
                "vgg19",
                made_vgg.write_torchvision(Path(folder.name, "vgg19.pth"), "vgg19", cls.weights),
            )

    def expected(self, image):
        rgb = (image - np.array([0.485, 0.456, 0.406])[:, None, None]) / np.array(
            [0.229, 0.224, 0.225]
        )[:, None, None]
        return made_vgg.convolutions(rgb, self.weights)[4, 3]

    def test_both_norms_of_the_features_difference(self):
        image, truth = np.random.default_rng(4).uniform(-0.2, 1.2, (2, 32, 32)).astype(np.float32)
        difference = self.expected(image) - self.expected(truth)
        tensors = [torch.tensor(a)[None, None] for a in (image, truth)]
        self.assertAlmostEqual(
            float(perceptual(self.vgg, *tensors)), np.abs(difference).mean(), places=4
        )
        self.assertAlmostEqual(
            float(perceptual(self.vgg, *tensors, "l2")), (difference**2).mean(), places=4
        )

    def test_only_the_image_gets_a_gradient(self):
        image, truth = (torch.rand(1, 1, 32, 32, requires_grad=True) for _ in range(2))
        perceptual(self.vgg, image, truth).backward()
        self.assertGreater(float(image.grad.abs().sum()), 0)
        self.assertIsNone(truth.grad)
        self.assertFalse([p for p in self.vgg.parameters() if p.grad is not None])

    def test_pixels_outside_0_to_1_have_the_gradient_of_the_formula(self):
        image, reference = (torch.full((1, 1, 32, 32), value) for value in (1.2, 0.4))
        image[..., :16] = -0.2
        image += 0.01 * torch.rand(1, 1, 32, 32)
        image.requires_grad_()
        loss = perceptual(self.vgg, image, reference, "l2")
        (gradient,) = torch.autograd.grad(loss, image)
        self.assertGreater(float(gradient[..., :16].abs().mean()), 0)
        self.assertGreater(float(gradient[..., 16:].abs().mean()), 0)
        step = 1e-3 * gradient / gradient.norm()
        with torch.no_grad():
            lower = perceptual(self.vgg, image - step, reference, "l2")
        fall = float(loss.detach()) - float(lower)
        self.assertAlmostEqual(fall / (1e-3 * float(gradient.norm())), 1, delta=0.1)


if __name__ == "__main__":
    unittest.main()
