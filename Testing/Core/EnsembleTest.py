"""Self-ensemble: the mean over the eight flips and turns of a slice."""

import tempfile
import unittest

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from MRISuperResLib.cli.parser import parse
from MRISuperResLib.cli.upsample import options_of
from MRISuperResLib.core.inference.runner import NetworkRunner
from MRISuperResLib.core.methods.network import SelfEnsemble
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.networks import make_generator
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume

from made_models import write_model
from NetworkRunnerTest import CPU, LimitedNetwork

SYMMETRIES = [(mirror, turns) for mirror in (1, -1) for turns in range(4)]


def transformed(images, mirror, turns):
    """Mirror (…, h, w) along the rows if mirror is -1, then turn."""
    return np.rot90(images[..., ::mirror], turns, (-2, -1))


def by_hand(method, images):
    """The mean, in double precision; method upsamples (n, h, w)."""
    results = []
    for mirror, turns in SYMMETRIES:
        result = method(transformed(images, mirror, turns).copy())
        results.append(np.rot90(result, -turns, (-2, -1))[..., ::mirror])
    return np.mean(results, axis=0, dtype=np.float64)


def network(scale, **architecture):
    torch.manual_seed(0)
    net = make_generator(architecture, scale).eval().requires_grad_(False)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return net


class SymmetryTest(unittest.TestCase):
    NETWORKS = (
        {"network": "compact", "blocks": 1, "features": 4},
        {"network": "rrdb", "blocks": 1, "features": 4, "growth": 2, "skip": True},
    )

    @settings(max_examples=20, deadline=None)
    @given(
        st.sampled_from(NETWORKS),
        st.sampled_from((2, 4)),
        st.sampled_from(SYMMETRIES),
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
    )
    def test_a_turned_or_mirrored_image_gives_the_turned_or_mirrored_result(
        self, architecture, scale, symmetry, size
    ):
        net = SelfEnsemble(network(scale, **architecture))
        image = np.random.default_rng(0).random((1, 1, *size), dtype=np.float32)
        turned = torch.from_numpy(transformed(image, *symmetry).copy())
        expected = transformed(net(torch.from_numpy(image)).numpy(), *symmetry)
        np.testing.assert_allclose(net(turned).numpy(), expected, rtol=0, atol=1e-5)

    def test_the_network_alone_is_not_symmetric(self):
        net = network(2, **self.NETWORKS[0])
        image = torch.rand(1, 1, 6, 6)
        self.assertGreater(float((net(image.flip(3)).flip(3) - net(image)).abs().max()), 1e-2)

    def test_tiles_give_the_result_of_the_whole_slice(self):
        net = SelfEnsemble(network(2, **self.NETWORKS[0]))
        batch = torch.rand(1, 1, 150, 70)
        limited = NetworkRunner(LimitedNetwork(net, 8000), CPU)
        np.testing.assert_allclose(limited(batch)(), net(batch)[:, 0].numpy(), atol=1e-5)
        self.assertTrue(limited.messages)


class MethodTest(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        write_model(folder)
        write_model(folder, "tiny-x2-gan", seed=1, stage="gan", pair="tiny-x2")
        write_model(folder, "tiny-x2-psnr", pair="tiny-x2")
        self.registry = MethodRegistry(ModelStore([folder]))
        self.images = np.random.default_rng(0).random((2, 7, 9), dtype=np.float32)

    def get(self, name, ensemble):
        return self.registry.get(UpsamplingOptions(name, ensemble=ensemble))

    def test_every_network_method_can_be_an_ensemble(self):
        for name in ("tiny-x2-psnr", "tiny-x2@0.5"):
            with self.subTest(name):
                plain, ensemble = self.get(name, False), self.get(name, True)
                found, expected = ensemble(self.images), by_hand(plain, self.images)
                np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
                self.assertGreater(np.abs(found - plain(self.images)).max(), 1e-4)

    def test_the_mean_is_back_projected_not_its_parts(self):
        found = self.get("tiny-x2-psnr+bp", True)(self.images)
        expected = by_hand(self.get("tiny-x2-psnr+bp", False), self.images)  # it is linear
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)

    def test_an_interpolation_has_the_same_result(self):
        found, plain = (self.get("bicubic", ensemble)(self.images) for ensemble in (True, False))
        np.testing.assert_array_equal(found, plain)

    def test_the_mean_is_rounded_and_the_provenance_states_it(self):
        array = (1000 * self.images).astype(np.int16)
        volume = Volume(array, np.eye(4))
        options = UpsamplingOptions(
            "tiny-x2-psnr", slice_axis="k", intensity_range=(0, 1000), ensemble=True
        )
        output = upsample_volume(volume, options, registry=self.registry)
        expected = 1000 * by_hand(self.get("tiny-x2-psnr", False), array / np.float32(1000))
        self.assertLessEqual(np.abs(output.array - expected).max(), 0.51)
        self.assertIs(output.provenance["options"]["ensemble"], True)

    def test_the_commands_upsample_and_batch_pass_it_on(self):
        for words in (["upsample", "in.nii", "out.nii"], ["batch", "in", "--out", "out"]):
            for more, expected in (([], False), (["--ensemble"], True)):
                self.assertIs(options_of(parse([*words, *more])).ensemble, expected)


if __name__ == "__main__":
    unittest.main()
