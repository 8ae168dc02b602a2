"""User models: installation, import of ESRGAN-family checkpoints, removal."""

import contextlib
import io
import json
import os
import pickle
import re
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_models import write_model
from made_torchvision import declare_missing_operators

declare_missing_operators()
import spandrel  # noqa: E402
from MRISuperResLib.cli.main import main  # noqa: E402
from MRISuperResLib.core.models import user_models  # noqa: E402
from MRISuperResLib.core.models.convert import import_checkpoint  # noqa: E402
from MRISuperResLib.core.errors import SuperResolutionError  # noqa: E402
from MRISuperResLib.core.options import UpsamplingOptions  # noqa: E402
from MRISuperResLib.core.methods.registry import MethodRegistry  # noqa: E402
from MRISuperResLib.core.models.store import FOLDERS_VARIABLE, ModelStore, user_models_folder  # noqa: E402
from spandrel.architectures.ESRGAN import ESRGAN  # noqa: E402

WEIGHTS = Path(
    os.environ.get(
        "MRISUPERRES_TEST_WEIGHTS", Path(__file__).resolve().parents[3] / "shared" / "weights"
    )
)
PHOTOGRAPHS = WEIGHTS / "rrdbnet_x4_realsr_df2k_fp16.npz"


class UserModelsTest(unittest.TestCase):
    """With an empty user folder."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        home = dict.fromkeys(("XDG_DATA_HOME", "APPDATA", "HOME"), str(self.folder / "home"))
        self.enterContext(mock.patch.dict(os.environ, home | {FOLDERS_VARIABLE: ""}))
        (self.folder / "given").mkdir()

    def user_files(self):
        return sorted(path.name for path in user_models_folder().glob("*"))

    def assert_refused(self, pattern, kind, function, *arguments, **options):
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            function(*arguments, **options)
        self.assertEqual(caught.exception.kind, kind)
        self.assertNotIn("\n", str(caught.exception))
        self.assertEqual(self.user_files(), [])

    def upsampled(self, name, image):
        return MethodRegistry(ModelStore()).get(UpsamplingOptions(name, device="cpu"))(image[None])[
            0
        ]


class InstallTest(UserModelsTest):
    def setUp(self):
        super().setUp()
        write_model(self.folder / "given", "mine", license="CC0")
        self.card, self.weights = (
            self.folder / "given" / "mine.json",
            self.folder / "given" / "mine.safetensors",
        )

    def test_either_file_installs_the_model_which_then_upsamples(self):
        for file in (self.card, self.weights):
            self.assertEqual(user_models.install_model(file).license, "CC0")
            self.assertEqual(self.user_files(), ["mine.json", "mine.safetensors"])
            self.assertEqual(
                (user_models_folder() / "mine.safetensors").read_bytes(), self.weights.read_bytes()
            )
            self.assertEqual(self.upsampled("mine", np.zeros((8, 8), np.float32)).shape, (16, 16))
            user_models.remove_model("mine")
            self.assertEqual(self.user_files(), [])

    def test_only_cards_of_user_models_can_be_changed(self):
        user_models.install_model(self.card)
        self.assertEqual(user_models.user_card_path("mine"), user_models_folder() / "mine.json")
        self.assertRaisesRegex(
            SuperResolutionError,
            "fast-x2-psnr is part of the extension",
            user_models.user_card_path,
            "fast-x2-psnr",
        )
        with mock.patch.dict(os.environ, {FOLDERS_VARIABLE: str(self.folder / "given")}):
            self.assertEqual(
                user_models.user_card_path("mine"), self.folder / "given" / "mine.json"
            )

    def test_an_unusable_model_is_not_installed(self):
        card = json.loads(self.card.read_text())
        self.assert_refused(
            "given.mine.txt is not a model. Choose a file",
            "model",
            user_models.install_model,
            self.folder / "given" / "mine.txt",
        )
        self.card.write_text(json.dumps(card | {"sha256": "0" * 64}))
        self.assert_refused("SHA-256 differs", "model", user_models.install_model, self.card)
        self.card.write_text(
            json.dumps(card | {"architecture": card["architecture"] | {"features": 16}})
        )
        self.assert_refused("do not fit", "model", user_models.install_model, self.card)
        self.card.write_text("{}")
        self.assert_refused("cannot be used", "model", user_models.install_model, self.card)
        self.weights.unlink()
        self.assert_refused("no model “mine”", "model", user_models.install_model, self.card)

    def test_the_name_in_a_card_cannot_lead_out_of_the_folder(self):
        card = json.loads(self.card.read_text())
        for name in ("../mine", "..", "/tmp/mine", "a/b", "mine\0"):
            self.card.write_text(json.dumps(card | {"name": name}))
            self.assert_refused("cannot be used", "model", user_models.install_model, self.card)

    def test_a_taken_name_is_refused(self):
        user_models.install_model(self.card)
        with self.assertRaisesRegex(
            SuperResolutionError,
            "There is already a model “mine”. Choose another name, or remove that model first",
        ):
            user_models.install_model(self.card)

    def test_shipped_models_are_not_removed(self):
        shipped = ModelStore().default_model(2).name
        self.assert_refused(
            f"{shipped} is in .*shipped_models. Only models in .* can be removed here",
            "model",
            user_models.remove_model,
            shipped,
        )
        self.assert_refused("no model “gone”", "model", user_models.remove_model, "gone")
        self.assertIn(shipped, ModelStore().names())

    def test_a_full_disk_leaves_no_model(self):
        with (
            mock.patch("os.replace", side_effect=OSError(28, "No space left on device")),
            self.assertRaisesRegex(SuperResolutionError, "the disk is full"),
        ):
            user_models.install_model(self.card)
        self.assertNotIn("mine", ModelStore().names())


def esrgan(scale=4, channels=3, blocks=2, **options):
    torch.manual_seed(1)
    net = (
        ESRGAN(
            in_nc=channels,
            out_nc=channels,
            num_filters=8,
            num_blocks=blocks,
            scale=scale,
            **options,
        )
        .eval()
        .requires_grad_(False)
    )
    for parameter in net.parameters():
        parameter.mul_(2)
    return net


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
    }
    return plain | wrapped


class ImportTest(UserModelsTest):
    def image(self):
        return np.random.default_rng(0).random((12, 10)).astype(np.float32)

    def save(self, state, name="net.pth"):
        torch.save(state, self.folder / "given" / name)
        return self.folder / "given" / name

    def assert_same(self, net, name, tolerance=2e-2):
        """Compare with the mean of the output colors; the model is stored in float16."""
        image = torch.from_numpy(self.image())[None, None]
        expected = net(image.expand(-1, net.model[0].in_channels, -1, -1)).mean(1)[0].numpy()
        found = self.upsampled(name, self.image())
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
            self.assert_same(net, f"gray-x{scale}")

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
            (esrgan(scale=1).state_dict(), "it upsamples ×1 with 3 channels"),
            (esrgan(plus=True).state_dict(), r"another network \(ESRGAN ESRGAN\+"),
            ({"weight": torch.zeros(3)}, "holds no known network"),
            ([1, 2], "no named weights"),
            ({}, "no known network"),
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


class CommandLineTest(UserModelsTest):
    def run_main(self, *words):
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
        ):
            code = main(["models", *map(str, words)])
        return code, out.getvalue(), err.getvalue()

    def test_models_are_installed_listed_and_removed(self):
        write_model(self.folder / "given", "mine")
        torch.save(esrgan().state_dict(), self.folder / "given" / "net.pth")
        code, out, err = self.run_main("install", self.folder / "given" / "mine.json")
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"Installed in {user_models_folder()}", out)
        code, out, err = self.run_main(
            "import", self.folder / "given" / "net.pth", "--name", "net", "--title", "Photographs"
        )
        self.assertEqual((code, err), (0, ""))
        self.assertIn("Photographs", out)
        self.assertRegex(self.run_main("list")[1], r"(?m)^net +×4 +gan")
        for name in ("mine", "net"):
            self.assertEqual(self.run_main("remove", name), (0, f"Removed: {name}\n", ""))
        self.assertEqual(self.user_files(), [])

    def test_errors_are_one_line(self):
        for words, pattern in (
            (("install", "gone.json"), "no model “gone”"),
            (("remove", "gone"), "no model “gone”"),
            (("import", "gone.pth"), "required: --name"),
            (("import", "gone.pth", "--name", "x"), "cannot be read"),
        ):
            code, out, err = self.run_main(*words)
            self.assertEqual((code, out, err.count("\n")), (2, "", 1), err)
            self.assertRegex(err, pattern)


del UserModelsTest  # a base class without tests

if __name__ == "__main__":
    unittest.main()
