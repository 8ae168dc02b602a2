"""Half precision: taken only where a processor is made for it and the result is near, and told in every run."""

import tempfile
import unittest
from unittest import mock

import numpy as np
import torch
from MRISuperResLib.core.inference import precision
from MRISuperResLib.core.networks import make_generator
from MRISuperResLib.core.inference.precision import PATCH, difference, half_dtype
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.upsampling import upsample

from made_models import write_model, write_network

CPU = torch.device("cpu")


def on_a_processor_with(dtype):
    """Every processor computes in bfloat16, if slowly."""
    return mock.patch("MRISuperResLib.core.methods.network.half_dtype", lambda device: dtype)


class HalfTypeTest(unittest.TestCase):
    def test_a_cpu_that_multiplies_bfloat16_by_itself_is_used_so(self):
        for able, expected in (
            ({"avx512_bf16": True}, torch.bfloat16),
            ({"amx_bf16": True}, torch.bfloat16),
            ({"avx2": True}, torch.float32),
            ({}, torch.float32),
        ):
            with (
                self.subTest(able),
                mock.patch.object(
                    torch.cpu, "get_capabilities", lambda able=able: able, create=True
                ),
            ):
                self.assertEqual(half_dtype(CPU), expected)

    def test_an_older_torch_that_does_not_tell_computes_in_single_precision(self):
        with mock.patch.object(torch, "cpu", object()):
            self.assertEqual(half_dtype(CPU), torch.float32)

    def test_a_gpu_with_tensor_cores_takes_the_more_exact_float16(self):
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
                self.assertEqual(half_dtype(torch.device("cuda", 0)), expected)

    def test_an_apple_gpu_computes_in_single_precision(self):
        self.assertEqual(half_dtype(torch.device("mps")), torch.float32)


class SinglePrecisionTest(unittest.TestCase):
    def test_a_gpu_does_not_take_tf32_for_float32_and_uses_its_library_of_convolutions(self):
        seen = []

        def net(x):
            seen.append((torch.backends.cudnn.enabled, torch.backends.cudnn.allow_tf32))
            return x

        precision.run(net, torch.zeros(1, 1, 4, 4), torch.float32)
        self.assertEqual(seen, [(True, False)])


class DifferenceTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.net = make_generator({"network": "compact", "blocks": 2, "features": 8}, 2).eval()
        torch.nn.init.normal_(self.net.conv_last.weight, std=0.05)

    def test_it_is_that_of_the_two_results(self):
        batch = torch.rand(1, 1, 40, 50)
        with torch.inference_mode():
            exact = self.net(batch)
            with torch.autocast("cpu", torch.bfloat16):
                half = self.net(batch)
        mean, most = difference(self.net, batch, torch.bfloat16)
        self.assertGreater(mean, 0)
        self.assertAlmostEqual(mean, float((half - exact).square().mean().sqrt()), places=6)
        self.assertAlmostEqual(most, float((half - exact).abs().max()), places=6)

    def test_it_is_looked_at_where_there_is_something_to_see(self):
        batch, seen = torch.zeros(3, 1, 300, 200), []
        batch[1, 0, 250:280, 150:190] = torch.rand(30, 40) + 1
        net = mock.Mock(side_effect=lambda x: seen.append(x) or x)
        self.assertEqual(difference(net, batch, torch.bfloat16), (0, 0))
        self.assertEqual([tuple(x.shape) for x in seen], [(1, 1, PATCH, PATCH)] * 2)
        self.assertGreater(float(seen[0].max()), 1)

    def test_a_flat_batch_shows_nothing(self):
        self.assertIsNone(difference(self.net, torch.full((2, 1, 9, 9), 0.3), torch.bfloat16))

    def test_numbers_that_overflow_are_infinitely_far_away(self):
        for overflow in (float("inf"), float("nan")):

            def net(x, overflow=overflow):
                return x * overflow if torch.is_autocast_enabled("cpu") else x

            self.assertEqual(
                difference(net, torch.rand(1, 1, 9, 9), torch.bfloat16), (float("inf"),) * 2
            )


class RunTest(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.volume = np.random.default_rng(0).integers(0, 1000, (4, 30, 24)).astype(np.float32)

    def model(self, last):
        """A network whose last weights are so large."""
        architecture = {"network": "compact", "blocks": 1, "features": 8}
        net = write_model(self.folder, "tiny", architecture=architecture)
        torch.nn.init.normal_(net.conv_last.weight, std=last)
        write_network(self.folder, "tiny", net, scale=2, architecture=architecture)
        return MethodRegistry(ModelStore([self.folder]))

    def run_job(self, methods, **job):
        return upsample(
            self.volume, np.eye(4), UpsamplingOptions("tiny", 2, "k", "cpu", **job), methods
        )

    def test_a_near_result_is_taken_and_how_near_is_told(self):
        methods = self.model(0.01)
        with on_a_processor_with(torch.bfloat16):
            half, single = self.run_job(methods), self.run_job(methods, precision="float32")
        difference = np.abs(half.volume - single.volume).max()
        self.assertGreater(difference, 0)
        self.assertLess(difference, 5)
        self.assertEqual(
            (half.provenance["precision"], single.provenance["precision"]), ("bfloat16", "float32")
        )
        told = [message for message in half.messages if "bfloat16" in message]
        self.assertEqual(len(told), 1)
        self.assertRegex(
            told[0],
            r"^tiny was computed in bfloat16: on a part of a slice it differs from float32 by 0\.0\d+ % of the intensity range",
        )
        self.assertFalse([message for message in single.messages if "computed in" in message])

    def test_a_result_that_is_too_far_away_is_computed_in_single_precision(self):
        methods = self.model(3.0)
        with on_a_processor_with(torch.bfloat16):
            half, single = self.run_job(methods), self.run_job(methods, precision="float32")
        np.testing.assert_array_equal(half.volume, single.volume)
        self.assertEqual(half.provenance["precision"], "float32")
        self.assertTrue(
            [
                message
                for message in half.messages
                if message.startswith("tiny was computed in float32: bfloat16 would differ by")
            ]
        )

    def test_every_run_looks_anew(self):
        methods = self.model(0.01)
        with on_a_processor_with(torch.bfloat16):
            first, second = self.run_job(methods), self.run_job(methods)
        self.assertEqual(first.messages, second.messages)
        self.assertTrue([message for message in second.messages if "bfloat16" in message])

    def test_empty_slices_are_no_evidence(self):
        methods = self.model(3.0)
        self.volume[:2] = 0
        with on_a_processor_with(torch.bfloat16):
            half = self.run_job(methods)
        self.assertEqual(half.provenance["precision"], "float32")

    def test_a_network_of_dense_blocks_makes_its_image_in_single_precision(self):
        net = make_generator({"blocks": 1, "features": 8, "growth": 4}, 2).eval()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            image = net(torch.rand(1, 1, 20, 20))
        self.assertEqual(image.dtype, torch.float32)
        self.assertGreater(len(torch.unique(image)), len(torch.unique(image.bfloat16())))


if __name__ == "__main__":
    unittest.main()
