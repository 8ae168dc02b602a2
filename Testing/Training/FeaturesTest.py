"""Features of VGG, LPIPS and the VGG19 distance equal independent computations."""

import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import made_vgg
import numpy as np
import torch
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.metrics.perceptual import FOLDERS_VARIABLE
from MRISuperResTrainingLib.evaluation.evaluate import perceptual_metrics
from MRISuperResTrainingLib.networks import vgg
from MRISuperResTrainingLib.networks.vgg import (
    LINEAR_FILE,
    VGG,
    find_lpips,
    find_vgg,
    find_vgg_distance,
    load_vgg,
)
from scipy.signal import correlate

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "MRISuperResTraining" / "Recipes"))
import convert_caffe_vgg

WEIGHTS = Path(
    os.environ.get(
        "MRISUPERRES_TEST_WEIGHTS", Path(__file__).resolve().parents[3] / "shared" / "weights"
    )
)
VGG_FILE = WEIGHTS / "vgg19_imagenet_conv_fp16.npz"


def image(shape=(40, 36), seed=1):
    return np.random.default_rng(seed).uniform(-0.3, 1.3, shape).astype(np.float32)


def tensor(*images):
    return torch.tensor(np.stack(images))[:, None]


class FolderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def assert_refused(self, pattern, function, *arguments):
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            function(*arguments)
        self.assertEqual(caught.exception.kind, "environment")
        self.assertNotIn("\n", str(caught.exception))


