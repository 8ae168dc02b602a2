"""Half precision: used on request and on GPUs made for it, checked against float32 in every run."""

import tempfile
import unittest
from unittest import mock

import numpy as np
import torch
from made_models import write_model, write_network
from MRISuperResLib.core.inference import device as inference_device
from MRISuperResLib.core.inference.device import (
    PATCH,
    half_dtype,
    half_precision_error,
    requested_dtype,
)
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.networks import make_generator
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda", 0), torch.device("mps")


def half_is(dtype):
    """Every CPU computes in bfloat16, if slowly."""
    return mock.patch.object(inference_device, "half_dtype", lambda device: dtype)


class HalfTypeTest(unittest.TestCase):
    def test_a_cpu_with_bfloat16_instructions_computes_in_bfloat16(self):
        for capabilities, expected in (
            ({"avx512_bf16": True}, torch.bfloat16),
            ({"amx_bf16": True}, torch.bfloat16),
            ({"avx2": True}, torch.float32),
            ({}, torch.float32),
        ):
            with (
                self.subTest(capabilities),
                mock.patch.object(
                    torch.cpu, "get_capabilities", lambda c=capabilities: c, create=True
                ),
            ):
                self.assertEqual(half_dtype(CPU), expected)

    def test_a_cpu_that_an_older_torch_cannot_describe_computes_in_float32(self):
        with mock.patch.object(torch, "cpu", object()):
            self.assertEqual(half_dtype(CPU), torch.float32)

    def test_a_gpu_with_tensor_cores_computes_in_float16(self):
        for capability, expected in (
            ((9, 0), torch.float16),
            ((7, 0), torch.float16),
            ((6, 1), torch.float32),
        ):
            with (
                self.subTest(capability),
                mock.patch.object(
                    torch.cuda, "get_device_capability", lambda device, c=capability: c
                ),
            ):
                self.assertEqual(half_dtype(CUDA), expected)

    def test_an_apple_gpu_computes_in_float32(self):
        self.assertEqual(half_dtype(MPS), torch.float32)


class RequestedTypeTest(unittest.TestCase):
    def test_auto_is_float32_on_a_cpu_and_half_precision_on_a_gpu_made_for_it(self):
        half = {"cpu": torch.bfloat16, "cuda": torch.float16, "mps": torch.float32}
        with mock.patch.object(inference_device, "half_dtype", lambda device: half[device.type]):
            for requested, device, expected in (
                ("auto", CPU, torch.float32),
                ("auto", CUDA, torch.float16),
                ("auto", MPS, torch.float32),
                ("half", CPU, torch.bfloat16),
                ("half", CUDA, torch.float16),
                ("half", MPS, torch.float32),
                ("float32", CPU, torch.float32),
                ("float32", CUDA, torch.float32),
            ):
                with self.subTest(requested=requested, device=device):
                    self.assertEqual(requested_dtype(requested, device), expected)


class Float32Test(unittest.TestCase):
    def test_float32_on_a_gpu_is_not_tf32_and_uses_cudnn(self):
        flags = []

        def net(x):
            flags.append((torch.backends.cudnn.enabled, torch.backends.cudnn.allow_tf32))
            return x

        inference_device.run_network(net, torch.zeros(1, 1, 4, 4), torch.float32)
        self.assertEqual(flags, [(True, False)])


class ErrorTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.net = make_generator({"network": "compact", "blocks": 2, "features": 8}, 2).eval()
        torch.nn.init.normal_(self.net.conv_last.weight, std=0.05)

    def test_the_error_is_the_difference_of_the_two_results(self):
        batch = torch.rand(1, 1, 40, 50)
        with torch.inference_mode():
            exact = self.net(batch)
            with torch.autocast("cpu", torch.bfloat16):
                half = self.net(batch)
        rms, largest = half_precision_error(self.net, batch, torch.bfloat16)
        self.assertGreater(rms, 0)
        self.assertAlmostEqual(rms, float((half - exact).square().mean().sqrt()), places=6)
        self.assertAlmostEqual(largest, float((half - exact).abs().max()), places=6)

    def test_the_patch_is_around_the_brightest_pixel_of_the_image_with_the_largest_contrast(self):
        batch, given = torch.zeros(3, 1, 300, 200), []
        batch[1, 0, 250:280, 150:190] = torch.rand(30, 40) + 1
        net = mock.Mock(side_effect=lambda x: given.append(x) or x)
        self.assertEqual(half_precision_error(net, batch, torch.bfloat16), (0, 0))
        self.assertEqual([tuple(x.shape) for x in given], [(1, 1, PATCH, PATCH)] * 2)
        self.assertGreater(float(given[0].max()), 1)

    def test_a_constant_batch_shows_nothing(self):
        batch = torch.full((2, 1, 9, 9), 0.3)
        self.assertIsNone(half_precision_error(self.net, batch, torch.bfloat16))

    def test_the_error_of_numbers_that_overflow_is_infinite(self):
        for overflow in (float("inf"), float("nan")):

            def net(x, overflow=overflow):
                return x * overflow if torch.is_autocast_enabled("cpu") else x

            self.assertEqual(
                half_precision_error(net, torch.rand(1, 1, 9, 9), torch.bfloat16),
                (float("inf"),) * 2,
            )


