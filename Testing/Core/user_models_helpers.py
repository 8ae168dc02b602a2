"""A user folder for models, and networks of other tools to import."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import torch
from made_torchvision import declare_missing_operators

declare_missing_operators()
from MRISuperResLib.core.errors import SuperResolutionError  # noqa: E402
from MRISuperResLib.core.methods.registry import MethodRegistry  # noqa: E402
from MRISuperResLib.core.models.store import FOLDERS_VARIABLE, ModelStore, user_models_folder  # noqa: E402
from MRISuperResLib.core.options import UpsamplingOptions  # noqa: E402
from spandrel.architectures.ESRGAN import ESRGAN  # noqa: E402


class UserFolderTest(unittest.TestCase):
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


def esrgan(scale=4, channels=3, blocks=2, colors=None, shuffle_factor=None, **options):
    torch.manual_seed(1)
    net = (
        ESRGAN(
            in_nc=channels,
            out_nc=colors or channels,
            num_filters=8,
            num_blocks=blocks,
            scale=scale,
            shuffle_factor=shuffle_factor,
            **options,
        )
        .eval()
        .requires_grad_(False)
    )
    for parameter in net.parameters():
        parameter.mul_(2)
    return net
