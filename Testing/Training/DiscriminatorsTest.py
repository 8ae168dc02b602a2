import unittest

import torch
from MRISuperResTrainingLib.networks.discriminators import (
    DISCRIMINATORS,
    BatchNorm,
    UNetDiscriminator,
    make_discriminator,
)
from torch import nn


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def without_normalization(net):
    """The body without normalizations, through which every pixel depends on all others."""
    return nn.Sequential(
        *(nn.Identity() if isinstance(layer, BatchNorm) else layer for layer in net.body)
    )


def seen_by(body, patch, place):
    """(first, last) row of the pixels that one place of the last features depends on."""
    x = torch.rand(1, 1, patch, patch, requires_grad=True)
    body(x)[0, :, place, place].sum().backward()
    rows = torch.nonzero(x.grad[0, 0].abs().sum(1))
    return int(rows[0]), int(rows[-1])


class DiscriminatorsTest(unittest.TestCase):
    def test_every_image_gets_one_number_for_any_patch(self):
        for name in set(DISCRIMINATORS) - {"unet"}:
            for patch in (32, 48, 63, 128):
                with self.subTest(name, patch=patch):
                    self.assertEqual(
                        make_discriminator(name, patch)(torch.rand(2, 1, patch, patch)).shape,
                        (2, 1),
                    )

    def test_the_thesis_has_eight_normalized_3x3_convolutions_every_second_strided(
        self,
    ):
        layers = list(make_discriminator("thesis", 128).body)
        convolutions, norms, activations = layers[::3], layers[1::3], layers[2::3]
        self.assertEqual(
            [c.out_channels for c in convolutions], [64, 64, 128, 128, 256, 256, 512, 512]
        )
        self.assertEqual([c.stride[0] for c in convolutions], [1, 2] * 4)
        self.assertEqual({c.kernel_size for c in convolutions}, {(3, 3)})
        self.assertTrue(all(isinstance(norm, BatchNorm) for norm in norms))
        self.assertEqual({a.negative_slope for a in activations}, {0.2})

    def test_the_official_one_has_ten_convolutions_five_of_them_4_wide_and_strided(self):
        convolutions = [
            layer
            for layer in make_discriminator("official", 128).body
            if isinstance(layer, nn.Conv2d)
        ]
        self.assertEqual(
            [c.out_channels for c in convolutions], [64, 64, 128, 128, 256, 256, 512, 512, 512, 512]
        )
        self.assertEqual(
            [(c.kernel_size[0], c.stride[0]) for c in convolutions], [(3, 1), (4, 2)] * 5
        )
        self.assertIsInstance(make_discriminator("official", 128).body[1], nn.LeakyReLU)

    def test_the_numbers_of_parameters_for_patches_of_128(self):
        body = 9 * (
            1 * 64 + 64 * 64 + 64 * 128 + 128 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 512 * 512
        ) + 2 * 2 * (64 + 128 + 256 + 512)
        self.assertEqual(
            parameters(make_discriminator("thesis", 128)),
            body + (8 * 8 * 512 * 1024 + 1024) + (1024 + 1),
        )
        three = 9 * (1 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 512) + 64
        four = 16 * (64**2 + 128**2 + 256**2 + 2 * 512**2)
        norms = 2 * (64 + 2 * (128 + 256 + 512 + 512))
        self.assertEqual(
            parameters(make_discriminator("official", 128)),
            three + four + norms + (8192 * 100 + 100) + (100 + 1),
        )

    def test_neighboring_features_see_areas_that_lie_16_or_32_pixels_apart(self):
        for name, stride, field in (
            ("thesis", 16, 1 + 2 * (1 + 1 + 2 + 2 + 4 + 4 + 8 + 8)),
            ("official", 32, 1 + sum(5 * 2**n for n in range(5))),
        ):
            with self.subTest(name):
                body = without_normalization(make_discriminator(name, 192))
                middle = 192 // stride // 2
                (first, last), (next_first, _) = (
                    seen_by(body, 192, place) for place in (middle, middle + 1)
                )
                self.assertEqual(next_first - first, stride)
                self.assertEqual(last - first + 1, field)

    def test_the_u_net_has_the_layers_of_real_esrgan_and_judges_every_pixel(self):
        net = make_discriminator("unet", 32)
        self.assertEqual(parameters(UNetDiscriminator(32, channels=3)), 4_376_897)
        for side in (16, 30, 33):
            self.assertEqual(net(torch.rand(2, 1, side, side)).shape, (2, 1, side, side))

    def test_the_u_net_has_spectral_norms_of_1_between_its_first_and_last_layer(self):
        torch.manual_seed(0)
        net = make_discriminator("unet", 16)
        for _ in range(30):  # the power iteration converges
            net(torch.rand(1, 1, 16, 16))
        normalized = [*net.down, *net.up, *net.body]
        self.assertEqual(len(normalized), 8)
        for conv in normalized:
            largest = torch.linalg.matrix_norm(conv.weight.detach().flatten(1), 2)
            self.assertAlmostEqual(float(largest), 1, delta=0.05)

    def test_the_u_net_does_not_couple_the_images_of_a_batch(self):
        net = make_discriminator("unet", 16).eval()
        images = torch.rand(2, 1, 16, 16)
        torch.testing.assert_close(net(images)[:1], net(images[:1]))

    def test_the_normalization_is_that_of_torch_with_the_statistics_of_the_batch(self):
        x = torch.randn(3, 5, 4, 4) * 7 + 2
        own, torchs = BatchNorm(5), nn.BatchNorm2d(5)
        with torch.no_grad():
            own.weight.copy_(torch.rand(5))
            own.bias.copy_(torch.rand(5))
        torchs.weight, torchs.bias = own.weight, own.bias
        torch.testing.assert_close(own(x), torchs(x))
        own.eval()
        torch.testing.assert_close(own(x), torchs(x))

    def test_unknown_names_and_small_patches_are_refused(self):
        with self.assertRaisesRegex(ValueError, "unknown discriminator 'vgg'"):
            make_discriminator("vgg", 128)
        with self.assertRaisesRegex(ValueError, "at least 32 pixels"):
            make_discriminator("official", 24)
        with self.assertRaisesRegex(ValueError, "at least 16 pixels"):
            make_discriminator("unet", 15)


if __name__ == "__main__":
    unittest.main()
