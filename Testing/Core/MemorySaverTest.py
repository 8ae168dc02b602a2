"""What happens where the memory of a device ends: smaller pieces, the same result, and a sentence that says so."""

import tempfile
import unittest
from unittest import mock

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from MRISuperResLib.core.inference import runner
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.networks import make_generator
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.inference.runner import NetworkRunner
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.upsampling import upsample

from made_models import write_model

CPU = torch.device("cpu")
ERRORS = (
    torch.OutOfMemoryError("CUDA out of memory."),
    MemoryError(),
    RuntimeError(
        "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
    ),
)


def network(architecture=None, scale=2):
    torch.manual_seed(0)
    net = (
        make_generator(architecture or {"network": "compact", "blocks": 1, "features": 4}, scale)
        .eval()
        .requires_grad_(False)
    )
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return net


def slices(count, height, width):
    return torch.rand((count, 1, height, width), generator=torch.Generator().manual_seed(1))


class Narrow(torch.nn.Module):
    """A network on a device with room for so many low-resolution pixels; sizes: of what it was given."""

    def __init__(self, net, room, error=ERRORS[0]):
        super().__init__()
        self.net, self.scale, self.reach = net, net.scale, net.reach
        self.room, self.error, self.sizes = room, error, []

    def forward(self, x):
        self.sizes.append(tuple(x.shape[::2]) + tuple(x.shape[3:]))
        if x.numel() > self.room:
            raise self.error
        return self.net(x)


class MemorySaverTest(unittest.TestCase):
    def setUp(self):
        self.enterContext(mock.patch.object(runner, "MIN_TILE", 8))

    def assert_same(self, net, batch, found):
        np.testing.assert_allclose(found, net(batch)[:, 0].numpy(), atol=1e-5)

    @settings(max_examples=40, deadline=None)
    @given(
        st.integers(1, 4),
        st.integers(8, 40),
        st.integers(8, 40),
        st.integers(18 * 18, 4000),
        st.sampled_from((2, 4)),
    )
    def test_whatever_room_there_is_the_result_is_the_same(self, count, height, width, room, scale):
        net, batch = network(scale=scale), slices(count, height, width)
        with mock.patch.object(runner, "MIN_TILE", 8):
            self.assert_same(net, batch, NetworkRunner(Narrow(net, room), CPU)(batch)())

    def test_a_network_of_dense_blocks_reaches_as_far_as_it_says(self):
        for architecture in (
            {"blocks": 1, "features": 4, "growth": 2},
            {"blocks": 2, "features": 4, "growth": 2, "first_kernel": 9},
            {"network": "compact", "blocks": 3, "features": 4},
        ):
            net = network(architecture)
            image = torch.zeros(1, 1, 4, 2 * net.reach + 3).requires_grad_()
            net(image)[..., -2:].abs().sum().backward()
            touched = torch.nonzero(image.grad.abs().sum((0, 1, 2)))
            self.assertLessEqual(image.shape[3] - 1 - int(touched.min()), net.reach)

    def test_batches_are_halved_and_the_size_that_fits_is_kept(self):
        net, batch = network(), slices(8, 10, 10)
        narrow = Narrow(net, 250)
        saver = NetworkRunner(narrow, CPU)
        self.assert_same(net, batch, saver(batch)())
        self.assert_same(net, batch, saver(batch)())
        self.assertEqual([size[0] for size in narrow.sizes], [8, 4, 2, 2, 2, 2, 2, 2, 2, 2])
        self.assertIn("computed 2 at a time; the result is the same", saver.messages[0])

    def test_a_single_slice_is_cut_into_tiles_and_a_sentence_says_so(self):
        net, batch = network(), slices(1, 40, 30)
        saver = NetworkRunner(Narrow(net, 700), CPU)
        self.assert_same(net, batch, saver(batch)())
        self.assertEqual(len(saver.messages), 1)
        self.assertIn("in tiles of 20 pixels", saver.messages[0])

    def test_where_no_tile_fits_the_cpu_goes_on_and_the_next_run_begins_on_the_device_again(self):
        net, batch = network(), slices(2, 16, 16)
        saver = NetworkRunner(Narrow(net, 10**6), CPU)
        saver._wanted = (
            torch.device("meta"),
            torch.float16,
        )  # stands for a GPU: what is on it can be moved back only by loading it again
        moves = []
        with mock.patch.object(
            torch.nn.Module,
            "to",
            autospec=True,
            side_effect=lambda module, device: moves.append(str(device)) or module,
        ):
            saver.begin()
            self.assertEqual(
                (str(saver.device), saver.dtype, moves), ("meta", torch.float16, ["meta"])
            )
            with mock.patch.object(
                saver, "_enlarge", side_effect=[ERRORS[0]] * 3 + [torch.zeros((1, 32, 32))] * 2
            ):
                self.assertEqual(saver(batch)().shape, (2, 32, 32))
            self.assertEqual(
                (str(saver.device), saver.dtype, moves), ("cpu", torch.float32, ["meta", "cpu"])
            )
            self.assertIn(
                "The memory of the device meta was not enough: the slices were computed on the CPU;",
                saver.messages[0],
            )
            saver.begin()
        self.assertEqual((str(saver.device), saver.messages), ("meta", []))

    def test_where_nothing_fits_the_user_is_told_what_to_do(self):
        for error in ERRORS:
            with (
                self.subTest(type(error)),
                self.assertRaisesRegex(
                    SuperResolutionError,
                    "not enough for a slice of 20×12 pixels, not even in parts: close other programs",
                ) as caught,
            ):
                NetworkRunner(Narrow(network(), 0, error), CPU)(slices(1, 12, 20))
            self.assertEqual(caught.exception.kind, "memory")

    def test_another_error_is_no_want_of_memory(self):
        with self.assertRaisesRegex(RuntimeError, "mismatch"):
            NetworkRunner(Narrow(network(), 0, RuntimeError("shape mismatch")), CPU)(
                slices(1, 12, 20)
            )


class RunTest(unittest.TestCase):
    def test_a_run_tells_that_the_memory_was_not_enough_and_the_next_one_tries_again(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        write_model(folder, "tiny", architecture={"network": "compact", "blocks": 1, "features": 4})
        volume = np.random.default_rng(0).integers(0, 1000, (3, 100, 90)).astype(np.int16)
        narrow = []

        def saver(net, *arguments):
            narrow.append(Narrow(net, 100 * 90 - 1))
            return NetworkRunner(narrow[0], *arguments)

        def run(methods):
            return upsample(
                volume, np.eye(4), UpsamplingOptions("tiny+bp", 2, "k", "cpu", "float32"), methods
            )

        expected = run(MethodRegistry(ModelStore([folder])))
        with mock.patch("MRISuperResLib.core.methods.network.NetworkRunner", saver):
            methods = MethodRegistry(ModelStore([folder]))
            found = run(methods)
            narrow[0].room *= 2
            again = run(methods)
        for result, told in ((expected, False), (found, True), (again, False)):
            np.testing.assert_array_equal(result.volume, expected.volume)
            self.assertEqual(any("in tiles of" in message for message in result.messages), told)


if __name__ == "__main__":
    unittest.main()
