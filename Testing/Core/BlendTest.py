"""Blends: interpolation between the weights of the PSNR and the GAN model of a pair."""

import tempfile
import unittest

import numpy as np
import torch
from made_models import write_model

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume


class BlendTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.psnr = write_model(folder.name, "a-psnr", pair="a", seed=1)
        cls.gan = write_model(folder.name, "a-gan", stage="gan", pair="a", seed=2)
        write_model(folder.name, "alone-psnr", pair="alone")
        write_model(folder.name, "b-psnr", pair="b", scale=4)
        write_model(
            folder.name,
            "b-gan",
            stage="gan",
            pair="b",
            scale=4,
            architecture={"blocks": 2, "features": 8, "growth": 4},
        )
        write_model(folder.name, "c-psnr", pair="c", scale=4)
        write_model(folder.name, "c-gan", stage="gan", pair="c", scale=2)
        cls.store = ModelStore([folder.name])
        cls.registry = MethodRegistry(cls.store)
        cls.images = np.random.default_rng(0).random((2, 9, 7))

    def method(self, name, **options):
        return self.registry.get(
            UpsamplingOptions(name, device="cpu", precision="float32", **options)
        )

    def test_the_ends_of_a_blend_are_the_two_models(self):
        for alpha, name in ((0, "a-psnr"), (1, "a-gan")):
            np.testing.assert_array_equal(
                self.method(f"a@{alpha}")(self.images), self.method(name)(self.images)
            )

    def test_a_blend_interpolates_every_weight(self):
        weights = self.psnr.state_dict()
        for name, value in self.gan.state_dict().items():
            weights[name] = 0.7 * weights[name] + 0.3 * value
        net = write_model(tempfile.mkdtemp())
        net.load_state_dict(weights)
        with torch.no_grad():
            expected = net(torch.tensor(self.images, dtype=torch.float32)[:, None])[:, 0].numpy()
        np.testing.assert_allclose(self.method("a@0.3")(self.images), expected, atol=1e-5)

    def test_a_blend_does_not_change_its_two_models(self):
        before = self.method("a-psnr")(self.images)
        self.method("a@0.8")(self.images)
        np.testing.assert_array_equal(self.method("a-psnr")(self.images), before)

    def test_provenance_names_the_blend_and_the_weights_of_both_models(self):
        result = upsample_volume(
            Volume(np.random.default_rng(0).random((2, 9, 7)), np.eye(4)),
            UpsamplingOptions("a@0.50", device="cpu", precision="float32"),
            registry=self.registry,
        )
        hashes = [self.store.model(name).card.sha256 for name in ("a-psnr", "a-gan")]
        self.assertEqual(
            result.provenance["model"],
            {"name": "a@0.5", "stage": "blend", "sha256": " ".join(hashes)},
        )

    def test_only_two_stages_of_one_scale_and_architecture_are_a_pair(self):
        self.assertEqual(list(self.store.pairs(2)), ["a"])
        self.assertEqual(self.store.pairs(4), {})
        for name in ("alone@0.5", "b@0.5", "c@0.5", "bicubic@0.5", "a-psnr@0.5"):
            with (
                self.subTest(name),
                self.assertRaisesRegex(SuperResolutionError, "no pair of models.*Installed: a"),
            ):
                self.method(name)

    def test_a_pair_of_another_scale_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "for ×4"):
            self.method("a@0.5", scale=4)

    def test_back_projection_makes_the_result_of_a_network_consistent_with_its_input(self):
        from MRISuperResLib.core import resampling

        errors = [
            np.abs(resampling.degrade(self.method(name)(self.images), 2) - self.images).max()
            for name in ("a-psnr", "a-psnr+bp")
        ]
        self.assertLess(errors[1], 0.05 * errors[0])


if __name__ == "__main__":
    unittest.main()
