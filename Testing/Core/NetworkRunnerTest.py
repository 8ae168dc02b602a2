"""Inference if memory runs out: smaller batches, tiles, the CPU; the same result, and a message."""

import tempfile
import unittest
from unittest import mock

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from MRISuperResLib.core.inference import runner
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.networks import load_generator, make_generator
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.inference.runner import NetworkRunner
from MRISuperResLib.core.messages import info
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import SHIPPED, ModelStore
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume

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


class LimitedNetwork(torch.nn.Module):
    """A network on a device with memory for some low-resolution pixels.

    Args:
        net: The network.
        limit: Low-resolution pixels that fit into memory.
        error: What more pixels raise.

    Attributes:
        sizes: (slices, height, width) of each call.
    """

    def __init__(self, net, limit, error=ERRORS[0]):
        super().__init__()
        self.net, self.scale, self.reach = net, net.scale, net.reach
        self.limit, self.error, self.sizes = limit, error, []

    def forward(self, x):
        self.sizes.append(tuple(x.shape[::2]) + tuple(x.shape[3:]))
        if x.numel() > self.limit:
            raise self.error
        return self.net(x)


class MemoryTest(unittest.TestCase):
    def setUp(self):
        self.enterContext(mock.patch.object(runner, "MIN_TILE", 8))

    def assert_same(self, net, batch, found):
        np.testing.assert_allclose(found, net(batch)[:, 0].numpy(), atol=1e-5)

    @settings(max_examples=40, deadline=None)
    @given(
        st.integers(1, 4),
        st.integers(8, 40),
        st.integers(8, 40),
        st.integers(24 * 24, 4000),
        st.sampled_from((2, 4)),
        st.booleans(),
    )
    def test_the_result_is_the_same_whatever_fits_into_memory(
        self, count, height, width, limit, scale, skip
    ):
        architecture = {"network": "compact", "blocks": 1, "features": 4, "skip": skip}
        net, batch = network(architecture, scale), slices(count, height, width)
        with mock.patch.object(runner, "MIN_TILE", 8):
            self.assert_same(net, batch, NetworkRunner(LimitedNetwork(net, limit), CPU)(batch)())

    def test_no_network_depends_on_pixels_beyond_its_reach(self):
        for architecture in (
            {"blocks": 1, "features": 4, "growth": 2},
            {"blocks": 2, "features": 4, "growth": 2, "first_kernel": 9},
            {"blocks": 1, "features": 4, "growth": 2, "unshuffle": 2},
            {"blocks": 1, "features": 4, "growth": 2, "unshuffle": 4},
            {"network": "compact", "blocks": 3, "features": 4},
            {"network": "compact", "blocks": 1, "features": 4, "skip": True},
            {"network": "srvgg", "convolutions": 3, "features": 4},
        ):
            net = network(architecture)
            image = torch.zeros(1, 1, 4, 2 * net.reach + 3).requires_grad_()
            net(image)[..., -2:].abs().sum().backward()
            depends = torch.nonzero(image.grad.abs().sum((0, 1, 2)))
            self.assertLessEqual(image.shape[3] - 1 - int(depends.min()), net.reach)

    def test_tiles_of_unshuffled_input_begin_where_its_blocks_begin(self):
        net = network({"blocks": 1, "features": 4, "growth": 2, "unshuffle": 2})
        net.reach -= 1  # an odd overlap would divide a block
        for height, width in ((101, 50), (50, 102)):
            batch = slices(1, height, width)
            self.assert_same(net, batch, NetworkRunner(LimitedNetwork(net, 5000), CPU)(batch)())

    def test_a_network_without_a_reach_is_not_divided_into_tiles(self):
        limited = LimitedNetwork(network(), 100)
        limited.reach = None
        with self.assertRaisesRegex(SuperResolutionError, "and its network needs whole slices"):
            NetworkRunner(limited, CPU)(slices(2, 20, 30))
        self.assertEqual([size[0] for size in limited.sizes], [2, 1])

    def test_batches_are_halved_and_the_size_that_fits_is_used_from_then_on(self):
        net, batch = network(), slices(8, 10, 10)
        limited = LimitedNetwork(net, 250)
        network_runner = NetworkRunner(limited, CPU)
        self.assert_same(net, batch, network_runner(batch)())
        self.assert_same(net, batch, network_runner(batch)())
        self.assertEqual([size[0] for size in limited.sizes], [8, 4, 2, 2, 2, 2, 2, 2, 2, 2])
        self.assertEqual(
            [str(message) for message in network_runner.messages],
            ["Out of memory on cpu; continued 2 slices at a time (same result)."],
        )

    def test_a_single_slice_is_computed_in_tiles_and_an_info_reports_it(self):
        net, batch = network(), slices(1, 40, 30)
        network_runner = NetworkRunner(LimitedNetwork(net, 800), CPU)
        self.assert_same(net, batch, network_runner(batch)())
        self.assertEqual(
            network_runner.messages,
            [
                info(
                    "out-of-memory",
                    "Out of memory on cpu; continued in tiles of 20 px (same result).",
                )
            ],
        )

    def test_if_no_tile_fits_the_cpu_continues_and_the_next_run_starts_on_the_device_again(self):
        net, batch = network(), slices(2, 16, 16)
        network_runner = NetworkRunner(LimitedNetwork(net, 10**6), CPU)
        # stands for a GPU; weights on it cannot be moved back without loading them again
        network_runner._requested = (torch.device("meta"), torch.float16)
        moves = []
        with mock.patch.object(
            torch.nn.Module,
            "to",
            autospec=True,
            side_effect=lambda module, device: moves.append(str(device)) or module,
        ):
            network_runner.reset()
            self.assertEqual(
                (str(network_runner.device), network_runner.dtype, moves),
                ("meta", torch.float16, ["meta"]),
            )
            with mock.patch(
                "MRISuperResLib.core.inference.runner.run_network",
                side_effect=[ERRORS[0]] * 3 + [torch.zeros((1, 1, 32, 32))] * 2,
            ):
                self.assertEqual(network_runner(batch)().shape, (2, 32, 32))
            self.assertEqual(
                (str(network_runner.device), network_runner.dtype, moves),
                ("cpu", torch.float32, ["meta", "cpu"]),
            )
            self.assertEqual(
                str(network_runner.messages[0]),
                "Out of memory on meta; continued on the CPU (same result).",
            )
            network_runner.reset()
        self.assertEqual((str(network_runner.device), network_runner.messages), ("meta", []))

    def test_if_nothing_fits_the_error_says_what_to_do(self):
        for error in ERRORS:
            with (
                self.subTest(type(error)),
                self.assertRaisesRegex(
                    SuperResolutionError,
                    "Out of memory for a slice of 20×12 pixels, even in tiles",
                ) as caught,
            ):
                NetworkRunner(LimitedNetwork(network(), 0, error), CPU)(slices(1, 12, 20))
            self.assertEqual(caught.exception.kind, "memory")

    def test_other_errors_are_raised_unchanged(self):
        with self.assertRaisesRegex(RuntimeError, "mismatch"):
            NetworkRunner(LimitedNetwork(network(), 0, RuntimeError("shape mismatch")), CPU)(
                slices(1, 12, 20)
            )


