"""The generator networks: sizes, equations, initial states, arguments."""

import itertools
import unittest

import numpy as np
import torch
from torch.nn import functional as F

from MRISuperResLib.core import resampling
from MRISuperResLib.core.networks import make_generator
from MRISuperResLib.core.networks.compact import upsample_bicubic
from MRISuperResLib.core.networks.rrdb import RRDBNet


def plain_forward(state, x, blocks, first_kernel, upsamplings):
    """Compute the generator's equations from a state dict, without modules."""

    def conv(name, x):
        weight = state[name + ".weight"]
        return F.conv2d(x, weight, state[name + ".bias"], padding=weight.shape[-1] // 2)

    def leaky(x):
        return torch.where(x > 0, x, 0.2 * x)

    def dense(name, x):
        seen = [x]
        for n in range(1, 5):
            seen.append(leaky(conv(f"{name}.conv{n}", torch.cat(seen, 1))))
        return x + 0.2 * conv(f"{name}.conv5", torch.cat(seen, 1))

    first = conv("conv_first", x)
    if first_kernel == 9:
        first = leaky(first)
    trunk = first
    for b in range(blocks):
        inner = trunk
        for d in (1, 2, 3):
            inner = dense(f"body.{b}.rdb{d}", inner)
        trunk = trunk + 0.2 * inner
    x = first + conv("conv_body", trunk)
    for u in range(1, upsamplings + 1):
        x = leaky(conv(f"conv_up{u}", x.repeat_interleave(2, -1).repeat_interleave(2, -2)))
    return conv("conv_last", leaky(conv("conv_hr", x)))


class RRDBTest(unittest.TestCase):
    def test_published_networks_have_the_published_numbers_of_parameters(self):
        for scale, parameters in ((2, 16_661_059), (4, 16_697_987), (8, 16_734_915)):
            with self.subTest(scale):
                with torch.device("meta"):
                    net = RRDBNet(scale, channels=3)
                self.assertEqual(sum(p.numel() for p in net.parameters()), parameters)

    def test_the_output_follows_the_published_equations(self):
        torch.manual_seed(0)
        for scale, upsamplings, first_kernel in ((2, 1, 3), (4, 2, 9), (8, 3, 3)):
            with self.subTest(scale=scale, first_kernel=first_kernel):
                net = RRDBNet(
                    scale, blocks=2, features=8, growth=4, first_kernel=first_kernel
                ).double()
                for p in net.parameters():  # small initial weights would hide a missing branch
                    torch.nn.init.normal_(p, std=0.2)
                x = torch.rand(2, 1, 9, 7, dtype=torch.float64)
                expected = plain_forward(net.state_dict(), x, 2, first_kernel, upsamplings)
                self.assertEqual(tuple(expected.shape), (2, 1, 9 * scale, 7 * scale))
                torch.testing.assert_close(net(x), expected, rtol=1e-12, atol=1e-12)

    def test_parameters_are_named_as_in_basicsr(self):
        keys = set(RRDBNet(4, blocks=1, features=8, growth=4, channels=3).state_dict())
        for name in (
            "conv_first",
            "body.0.rdb1.conv1",
            "body.0.rdb3.conv5",
            "conv_body",
            "conv_up1",
            "conv_up2",
            "conv_hr",
            "conv_last",
        ):
            self.assertIn(name + ".weight", keys)

    def test_other_scales_and_first_kernels_are_refused(self):
        for wrong in ({"scale": 3}, {"scale": 2, "first_kernel": 5}):
            with self.subTest(wrong), self.assertRaises(ValueError):
                RRDBNet(blocks=1, **wrong)

    def test_a_single_pixel_is_upsampled(self):
        self.assertEqual(
            tuple(RRDBNet(8, blocks=1, features=8, growth=4)(torch.rand(1, 1, 1, 1)).shape),
            (1, 1, 8, 8),
        )


class UnshuffledTest(unittest.TestCase):
    def test_every_size_is_upsampled_by_every_scale(self):
        for unshuffle in (2, 4):
            for scale in (2, 4, 8):
                net = RRDBNet(scale, blocks=1, features=8, growth=4, unshuffle=unshuffle)
                for height, width in ((1, 1), (1, 9), (3, 2), (8, 5)):
                    shape = net(torch.rand(1, 1, height, width)).shape
                    self.assertEqual(tuple(shape[2:]), (scale * height, scale * width))

    def test_the_trunk_computes_fewer_pixels(self):
        net, sizes = RRDBNet(2, blocks=1, features=8, growth=4, unshuffle=2), []
        net.body.register_forward_hook(lambda *arguments: sizes.append(arguments[2].shape[2:]))
        net(torch.rand(1, 1, 12, 9))
        self.assertEqual(sizes, [(6, 5)])

    def test_a_block_of_another_side_is_refused(self):
        for unshuffle in (3, 8):
            with self.assertRaises(ValueError):
                make_generator({"unshuffle": unshuffle}, 2)


class CompactTest(unittest.TestCase):
    def test_an_untrained_network_interpolates_bicubically(self):
        image = np.random.default_rng(0).random((12, 16), dtype=np.float32)
        for scale in (2, 4, 8):
            with self.subTest(scale):
                net = make_generator({"network": "compact", "blocks": 1, "features": 4}, scale)
                output = net(torch.from_numpy(image)[None, None])[0, 0].detach().numpy()
                self.assertEqual(output.shape, (12 * scale, 16 * scale))
                interpolated = resampling.upsample(image, scale)
                self.assertLess(
                    np.abs(output - interpolated)[
                        scale * 4 : -scale * 4, scale * 4 : -scale * 4
                    ].max(),
                    0.2,
                )
                self.assertGreater(np.corrcoef(output.ravel(), interpolated.ravel())[0, 1], 0.98)

    def test_every_weight_has_a_gradient_once_the_last_layer_is_not_zero(self):
        net = make_generator({"network": "compact", "blocks": 2, "features": 4}, 2)
        torch.nn.init.normal_(net.conv_last.weight)
        net(torch.rand(1, 1, 8, 8)).square().mean().backward()
        self.assertTrue(all(p.grad.abs().sum() > 0 for p in net.parameters()))

    def test_a_channel_that_is_negative_everywhere_has_a_gradient(self):
        net = make_generator({"network": "compact", "blocks": 1, "features": 4}, 2)
        torch.nn.init.normal_(net.conv_last.weight)
        torch.nn.init.constant_(net.body[0].conv1.bias, -100)
        net(torch.rand(1, 1, 8, 8)).square().mean().backward()
        self.assertTrue((net.body[0].conv1.weight.grad.abs().sum((1, 2, 3)) > 0).all())

    def test_the_parameters_are_those_of_the_layers(self):
        net = make_generator({"network": "compact", "blocks": 8, "features": 64}, 4)
        convolutions = (1 * 64, *[64 * 64] * 17, 64 * 16)
        self.assertEqual(
            sum(p.numel() for p in net.parameters()), 9 * sum(convolutions) + 18 * 64 + 16
        )

    def test_half_precision_does_not_round_the_input(self):
        net = make_generator({"network": "compact", "blocks": 1, "features": 4}, 2)
        x = torch.rand(1, 1, 8, 8)
        with torch.autocast("cpu", torch.bfloat16):
            self.assertEqual(net(x).dtype, torch.float32)
            torch.testing.assert_close(
                net(x), F.interpolate(x, scale_factor=2, mode="bicubic"), rtol=0, atol=1e-6
            )


class BicubicSkipTest(unittest.TestCase):
    NETWORKS = (
        {"network": "compact", "blocks": 1, "features": 4},
        {"network": "rrdb", "blocks": 1, "features": 4, "growth": 2},
    )

    def image(self, *shape):
        return np.random.default_rng(0).normal(0.5, 0.3, shape).astype(np.float32)

    def assert_bicubic(self, found, image, scale):
        expected = resampling.upsample(image.astype(np.float64), scale)
        np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=2e-6)

    def test_it_is_the_bicubic_interpolation_of_the_baseline_up_to_the_edges(self):
        sizes = ((1, 1), (1, 2), (3, 1), (2, 5), (17, 12))
        for scale, size in itertools.product((2, 4, 8), sizes):
            with self.subTest(scale=scale, size=size):
                image = self.image(2, 3, *size)
                self.assert_bicubic(upsample_bicubic(torch.from_numpy(image), scale), image, scale)

    def test_an_untrained_network_with_the_skip_is_that_interpolation_also_under_autocast(self):
        image = self.image(2, 1, 9, 7)
        for architecture, scale in itertools.product(self.NETWORKS, (2, 4, 8)):
            with self.subTest(architecture, scale=scale):
                net = make_generator(architecture | {"skip": True}, scale)
                self.assert_bicubic(net(torch.from_numpy(image)), image, scale)
                with torch.autocast("cpu", torch.bfloat16):
                    self.assert_bicubic(net(torch.from_numpy(image)), image, scale)

    def test_the_network_adds_to_the_skip(self):
        image = torch.from_numpy(self.image(1, 1, 9, 7))
        for architecture in self.NETWORKS:
            with self.subTest(architecture):
                torch.manual_seed(0)
                nets = [make_generator(architecture | {"skip": skip}, 2) for skip in (True, False)]
                torch.nn.init.normal_(nets[0].conv_last.weight)
                nets[1].load_state_dict(nets[0].state_dict())
                if architecture["network"] == "compact":
                    without = F.interpolate(image, scale_factor=2, mode="bicubic")
                else:
                    without = torch.zeros(())
                torch.testing.assert_close(
                    nets[0](image) - upsample_bicubic(image, 2),
                    nets[1](image) - without,
                    rtol=0,
                    atol=1e-5,
                )

    def test_after_inference_a_network_with_the_skip_can_be_trained(self):
        net = make_generator(self.NETWORKS[0] | {"skip": True}, 8)
        image = torch.rand(1, 1, 5, 5)
        with torch.inference_mode():
            net(image)
        image.requires_grad_()
        net(image).sum().backward()
        self.assertTrue(torch.isfinite(image.grad).all())


class RegistryTest(unittest.TestCase):
    def test_an_architecture_without_a_network_is_an_rrdb(self):
        self.assertIsInstance(make_generator({"blocks": 1, "features": 8, "growth": 4}, 2), RRDBNet)

    def test_unknown_networks_and_parameters_are_refused(self):
        for wrong, error in (
            ({"network": "transformer"}, ValueError),
            ({"network": "compact", "growth": 4}, TypeError),
            ({"network": "compact", "skip": 1}, ValueError),
            ({"network": "compact", "blocks": True}, ValueError),
        ):
            with self.subTest(wrong), self.assertRaises(error):
                make_generator(wrong, 2)

    def test_a_compact_network_of_scale_3_is_refused(self):
        with self.assertRaises(ValueError):
            make_generator({"network": "compact"}, 3)


if __name__ == "__main__":
    unittest.main()
