"""User models: installation, removal, and the commands."""

import contextlib
import io
import json
import os
import unittest
from unittest import mock

import numpy as np
import torch
from made_models import write_model
from MRISuperResLib.cli.main import main
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.models.store import FOLDERS_VARIABLE, ModelStore, user_models_folder
from MRISuperResLib.core.models.user_models import install_model, remove_model, user_card_path
from user_models_helpers import UserFolderTest, esrgan


class InstallTest(UserFolderTest):
    def setUp(self):
        super().setUp()
        write_model(self.folder / "given", "mine", license="CC0")
        self.card, self.weights = (
            self.folder / "given" / "mine.json",
            self.folder / "given" / "mine.safetensors",
        )

    def test_either_file_installs_the_model_which_then_upsamples(self):
        for file in (self.card, self.weights):
            self.assertEqual(install_model(file).license, "CC0")
            self.assertEqual(self.user_files(), ["mine.json", "mine.safetensors"])
            self.assertEqual(
                (user_models_folder() / "mine.safetensors").read_bytes(), self.weights.read_bytes()
            )
            self.assertEqual(self.upsampled("mine", np.zeros((8, 8), np.float32)).shape, (16, 16))
            remove_model("mine")
            self.assertEqual(self.user_files(), [])

    def test_only_cards_of_user_models_can_be_changed(self):
        install_model(self.card)
        self.assertEqual(user_card_path("mine"), user_models_folder() / "mine.json")
        self.assertRaisesRegex(
            SuperResolutionError,
            "fast-x2-psnr is part of the extension",
            user_card_path,
            "fast-x2-psnr",
        )
        with mock.patch.dict(os.environ, {FOLDERS_VARIABLE: str(self.folder / "given")}):
            self.assertEqual(user_card_path("mine"), self.folder / "given" / "mine.json")

    def test_an_unusable_model_is_not_installed(self):
        card = json.loads(self.card.read_text())
        self.assert_refused(
            "given.mine.txt is not a model. Choose a file",
            "model",
            install_model,
            self.folder / "given" / "mine.txt",
        )
        self.card.write_text(json.dumps(card | {"sha256": "0" * 64}))
        self.assert_refused("SHA-256 differs", "model", install_model, self.card)
        self.card.write_text(
            json.dumps(card | {"architecture": card["architecture"] | {"features": 16}})
        )
        self.assert_refused("do not fit", "model", install_model, self.card)
        self.card.write_text("{}")
        self.assert_refused("cannot be used", "model", install_model, self.card)
        self.weights.unlink()
        self.assert_refused("no model “mine”", "model", install_model, self.card)

    def test_the_name_in_a_card_cannot_lead_out_of_the_folder(self):
        card = json.loads(self.card.read_text())
        for name in ("../mine", "..", "/tmp/mine", "a/b", "mine\0"):
            self.card.write_text(json.dumps(card | {"name": name}))
            self.assert_refused("cannot be used", "model", install_model, self.card)

    def test_a_taken_name_is_refused(self):
        install_model(self.card)
        with self.assertRaisesRegex(
            SuperResolutionError,
            "There is already a model “mine”. Choose another name, or remove that model first",
        ):
            install_model(self.card)

    def test_shipped_models_are_not_removed(self):
        shipped = ModelStore().default_model(2).name
        self.assert_refused(
            f"{shipped} is in .*shipped_models. Only models in .* can be removed here",
            "model",
            remove_model,
            shipped,
        )
        self.assert_refused("no model “gone”", "model", remove_model, "gone")
        self.assertIn(shipped, ModelStore().names())

    def test_a_full_disk_leaves_no_model(self):
        with (
            mock.patch("os.replace", side_effect=OSError(28, "No space left on device")),
            self.assertRaisesRegex(SuperResolutionError, "the disk is full"),
        ):
            install_model(self.card)
        self.assertNotIn("mine", ModelStore().names())


class CommandLineTest(UserFolderTest):
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


del UserFolderTest  # a base class without tests

if __name__ == "__main__":
    unittest.main()