class ShippedModelsTest(unittest.TestCase):
    def test_tiles_of_a_shipped_model_give_the_result_of_the_whole_slice(self):
        for model in ModelStore([SHIPPED]).models():
            card = model.card
            if card.is_through_plane:  # never divided into tiles
                continue
            net = load_generator(card.name, card.architecture, card.scale, model.read_weights())
            net.eval().requires_grad_(False).double()  # without rounding of its own
            for height, width in ((100, 8), (8, 100)):
                with self.subTest(card.name, height=height, width=width):
                    batch = slices(1, height, width).double()
                    counted = LimitedNetwork(net, 10**6)
                    tiled = NetworkRunner(counted, CPU)
                    tiled._tile = 40
                    # an overlap of 24 pixels differs by 4e-6, one of 16 by 2e-3
                    np.testing.assert_allclose(
                        tiled(batch)(), NetworkRunner(net, CPU)(batch)(), rtol=0, atol=1e-6
                    )
                    self.assertEqual(len(counted.sizes), 3)


class RunTest(unittest.TestCase):
    def test_a_run_reports_that_memory_ran_out_and_the_next_one_tries_again(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        write_model(folder, "tiny", architecture={"network": "compact", "blocks": 1, "features": 4})
        array = np.random.default_rng(0).integers(0, 1000, (3, 100, 90)).astype(np.int16)
        nets = []

        def limited_runner(net, *arguments):
            nets.append(LimitedNetwork(net, 100 * 90 - 1))
            return NetworkRunner(nets[0], *arguments)

        def run(registry):
            return upsample_volume(
                Volume(array, np.eye(4)),
                UpsamplingOptions("tiny+bp", 2, "k", "cpu", "float32"),
                registry=registry,
            )

        expected = run(MethodRegistry(ModelStore([folder])))
        with mock.patch("MRISuperResLib.core.methods.network.NetworkRunner", limited_runner):
            registry = MethodRegistry(ModelStore([folder]))
            found = run(registry)
            nets[0].limit *= 2
            again = run(registry)
        for result, is_reported in ((expected, False), (found, True), (again, False)):
            np.testing.assert_array_equal(result.array, expected.array)
            self.assertEqual(
                [message.level for message in result.messages if message.code == "out-of-memory"],
                ["info"] * is_reported,
            )


if __name__ == "__main__":
    unittest.main()
