"""NIQE and PI against a computation of their own, and all that may be missing."""

import importlib.util
import os
import shutil
import socket
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import scipy.io
from made_torchvision import declare_missing_operators
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.metrics import perceptual
from MRISuperResLib.core.metrics.perceptual import NIQE_FILE, NRQM_FILE, PerceptualMetric
from scipy.ndimage import gaussian_filter
from scipy.special import gamma

WEIGHTS = Path(
    os.environ.get(
        "MRISUPERRES_TEST_WEIGHTS", Path(__file__).resolve().parents[3] / "shared" / "weights"
    )
)
NO_WEIGHTS = f"no {NIQE_FILE} in {WEIGHTS}: set MRISUPERRES_TEST_WEIGHTS to a folder that has it"
MA = 6.25
"""What the made-up NRQM model says of every image."""


def own_niqe(image, mean, covariance, size=96):
    """NIQE of a gray image, 0–255: Mittal et al. 2013, constants of the authors' MATLAB code."""
    image = image[: image.shape[0] // size * size, : image.shape[1] // size * size].astype(float)
    features = []
    for block in (size, size // 2):
        mu = gaussian_filter(image, 7 / 6, radius=3, mode="nearest")
        sigma = np.sqrt(np.abs(gaussian_filter(image**2, 7 / 6, radius=3, mode="nearest") - mu**2))
        normal = (image - mu) / (sigma + 1)
        rows, columns = (n // block for n in normal.shape)
        blocks = (
            normal.reshape(rows, block, columns, block).swapaxes(1, 2).reshape(-1, block, block)
        )
        features.append([own_features(b) for b in blocks])
        image = halved(image)
    features = np.concatenate(features, axis=1)
    difference = mean - np.nanmean(features, axis=0)
    pooled = (covariance + np.cov(features[np.isfinite(features).all(axis=1)], rowvar=False)) / 2
    return np.sqrt(difference @ np.linalg.pinv(pooled) @ difference)


def own_features(block):
    alpha, left, right = asymmetric_gaussian(block)
    features = [alpha, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        alpha, left, right = asymmetric_gaussian(block * np.roll(block, shift, (0, 1)))
        features += [alpha, (right - left) * gamma(2 / alpha) / gamma(1 / alpha), left, right]
    return features


def asymmetric_gaussian(values):
    """Shape and the two scales, by matching moments; NaN where there are no values on a side."""
    shapes = np.arange(0.2, 10.001, 0.001)
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (
            np.sqrt(np.square(part).sum() / np.float64(part.size))
            for part in (values[values < 0], values[values > 0])
        )
        ratio = left / right
        rho = (
            np.mean(np.abs(values)) ** 2
            / np.mean(values**2)
            * (ratio**3 + 1)
            * (ratio + 1)
            / (ratio**2 + 1) ** 2
        )
    shape = shapes[
        np.argmin((gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes)) - rho) ** 2)
    ]
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale


def halved(image):
    """MATLAB's imresize(image, 0.5): Keys's cubic at half its frequency, symmetric edges."""
    x = np.abs(np.arange(-3.5, 4)) / 2
    taps = np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2)
    taps /= taps.sum()
    for _ in range(2):
        padded = np.pad(image, ((3, 3), (0, 0)), mode="symmetric")
        image = sum(tap * padded[n : n + image.shape[0] : 2] for n, tap in enumerate(taps)).T
    return image


def sample_images():
    """Pictures that come with scikit-image."""
    from skimage import color, data

    return {
        "camera": data.camera(),
        "coins": data.coins(),
        "moon": data.moon(),
        "gravel": data.gravel(),
        "page": data.page(),
        "cat": np.rint(color.rgb2gray(data.chelsea()) * 255),
    }


def texture(shape=(192, 192), seed=1):
    return np.clip(
        gaussian_filter(np.random.default_rng(seed).normal(0, 200, shape), 1) + 120, 0, 255
    )


def write_parameters(folder):
    """Files of pyiqa's kind that are made up: NIQE's distance is Euclidean, and Ma is always MA."""
    scipy.io.savemat(
        Path(folder, NIQE_FILE), {"mu_prisparam": np.zeros((1, 36)), "cov_prisparam": np.eye(36)}
    )
    leaf = np.array([[0]], np.int32)
    tree = dict(
        ldau=leaf,
        rdau=leaf,
        ndtree=leaf,
        nodestatus=leaf,
        xbestsplit=np.zeros((1, 1)),
        nodepred=np.full((1, 1), 3.0),
        mbest=leaf + 1,
    )
    forests = np.empty((1, 3), object)
    for n in range(3):
        forests[0, n] = tree
    scipy.io.savemat(
        Path(folder, NRQM_FILE),
        {"model": {"linear": np.array([[MA - 3], [0.5], [0.25], [0.25]]), "rf": forests}},
    )


class PerceptualTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for patch in (
            mock.patch.dict(os.environ, TORCH_HOME=str(self.folder / "torch")),
            mock.patch.object(
                socket.socket, "connect", side_effect=AssertionError("the network was asked")
            ),
        ):
            patch.start()
            self.addCleanup(patch.stop)
        os.environ.pop(perceptual.FOLDERS_VARIABLE, None)

    def assert_refused(self, pattern, kind, function, *arguments, **settings):
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            function(*arguments, **settings)
        self.assertEqual(caught.exception.kind, kind)
        self.assertNotIn("\n", str(caught.exception))


@unittest.skipUnless(importlib.util.find_spec("pyiqa"), "pyiqa is not installed")
class WithPyiqaTest(PerceptualTest):
    @classmethod
    def setUpClass(cls):
        declare_missing_operators()


class ParametersTest(WithPyiqaTest):
    """With the published parameters."""

    def setUp(self):
        super().setUp()
        if not (WEIGHTS / NIQE_FILE).is_file():
            self.skipTest(NO_WEIGHTS)
        parameters = scipy.io.loadmat(WEIGHTS / NIQE_FILE)
        self.parameters = parameters["mu_prisparam"].ravel(), parameters["cov_prisparam"]

    def test_niqe_equals_an_independent_computation_on_known_images(self):
        niqe = PerceptualMetric("niqe", WEIGHTS)
        tolerance = {
            "moon": 0.01,
            "page": 0.01,
        }  # both have areas of one gray, where the last bits decide which side of it a pixel is on
        for name, image in sample_images().items():
            with self.subTest(name):
                self.assertAlmostEqual(
                    niqe(image), own_niqe(image, *self.parameters), delta=tolerance.get(name, 5e-4)
                )

    def test_niqe_equals_an_independent_computation_with_another_block_size(self):
        from skimage import data

        for size in (48, 128):
            self.assertAlmostEqual(
                PerceptualMetric("niqe", WEIGHTS, size)(data.camera()),
                own_niqe(data.camera(), *self.parameters, size),
                places=3,
            )

    def test_both_published_parameter_files_agree(self):
        if not (WEIGHTS / "niqe_pris_params.npz").is_file():
            self.skipTest(f"no niqe_pris_params.npz in {WEIGHTS}")
        other = np.load(WEIGHTS / "niqe_pris_params.npz")
        np.testing.assert_array_equal(other["mu_pris_param"].ravel(), self.parameters[0])
        np.testing.assert_array_equal(other["cov_pris_param"], self.parameters[1])

    def test_noise_and_blur_raise_niqe(self):
        from skimage import data

        niqe, camera = PerceptualMetric("niqe", WEIGHTS), data.camera().astype(float)
        noise = np.random.default_rng(0).normal(0, 20, camera.shape)
        for worse in (camera + noise, gaussian_filter(camera, 2)):
            self.assertGreater(niqe(worse), niqe(camera) + 1)

    def test_images_are_rounded_and_clipped_to_8_bits(self):
        niqe = PerceptualMetric("niqe", WEIGHTS)
        image = texture() * 1.3 - 30
        before = image.copy()
        self.assertEqual(niqe(image), niqe(np.clip(image, 0, 255).round().astype(np.uint8)))
        np.testing.assert_array_equal(image, before)


class PlumbingTest(WithPyiqaTest):
    """With parameters that are made up."""

    def setUp(self):
        super().setUp()
        write_parameters(self.folder)

    def metric(self, name="niqe", **settings):
        return PerceptualMetric(name, self.folder, **settings)

    def test_pi_combines_ma_and_niqe_inside_the_border(self):
        image = texture((200, 210))
        inside = image[4:-4, 4:-4]
        self.assertAlmostEqual(
            self.metric("pi")(image), ((10 - MA) + self.metric()(inside)) / 2, places=9
        )
        self.assertAlmostEqual(
            self.metric("pi")(image),
            ((10 - MA) + own_niqe(np.rint(inside), np.zeros(36), np.eye(36))) / 2,
            places=3,
        )

    def test_parameter_files_have_the_names_that_pyiqa_uses(self):
        from pyiqa.archs import niqe_arch, nrqm_arch

        self.assertEqual(
            [
                module.default_model_urls["url"].rpartition("/")[2]
                for module in (niqe_arch, nrqm_arch)
            ],
            [NIQE_FILE, NRQM_FILE],
        )

    def test_an_image_of_fewer_than_four_blocks_is_refused(self):
        self.metric()(texture((96, 384)))
        for shape in ((96, 383), (191, 191), (95, 1000), (10, 10)):
            self.assert_refused(
                r"NIQE needs at least 4 blocks of 96×96 pixels; "
                rf"an image of {shape[1]}×{shape[0]} pixels holds [0-3]\.",
                "input",
                self.metric(),
                texture(shape),
            )
        self.metric(block_size=48)(texture((96, 96)))
        self.metric("pi")(texture((200, 200)))
        self.assert_refused(
            "PI needs at least 4 blocks", "input", self.metric("pi"), texture((199, 200))
        )

    def test_an_image_with_too_little_content_is_refused(self):
        three_blocks = texture((192, 192))
        three_blocks[96:, 96:] = 0
        for image in (
            np.zeros((192, 192)),
            np.full((192, 192), 77.7),
            three_blocks,
            np.full((192, 192), 300) + texture(),
        ):
            self.assert_refused(
                "with content in fewer than 4 of its blocks", "input", self.metric(), image
            )

    def test_constant_blocks_are_ignored(self):
        image = np.zeros((288, 288))
        image[:192, :192] = texture()
        self.assertTrue(np.isfinite(self.metric()(image)))

    def test_nan_and_infinite_pixels_are_refused(self):
        for value in (np.nan, np.inf):
            image = texture()
            image[3, 5] = value
            self.assert_refused("NaN or infinite pixels", "input", self.metric(), image)

    def test_invalid_settings_are_refused(self):
        self.assert_refused(
            "no perceptual metric “lpips”: choose niqe or pi", "settings", self.metric, "lpips"
        )
        for size in (0, -96, 95, 96.0, None):
            self.assert_refused(
                "must be an even number of pixels", "settings", self.metric, block_size=size
            )

    def test_a_missing_file_is_named_with_its_folders(self):
        (self.folder / NRQM_FILE).unlink()
        self.metric()
        self.assert_refused(
            rf"PI needs the file {NRQM_FILE}, which is not in {self.folder}\. .*MRISUPERRES_W",
            "environment",
            self.metric,
            "pi",
        )
        cache = self.folder / "torch" / "hub" / "pyiqa"
        self.assert_refused(
            rf"NIQE needs the file {NIQE_FILE}, which is not in {cache}\.",
            "environment",
            PerceptualMetric,
            "niqe",
        )
        with mock.patch.dict(
            os.environ, {perceptual.FOLDERS_VARIABLE: os.pathsep.join(["/none", str(cache.parent)])}
        ):
            self.assert_refused(
                rf"not in /none or {cache.parent} or {cache}\.",
                "environment",
                PerceptualMetric,
                "niqe",
            )

    def test_files_are_found_in_the_listed_folders_and_in_pyiqas_cache(self):
        with mock.patch.dict(
            os.environ, {perceptual.FOLDERS_VARIABLE: os.pathsep.join(["/none", str(self.folder)])}
        ):
            PerceptualMetric("pi")
        cache = self.folder / "torch" / "hub" / "pyiqa"
        cache.mkdir(parents=True)
        shutil.copy(self.folder / NIQE_FILE, cache)
        PerceptualMetric("niqe")

    def test_a_damaged_file_is_refused(self):
        for content in (b"", b"not MATLAB's", (self.folder / NRQM_FILE).read_bytes()):
            (self.folder / NIQE_FILE).write_bytes(content)
            self.assert_refused(f"{NIQE_FILE} is not usable", "environment", self.metric)


class WithoutPyiqaTest(PerceptualTest):
    @classmethod
    def setUpClass(cls):
        import torch  # noqa: F401  now, as it can't be imported again after sys.modules was put back

    def others(self):
        """The modules that are loaded but for pyiqa's."""
        return {
            name: module
            for name, module in sys.modules.items()
            if name.partition(".")[0] != "pyiqa"
        }

    def test_a_missing_pyiqa_is_named_with_its_license(self):
        with mock.patch.dict(sys.modules, self.others() | {"pyiqa": None}, clear=True):
            self.assert_refused(
                r"need the package pyiqa, .*PolyForm-Noncommercial",
                "environment",
                PerceptualMetric,
                "niqe",
            )

    def test_a_mismatched_torchvision_is_reported(self):
        package = self.folder / "pyiqa"
        package.mkdir()
        (package / "__init__.py").write_text(
            "raise RuntimeError('operator torchvision::nms does not exist')\n"
        )
        with (
            mock.patch.dict(sys.modules, self.others(), clear=True),
            mock.patch.object(sys, "path", [str(self.folder), *sys.path]),
        ):
            self.assert_refused(
                "torchvision::nms does not exist", "environment", PerceptualMetric, "niqe"
            )


if __name__ == "__main__":
    unittest.main()
