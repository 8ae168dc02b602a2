"""Import of checkpoints of other tools."""

import os
import pickle
import re
import sys
import unittest
import zipfile
from pathlib import Path
from unittest import mock

import numpy as np
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from user_models_helpers import UserFolderTest, esrgan
import spandrel
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.models.convert import import_checkpoint
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.models.user_models import remove_model
from MRISuperResLib.core.networks import load_generator
from MRISuperResLib.core.networks.spandrel_net import load_with_spandrel
from spandrel.architectures.Compact import Compact
from spandrel.architectures.SPAN import SPAN
from spandrel.architectures.SwinIR import SwinIR

WEIGHTS = Path(
    os.environ.get(
        "MRISUPERRES_TEST_WEIGHTS", Path(__file__).resolve().parents[3] / "shared" / "weights"
    )
)
PHOTOGRAPHS = WEIGHTS / "rrdbnet_x4_realsr_df2k_fp16.npz"


def layouts(state, ups):
    """Return {layout: the same weights in a published layout}; state: in the oldest one."""
    last = ups * 3 + 4
    names = {
        "BasicSR": ("body.{}.rdb{}.conv{}", "conv_body", "conv_up{}", "conv_hr"),
        "BSRGAN": ("RRDB_trunk.{}.RDB{}.conv{}", "trunk_conv", "upconv{}", "HRconv"),
    }

    def renamed(key, block, body, up, high):
        prefix, kind = key.rsplit(".", 1)
        if found := re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0", prefix):
            return block.format(*found.groups()) + "." + kind
        number = int(prefix.split(".")[1])
        return (
            {0: "conv_first", 1: body, last - 2: high, last: "conv_last"}.get(
                number, up.format(number // 3)
            )
            + "."
            + kind
        )

    plain = {"oldest": state} | {
        name: {renamed(key, *parts): value for key, value in state.items()}
        for name, parts in names.items()
    }
    wrapped = {
        "params_ema": {"params_ema": plain["BasicSR"]},
        "state_dict": {"state_dict": plain["BSRGAN"]},
        "module.": {f"module.{key}": value for key, value in plain["BasicSR"].items()},
        "netG.": {f"netG.{key}": value for key, value in plain["BSRGAN"].items()},
        "of Lightning": {
            "state_dict": {
                f"model.generator.{key}": value for key, value in plain["BasicSR"].items()
            }
            | {f"discriminator.body.{n}.weight": torch.ones(4, 4, 3, 3) for n in range(2)}
            | {"loss.window": torch.ones(11, dtype=torch.float64)},
            "epoch": 3,
            "optimizer_states": [{"state": {0: {"step": torch.tensor(5)}}}],
        },
        "moving average": {
            "params": {key: value + 1 for key, value in plain["BasicSR"].items()},
            "params_ema": plain["BasicSR"],
        },
    }
    return plain | wrapped


def random_network(net):
    """Give a network random weights, small enough for values of about 1."""
    torch.manual_seed(1)
    for parameter in net.eval().requires_grad_(False).parameters():
        if parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter, 0.2)
    return net


def swinir():
    return SwinIR(
        img_size=16,
        in_chans=3,
        embed_dim=12,
        depths=[2, 2],
        num_heads=[2, 2],
        window_size=8,
        mlp_ratio=2,
        upscale=2,
        upsampler="pixelshuffle",
        img_range=1.0,
    )