class VggTest(FolderTest):
    def setUp(self):
        super().setUp()
        patch = made_vgg.narrow()
        patch.start()
        self.addCleanup(patch.stop)

    def test_images_are_normalized_with_the_mean_and_deviation_of_imagenet_without_clipping(self):
        weights = made_vgg.random_weights("vgg19")
        vgg = VGG("vgg19", made_vgg.write_torchvision(self.folder / "a.pth", "vgg19", weights))
        mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        rgb = (image() - mean[:, None, None]) / deviation[:, None, None]
        expected = made_vgg.convolutions(rgb, weights)[4, 3]
        found = vgg.last_convolution(tensor(image()))[0].numpy()
        self.assertEqual(found.shape, (8, 40 // 16, 36 // 16))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        self.assertLess(found.min(), 0)  # before the activation

    def test_converted_original_weights_give_a_twentieth_of_the_original_features(self):
        weights = made_vgg.random_weights("vgg19")
        source = made_vgg.write_caffe(self.folder / "a.npz", weights)
        vgg = VGG("vgg19", convert_caffe_vgg.convert(source, self.folder / "a.pth"))
        bgr = image((64, 64)) * 255 - np.array([103.939, 116.779, 123.68])[:, None, None]
        expected = made_vgg.convolutions(bgr, weights)[4, 3] / 20
        found = vgg.last_convolution(tensor(image((64, 64))))[0].numpy()
        # the padding differs by half a gray level, in the outermost pixel only
        np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())

    def test_features_stay_in_float32_under_autocast(self):
        vgg = VGG(
            "vgg19",
            made_vgg.write_torchvision(
                self.folder / "a.pth", "vgg19", made_vgg.random_weights("vgg19")
            ),
        )
        outside = vgg.last_convolution(tensor(image()))
        with torch.autocast("cpu", torch.bfloat16):
            inside = (
                vgg.last_convolution(tensor(image()).bfloat16().float()),
                vgg.last_convolution(tensor(image())),
            )
        self.assertEqual(inside[0].dtype, torch.float32)
        torch.testing.assert_close(inside[1], outside, rtol=0, atol=0)

    def test_a_file_with_other_weights_is_named(self):
        for name, write in (
            ("empty.pth", lambda path: path.write_bytes(b"")),
            ("text.pth", lambda path: path.write_text("weights")),
            ("none.pth", lambda path: None),
            ("other.pth", lambda path: torch.save({"a": torch.zeros(2)}, path)),
            ("list.pth", lambda path: torch.save([1], path)),
            ("original.pth", lambda path: path.write_bytes(b"PK")),
            (
                "vgg16.pth",
                lambda path: made_vgg.write_torchvision(
                    path, "vgg16", made_vgg.random_weights("vgg16")
                ),
            ),
        ):
            write(self.folder / name)
            with self.subTest(name):
                self.assert_refused(
                    rf"{name} holds no weights of VGG19 .*: get vgg19-dcbb9e9d.pth from https",
                    VGG,
                    "vgg19",
                    self.folder / name,
                )

    def test_missing_weights_are_named_with_their_source(self):
        with mock.patch.dict(os.environ, {FOLDERS_VARIABLE: str(self.folder)}):
            self.assert_refused(
                "needs the weights of VGG19, vgg19-dcbb9e9d.pth: get them from https.*, and put "
                "them into a folder .* MRISUPERRES_WEIGHTS",
                load_vgg,
                "vgg19",
            )
            (self.folder / "vgg19.npz").touch()
            self.assertIsNone(find_vgg("vgg19"))
            (self.folder / "vgg19_other.pth").touch()
            self.assertEqual(find_vgg("vgg19"), self.folder / "vgg19_other.pth")
        self.assert_refused("given.pth holds no weights", load_vgg, "vgg19", "given.pth")


class LpipsTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.linear = [
            np.random.default_rng(width).random(width).astype(np.float32)
            for width in made_vgg.WIDTHS
        ]
        self.weights = made_vgg.random_weights("vgg16")
        torch.save(
            {
                f"lin{n}.model.1.weight": torch.tensor(w)[None, :, None, None]
                for n, w in enumerate(self.linear)
            },
            self.folder / LINEAR_FILE,
        )

    def found(self):
        with made_vgg.narrow(), mock.patch.dict(os.environ, {FOLDERS_VARIABLE: str(self.folder)}):
            return find_lpips()

    def expected(self, a, b):
        """Zhang et al. 2018, section 3.2 and equation 1, with the scaling of version 0.1."""
        stacks = []
        for x in (a, b):
            rgb = (
                np.clip(x, 0, 1) * 2 - 1 - np.array([-0.030, -0.088, -0.188])[:, None, None]
            ) / np.array([0.458, 0.448, 0.450])[:, None, None]
            outputs = made_vgg.convolutions(rgb, self.weights)
            layers = [
                np.maximum(outputs[block, last], 0) for block, last in enumerate((1, 1, 2, 2, 2))
            ]
            stacks.append([layer / (np.sqrt((layer**2).sum(0)) + 1e-10) for layer in layers])
        return sum(
            (weight[:, None, None] * (x - y) ** 2).sum(0).mean()
            for weight, x, y in zip(self.linear, *stacks)
        )

    def test_lpips_equals_an_independent_computation(self):
        made_vgg.write_torchvision(self.folder / "vgg16-397923af.pth", "vgg16", self.weights)
        measure = self.found()
        a, b, c = (image((32, 48), seed) for seed in (1, 2, 3))
        found = measure(tensor(a, b), tensor(b, c)).tolist()
        self.assertAlmostEqual(found[0], self.expected(a, b), places=4)
        self.assertAlmostEqual(found[1], self.expected(b, c), places=4)
        self.assertEqual(float(measure(tensor(a), tensor(a))), 0)

    def test_lpips_needs_both_files(self):
        self.assertIsNone(self.found())
        made_vgg.write_torchvision(self.folder / "vgg16-397923af.pth", "vgg16", self.weights)
        (self.folder / LINEAR_FILE).rename(self.folder / "other.pth")
        self.assertIsNone(self.found())

    def test_a_file_with_other_weights_is_named(self):
        made_vgg.write_torchvision(self.folder / "vgg16-397923af.pth", "vgg16", self.weights)
        torch.save({"lin0.model.1.weight": torch.zeros(3)}, self.folder / LINEAR_FILE)
        self.assert_refused(f"{LINEAR_FILE} holds no weights of LPIPS", self.found)

    def test_the_published_linear_weights_are_readable(self):
        if not (WEIGHTS / LINEAR_FILE).is_file():
            self.skipTest(
                f"no {LINEAR_FILE} in {WEIGHTS}: set MRISUPERRES_TEST_WEIGHTS to a folder with it"
            )
        self.assertEqual(
            [tuple(w.shape) for w in vgg._read_linear(WEIGHTS / LINEAR_FILE)],
            [(n, 1, 1) for n in (64, 128, 256, 512, 512)],
        )


class VggDistanceTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.enterContext(made_vgg.narrow())
        self.enterContext(mock.patch.dict(os.environ, {FOLDERS_VARIABLE: str(self.folder)}))
        self.weights = made_vgg.random_weights("vgg19")

    def expected(self, a, b):
        """Zhang et al. 2018, equation 1, all weights equal, of the last layer of each block."""
        stacks = []
        for x in (a, b):
            rgb = (np.clip(x, 0, 1) - np.array([0.485, 0.456, 0.406])[:, None, None]) / np.array(
                [0.229, 0.224, 0.225]
            )[:, None, None]
            outputs = made_vgg.convolutions(rgb, self.weights)
            layers = [
                np.maximum(outputs[block, last], 0) for block, last in enumerate((1, 1, 3, 3, 3))
            ]
            stacks.append([layer / (np.sqrt((layer**2).sum(0)) + 1e-10) for layer in layers])
        return np.mean([((x - y) ** 2).sum(0).mean() for x, y in zip(*stacks)])

    def test_the_vgg_distance_equals_an_independent_computation(self):
        made_vgg.write_torchvision(self.folder / "vgg19-dcbb9e9d.pth", "vgg19", self.weights)
        a, b, c = (image((32, 48), seed) for seed in (1, 2, 3))
        found = find_vgg_distance()(tensor(a, b), tensor(b, c)).tolist()
        self.assertAlmostEqual(found[0], self.expected(a, b), places=4)
        self.assertAlmostEqual(found[1], self.expected(b, c), places=4)
        self.assertEqual(float(find_vgg_distance()(tensor(a), tensor(a))), 0)

    def test_the_vgg_distance_needs_the_weights_of_vgg19(self):
        made_vgg.write_torchvision(
            self.folder / "vgg16-397923af.pth", "vgg16", made_vgg.random_weights("vgg16")
        )
        self.assertIsNone(find_vgg_distance())

    def test_an_evaluation_includes_the_vgg_distance_if_its_weights_exist(self):
        self.assertEqual(perceptual_metrics(), [])
        made_vgg.write_torchvision(self.folder / "vgg19-dcbb9e9d.pth", "vgg19", self.weights)
        [(metric, function)] = perceptual_metrics()
        a, b = image((32, 48), 1), image((32, 48), 2)
        self.assertEqual((metric.key, metric.better), ("vgg_distance", "lower"))
        for x, y in ((a, b), (b, a), (b, b), (a, b)):  # the same reference, and others
            self.assertAlmostEqual(function(x, y), self.expected(x, y), places=4)


class PublishedWeightsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not VGG_FILE.is_file():
            raise unittest.SkipTest(
                f"no {VGG_FILE.name} in {WEIGHTS}: set MRISUPERRES_TEST_WEIGHTS to a folder with it"
            )
        with tempfile.TemporaryDirectory() as folder:
            cls.vgg = VGG("vgg19", convert_caffe_vgg.convert(VGG_FILE, Path(folder, "vgg19.pth")))

    def camera(self):
        from skimage import data

        return data.camera()[100:164, 200:264].astype(np.float32) / 255

    def test_the_first_convolution_equals_that_of_the_original_weights(self):
        with np.load(VGG_FILE) as file:
            weight, bias = (
                file[f"block1_conv1.{kind}"].astype(float) for kind in ("weight", "bias")
            )
        bgr = self.camera() * 255 - np.array([103.939, 116.779, 123.68])[:, None, None]
        seen = []
        self.vgg.blocks[0][0].register_forward_hook(
            lambda module, arguments, output: seen.append(output[0].numpy())
        )
        self.vgg.last_convolution(tensor(self.camera()))
        for n in (0, 17, 63):
            expected = (
                sum(correlate(channel, kernel, "valid") for channel, kernel in zip(bgr, weight[n]))
                + bias[n]
            )
            np.testing.assert_allclose(seen[0][n][1:-1, 1:-1], expected, rtol=1e-3, atol=1e-2)

    def test_features_of_a_photograph_have_the_magnitude_of_torchvisions(self):
        features = self.vgg.last_convolution(tensor(self.camera()))
        self.assertEqual(features.shape, (1, 512, 4, 4))
        self.assertGreater(float(features.std()), 1)
        self.assertLess(float(features.std()), 3)
        self.assertLess(float(features.min()), -1)  # before the activation


if __name__ == "__main__":
    unittest.main()