class RunTest(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.array = np.random.default_rng(0).integers(0, 1000, (4, 30, 24)).astype(np.float32)

    def registry(self, last):
        """A model whose last weights have this standard deviation."""
        architecture = {"network": "compact", "blocks": 1, "features": 8}
        net = write_model(self.folder, "tiny", architecture=architecture)
        torch.nn.init.normal_(net.conv_last.weight, std=last)
        write_network(self.folder, "tiny", net, scale=2, architecture=architecture)
        return MethodRegistry(ModelStore([self.folder]))

    def run_upsampling(self, registry, **options):
        return upsample_volume(
            Volume(self.array, np.eye(4)),
            UpsamplingOptions("tiny", 2, "k", "cpu", **options),
            registry=registry,
        )

    def precision_messages(self, volume):
        return [message for message in volume.messages if message.code == "precision"]

    def test_a_cpu_computes_in_float32_unless_half_precision_is_requested(self):
        registry = self.registry(0.01)
        with half_is(torch.bfloat16):
            volume = self.run_upsampling(registry)
        self.assertEqual(volume.provenance["precision"], "float32")
        self.assertEqual(self.precision_messages(volume), [])
        np.testing.assert_array_equal(
            volume.array, self.run_upsampling(registry, precision="float32").array
        )

    def test_half_precision_that_is_near_is_used_and_its_error_is_an_info(self):
        registry = self.registry(0.01)
        with half_is(torch.bfloat16):
            half = self.run_upsampling(registry, precision="half")
            single = self.run_upsampling(registry, precision="float32")
        difference = np.abs(half.array - single.array).max()
        self.assertGreater(difference, 0)
        self.assertLess(difference, 5)
        self.assertEqual(
            (half.provenance["precision"], single.provenance["precision"]), ("bfloat16", "float32")
        )
        [message] = self.precision_messages(half)
        self.assertEqual(message.level, "info")
        self.assertRegex(
            message.text,
            r"^tiny computed in bfloat16: differs from float32 by 0\.0\d+ % of the intensity range",
        )
        self.assertEqual(self.precision_messages(single), [])

    def test_half_precision_that_is_far_away_is_rejected_with_a_warning(self):
        registry = self.registry(3.0)
        with half_is(torch.bfloat16):
            half = self.run_upsampling(registry, precision="half")
            single = self.run_upsampling(registry, precision="float32")
        np.testing.assert_array_equal(half.array, single.array)
        self.assertEqual(half.provenance["precision"], "float32")
        [message] = self.precision_messages(half)
        self.assertEqual(message.level, "warning")
        self.assertRegex(message.text, "^tiny computed in float32: bfloat16 would differ by")

    def test_half_precision_that_the_device_lacks_is_a_warning_in_every_run(self):
        registry = self.registry(0.01)
        with half_is(torch.float32):
            for _ in range(2):
                volume = self.run_upsampling(registry, precision="half")
                self.assertEqual(volume.provenance["precision"], "float32")
                [message] = self.precision_messages(volume)
                self.assertEqual(message.level, "warning")
                self.assertIn("no fast half precision on the device cpu", message.text)

    def test_every_run_checks_half_precision_again(self):
        registry = self.registry(0.01)
        with half_is(torch.bfloat16):
            first = self.run_upsampling(registry, precision="half")
            second = self.run_upsampling(registry, precision="half")
        self.assertEqual(first.messages, second.messages)
        self.assertTrue(self.precision_messages(second))

    def test_empty_slices_do_not_count_as_a_check(self):
        registry = self.registry(3.0)
        self.array[:2] = 0
        with half_is(torch.bfloat16):
            half = self.run_upsampling(registry, precision="half")
        self.assertEqual(half.provenance["precision"], "float32")

    def test_an_rrdb_network_makes_its_image_in_float32(self):
        net = make_generator({"blocks": 1, "features": 8, "growth": 4}, 2).eval()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            image = net(torch.rand(1, 1, 20, 20))
        self.assertEqual(image.dtype, torch.float32)
        self.assertGreater(len(torch.unique(image)), len(torch.unique(image.bfloat16())))


if __name__ == "__main__":
    unittest.main()