class ImportTest(UserFolderTest):
    def image(self):
        return np.random.default_rng(0).random((12, 10)).astype(np.float32)

    def save(self, state, name="net.pth"):
        torch.save(state, self.folder / "given" / name)
        return self.folder / "given" / name

    def assert_same(self, net, name, tolerance=2e-2, channels=3, image=None):
        """Compare with the mean of the output colors; the model is stored in float16."""
        image = self.image() if image is None else image
        images = torch.from_numpy(image).expand(1, channels, -1, -1)
        expected = net(images).mean(1)[0].numpy()
        found = self.upsampled(name, image)
        self.assertEqual(found.shape, expected.shape)
        np.testing.assert_allclose(found, expected, atol=tolerance * np.ptp(expected))

    def test_every_layout_upsamples_to_the_mean_of_the_output_colors(self):
        net = esrgan()
        for number, (layout, state) in enumerate(layouts(net.state_dict(), 2).items()):
            with self.subTest(layout):
                card = import_checkpoint(self.save(state), f"net{number}", "Mine", "psnr", "CC0")
                self.assertEqual(
                    (card.scale, card.stage, card.title, card.license, card.architecture["blocks"]),
                    (4, "psnr", "Mine", "CC0", 2),
                )
                self.assert_same(net, f"net{number}")

    def test_gray_checkpoints_of_every_scale_are_imported(self):
        for scale in (2, 4, 8):
            net = esrgan(scale, channels=1)
            import_checkpoint(self.save(net.state_dict()), f"gray-x{scale}")
            self.assert_same(net, f"gray-x{scale}", channels=1)

    def test_networks_with_unshuffled_input_are_imported(self):
        for channels, factor, scale in ((1, 2, 2), (3, 2, 2), (3, 4, 2), (1, 2, 4)):
            with self.subTest(channels=channels, factor=factor, scale=scale):
                net = esrgan(scale * factor, channels * factor**2, 1, channels, factor)
                name = f"net-{channels}-{factor}-{scale}"
                card = import_checkpoint(self.save(net.state_dict()), name)
                self.assertEqual((card.scale, card.architecture["unshuffle"]), (scale, factor))
                for image in (self.image(), self.image()[:9, :7]):
                    self.assert_same(net, name, channels=channels, image=image)

    def test_compact_networks_are_imported(self):
        for channels, scale in ((1, 2), (3, 4), (3, 8)):
            with self.subTest(channels=channels, scale=scale):
                net = random_network(
                    Compact(
                        num_in_ch=channels,
                        num_out_ch=channels,
                        num_feat=8,
                        num_conv=3,
                        upscale=scale,
                    )
                )
                name = f"net-{channels}-{scale}"
                card = import_checkpoint(self.save({"params": net.state_dict()}), name)
                self.assertEqual(
                    (card.scale, card.architecture),
                    (scale, {"network": "srvgg", "convolutions": 3, "features": 8}),
                )
                self.assert_same(net, name, channels=channels)

    def test_other_networks_are_computed_by_spandrel_whole_slices_at_a_time(self):
        for name, net in (
            ("swinir", swinir()),
            ("span", SPAN(num_in_ch=3, num_out_ch=3, feature_channels=48, upscale=2)),
            ("esrgan-plus", esrgan(plus=True)),
        ):
            with self.subTest(name):
                net = random_network(net)
                card = import_checkpoint(self.save({"params": net.state_dict()}), name)
                self.assertEqual(card.architecture["network"], "spandrel")
                self.assertRegex(card.limits, "Needs the Python package spandrel.*whole")
                # 16 pixels are a multiple of every window
                self.assert_same(net, name, image=np.tile(self.image(), (2, 2))[:16, :16])
                for shape in ((1, 5), (13, 21)):
                    image = np.full(shape, 0.5, np.float32)
                    self.assertEqual(
                        self.upsampled(name, image).shape,
                        tuple(card.scale * side for side in shape),
                    )
                model = ModelStore().model(name)
                loaded = load_generator(name, card.architecture, card.scale, model.read_weights())
                self.assertIsNone(loaded.reach)
        with mock.patch.dict(sys.modules, {"spandrel": None}):
            with self.assertRaisesRegex(SuperResolutionError, "needs spandrel.*pip install"):
                self.upsampled("swinir", self.image())

    def test_sides_are_mirrored_to_a_multiple_of_the_window(self):
        net = random_network(swinir())
        import_checkpoint(self.save(net.state_dict()), "net")
        image = np.random.default_rng(0).random((16, 12), dtype=np.float32)
        mirrored = np.concatenate([image, image[:, :-5:-1]], 1)
        np.testing.assert_allclose(
            self.upsampled("net", image), self.upsampled("net", mirrored)[:, :24], atol=1e-5
        )

    def test_networks_that_do_not_upsample_one_image_are_refused(self):
        class Noisy(torch.nn.Module):
            def forward(self, x):
                return torch.rand((*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3]))

        state = random_network(swinir()).state_dict()
        path = self.save(state)
        with mock.patch.object(SwinIR, "forward", Noisy.forward):
            self.assert_refused(
                r"\(SwinIR\) does not give the same finite image every time",
                "model",
                import_checkpoint,
                path,
                "net",
            )
        with mock.patch.object(SwinIR, "forward", lambda net, x: (x, x)):
            self.assert_refused(
                r"\(SwinIR\) cannot be used", "model", import_checkpoint, path, "net"
            )

    def test_numbers_of_numpy_beside_the_weights_are_ignored(self):
        import_checkpoint(
            self.save(
                {
                    "params": esrgan().state_dict(),
                    "best_psnr": np.float64(31.5),
                    "steps": [np.int64(3), np.float32(0.5), np.bool_(True)],
                }
            ),
            "net",
        )
        self.assert_same(esrgan(), "net")

    def test_weights_that_are_not_finite_are_refused(self):
        for value in (np.nan, np.inf):
            state = esrgan().state_dict()
            state["model.0.weight"][0, 0, 0, 0] = value
            self.assert_refused(
                "some of its weights are not finite numbers",
                "model",
                import_checkpoint,
                self.save(state),
                "net",
            )

    def test_weights_beyond_half_precision_are_stored_in_single_precision(self):
        net = esrgan()
        with torch.no_grad():
            net.model[0].weight[0] *= 1e6
            net.model[1].sub[0].RDB1.conv1[0].weight[:, 0] /= 1e6
        import_checkpoint(self.save(net.state_dict()), "net")
        weights = safetensors.torch.load(ModelStore().model("net").read_weights())
        self.assertEqual({value.dtype for value in weights.values()}, {torch.float32})
        self.assert_same(net, "net", 1e-5)

    def test_safetensors_are_imported(self):
        net = esrgan()
        safetensors.torch.save_file(net.state_dict(), self.folder / "given" / "net.safetensors")
        import_checkpoint(self.folder / "given" / "net.safetensors", "net")
        self.assert_same(net, "net")

    def test_the_card_states_what_is_known_and_that_the_training_data_is_not(self):
        card = import_checkpoint(self.save(esrgan().state_dict()), "net")
        self.assertEqual(
            (card.title, card.stage, card.training["imported"], card.made_for),
            ("net, imported", "gan", "net.pth", "gpu"),
        )
        self.assertIn("the training data is unknown", card.limits)
        self.assertEqual((card.metrics, card.spacing_range, card.anatomy), ((), (), ()))

    def test_other_networks_are_refused_with_the_reason(self):
        for state, reason in (
            (esrgan(scale=1).state_dict(), r"\(ESRGAN\) upsamples ×1 with 3 channels"),
            (esrgan(scale=2, shuffle_factor=2, channels=12, colors=3).state_dict(), "×1 with 3"),
            ({"weight": torch.zeros(3)}, "holds no network that spandrel recognizes"),
            ([1, 2], "no named weights"),
            ({}, "no named weights"),
            (
                {"a": esrgan().state_dict(), "b": esrgan().state_dict()},
                r"holds several networks \(a., b.\): save one of them alone",
            ),
        ):
            with self.subTest(reason):
                self.assert_refused(
                    f"net.pth cannot be imported: .*{reason}",
                    "model",
                    import_checkpoint,
                    self.save(state),
                    "net",
                )

    def test_a_file_with_code_is_refused_and_its_code_is_not_executed(self):
        class Evil:
            def __reduce__(self):
                return os.mkdir, (str(ran),)

        ran = self.folder / "ran"
        path = self.folder / "given" / "net.pth"
        for write in (
            lambda: path.write_bytes(pickle.dumps(Evil())),
            lambda: torch.save({"params": Evil()}, path),
        ):
            write()
            self.assert_refused(
                "more than weights, which is never executed",
                "model",
                import_checkpoint,
                path,
                "net",
            )
        self.assertFalse(ran.exists())

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=200), st.sampled_from(("net.pth", "net.safetensors", "net.ckpt")))
    def test_random_bytes_are_refused_with_one_sentence(self, content, name):
        path = self.folder / "given" / name
        path.write_bytes(content)
        self.assert_refused("cannot be imported", "model", import_checkpoint, path, "net")

    def test_errors_state_what_is_wrong_with_the_call(self):
        self.assert_refused(
            "gone.pth cannot be read", "model", import_checkpoint, self.folder / "gone.pth", "net"
        )
        self.assert_refused(
            "is invalid. Use letters",
            "settings",
            import_checkpoint,
            self.folder / "gone.pth",
            "../net",
        )
        self.assert_refused(
            "There is already a model",
            "model",
            import_checkpoint,
            self.folder / "gone.pth",
            ModelStore().default_model(2).name,
        )
        with mock.patch.dict(sys.modules, {"spandrel": None}):
            self.assert_refused(
                "needs spandrel and torchvision.*pip install spandrel",
                "environment",
                import_checkpoint,
                self.save(esrgan().state_dict()),
                "net",
            )

    def test_a_published_network_of_23_blocks_is_imported(self):
        if not PHOTOGRAPHS.is_file():
            self.skipTest(
                f"no {PHOTOGRAPHS.name} in {WEIGHTS}: set MRISUPERRES_TEST_WEIGHTS to its folder"
            )
        with np.load(PHOTOGRAPHS) as file:
            state = {key: torch.from_numpy(file[key]).float() for key in file.files}
        card = import_checkpoint(self.save(state), "photographs")
        self.assertEqual((card.architecture["blocks"], card.architecture["features"]), (23, 64))
        self.assert_same(
            spandrel.MAIN_REGISTRY.load(state).model.eval().requires_grad_(False),
            "photographs",
            1e-2,
        )


class DamagedFilesTest(UserFolderTest):
    """Damaged checkpoints end in one sentence, without code execution or much memory."""

    def setUp(self):
        super().setUp()
        self.path = self.folder / "given" / "net.pth"

    def assert_import_refused(self, pattern, name="net"):
        self.assert_refused(pattern, "model", import_checkpoint, self.path, name)

    def assert_usable_or_refused(self):
        """Import the file: the model upsamples, or one sentence says what is wrong."""
        try:
            import_checkpoint(self.path, "net")
        except SuperResolutionError as e:
            self.assertEqual((e.kind, "\n" in str(e)), ("model", False))
            self.assertIn("cannot be imported", str(e))
            return
        try:
            self.assertTrue(np.isfinite(self.upsampled("net", np.eye(8, dtype=np.float32))).all())
        finally:
            remove_model("net")

    def small(self):
        return esrgan(channels=1, blocks=1).state_dict()

    @settings(max_examples=60, deadline=None)
    @given(st.booleans(), st.floats(0, 1), st.binary(min_size=1, max_size=8), st.booleans())
    def test_cut_and_changed_files_are_usable_or_refused(self, is_zip, place, content, is_cut):
        torch.save(self.small(), self.path, _use_new_zipfile_serialization=is_zip)
        data = bytearray(self.path.read_bytes())
        start = int(place * (len(data) - len(content)))
        data[start : start + len(content)] = content
        self.path.write_bytes(data[:start] if is_cut else data)
        self.assert_usable_or_refused()

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 40), st.lists(st.integers(0, 9), max_size=4), st.data())
    def test_weights_of_other_shapes_and_types_are_refused(self, index, shape, data):
        state = self.small()
        name = list(state)[index % len(state)]
        dtype = data.draw(
            st.sampled_from((torch.float32, torch.int64, torch.int8, torch.bool, torch.complex64))
        )
        state[name] = torch.zeros(shape, dtype=dtype)
        torch.save(state, self.path)
        self.assert_usable_or_refused()

    def test_whole_numbers_are_no_weights(self):
        for dtype in (torch.int64, torch.int8, torch.complex64):
            torch.save({key: value.to(dtype) for key, value in self.small().items()}, self.path)
            self.assert_import_refused("whole numbers|no named weights")

    def test_weights_that_are_larger_than_their_file_are_refused(self):
        state = self.small()
        state["model.0.weight"] = torch.zeros(1).expand(10**6, 10**6, 3, 3)
        torch.save(state, self.path)
        self.assert_import_refused("its weights are larger than the file")
        torch.save({"model.0.weight": torch.sparse_coo_tensor(size=(10**6, 10**6))}, self.path)
        self.assert_import_refused("no named weights")

    def test_compressed_weights_are_refused_before_they_are_unpacked(self):
        torch.save(self.small(), self.path)
        with zipfile.ZipFile(self.path) as file:
            entries = {name: file.read(name) for name in file.namelist()}
        with zipfile.ZipFile(self.path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in entries.items():
                file.writestr(name, content + bytes(10**6))
        with mock.patch("torch.load", side_effect=AssertionError):
            self.assert_import_refused("it is damaged, or holds more than weights")

    def test_shapes_that_suggest_a_huge_network_take_no_memory(self):
        made = []
        empty = torch.empty

        def counted(*sizes, **options):
            made.append(np.prod(sizes[0] if isinstance(sizes[0], tuple) else sizes, dtype=float))
            return empty(*sizes, **options)

        state = random_network(swinir()).state_dict()
        state["conv_first.weight"] = torch.zeros(300_000, 1, 1, 1)
        torch.save(state, self.path)
        self.assert_import_refused("no network that spandrel recognizes")
        state = dict(random_network(Compact(num_feat=4, num_conv=1)).state_dict())
        state["body.0.weight"] = torch.zeros(300_000, 3, 1, 1)
        with (
            mock.patch("torch.empty", counted),
            self.assertRaisesRegex(ValueError, "larger than they are"),
        ):
            load_with_spandrel(state)
        self.assertGreater(max(made), 1e9)  # was requested, and not allocated

    def test_objects_of_numpy_are_refused(self):
        for value in (np.zeros(3), np.array([{"a": 1}], dtype=object), np.random.default_rng()):
            torch.save({"params": self.small(), "value": value}, self.path)
            self.assert_import_refused("more than weights, which is never executed")


del UserFolderTest  # a base class without tests

if __name__ == "__main__":
    unittest.main()
