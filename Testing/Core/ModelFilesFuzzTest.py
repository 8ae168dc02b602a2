"""Untrusted model files: used or refused with one sentence, and nothing is written elsewhere."""

import hashlib
import json
import os
import struct
import sys
import tempfile
import unittest
from pathlib import Path, PureWindowsPath
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_models import ARCHITECTURE, write_model
from MRISuperResLib.cli.models import description, table
from MRISuperResLib.core.models.convert import import_checkpoint
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.card import ModelCard
from MRISuperResLib.core.models.card_figures import AUDIT_FIGURES
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.models.user_models import install_model, remove_model

TEXT = st.text(max_size=12) | st.sampled_from(("\ud800", "\0", "mine", "{0}", "<b>"))
NUMBERS = st.integers() | st.floats() | st.sampled_from((10**400, 2, 4, 8, -1, 1e300))
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
SCORES = {"psnr": 30.0, "ssim": 0.9, "rmse": 6.0, "lpips": 0.1}
FINDINGS = dict.fromkeys(AUDIT_FIGURES, 1.5) | {"mean_contrast": None}
AUDIT = {
    "anatomy": "fetal",
    "volumes": ["a"],
    "slices": 3,
    **FINDINGS,
    "baselines": {"bicubic": FINDINGS},
}
CARD = {
    "name": "mine",
    "title": "Mine",
    "scale": 2,
    "stage": "gan",
    "sha256": "0" * 64,
    "architecture": ARCHITECTURE,
    "anatomy": ["fetal"],
    "contrasts": ["T2w"],
    "spacing_range": [0.5, 2.0],
    "metrics": [{"data": "a", "anatomy": "fetal", **SCORES, "baselines": {"bicubic": SCORES}}],
    "audit": [AUDIT],
    "made_for": "cpu",
    "cpu_speed": {"seconds_per_megapixel": 1.0, "threads": 2, "processor": "Z80"},
    "training": {"steps": 3, "data": [{"path": "x", "license": "CC0"}]},
    "license": "MIT",
    "limits": "None.",
    "pair": "pair",
}
ODD_NAMES = (
    "../mine",
    "..",
    ".",
    "/tmp/mine",
    "a/b",
    "a\\b",
    "C:mine",
    "C:\\mine",
    "mine\0",
    "",
    " ",
    "mine ",
    "mine.",
    "CON",
    "nul",
    "aux.x",
    "com1",
    "LPT9.y",
    "a\nb",
    "ä",
    "x" * 300,
)


def places(value, path=()):
    """Yield the paths of all values within a JSON value."""
    yield path
    for key, inner in (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    ):
        yield from places(inner, (*path, key))


def replaced(value, path, new):
    """Return a copy of a JSON value with a new value at a path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


class WithFolder(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.user_folder = self.folder / "user"
        self.store = ModelStore([self.folder])


class CardFuzzTest(WithFolder):
    def setUp(self):
        super().setUp()
        (self.folder / "mine.safetensors").touch()

    def read(self, text):
        """Return a card after using it in every way, or None if it is refused with one sentence."""
        (self.folder / "mine.json").write_bytes(text)
        try:
            card = ModelCard.read(self.folder / "mine.json")
        except SuperResolutionError as refused:
            self.assertEqual(refused.kind, "model")
            self.assertEqual(self.store.cards(), [])
            return None
        self.assertEqual(self.store.model("mine").card, card)
        for text in (
            description("mine", self.store),
            table(self.store),
            card.summary(),
            json.dumps(card.to_dict(), ensure_ascii=False),
        ):
            text.encode()
        self.assertEqual(ModelCard(**json.loads(json.dumps(card.to_dict()))), card)
        return card

    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(sorted(places(CARD), key=str)), ANYTHING)
    def test_a_card_with_any_value_anywhere_is_used_or_refused(self, path, value):
        self.assertIsNotNone(self.read(json.dumps(CARD).encode()))
        self.read(json.dumps(replaced(CARD, path, value)).encode())

    def test_a_card_with_extreme_values_everywhere_is_used_or_refused(self):
        for path in places(CARD):
            for value in (
                10**400,
                -1e300,
                float("nan"),
                float("inf"),
                0,
                True,
                None,
                "",
                "\ud800",
                "{0}",
                [],
                [[]],
                {},
                {"psnr": 1},
            ):
                with self.subTest(path, value=value):
                    self.read(json.dumps(replaced(CARD, path, value)).encode())

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=60) | ANYTHING.map(json.dumps).map(str.encode))
    def test_any_other_content_is_refused(self, content):
        self.assertIsNone(self.read(content))

    def test_deeply_nested_cards_are_used_or_refused(self):
        for depth in (900, 5000, 100000):
            self.read(json.dumps(CARD).encode().replace(b'"MIT"', b"[" * depth + b"]" * depth))
            self.read(
                json.dumps(CARD)
                .encode()
                .replace(b'"steps": 3', b'"steps": ' + b"[" * depth + b"]" * depth)
            )


def unpacked(data):
    """Return (header, tensors) of a safetensors file."""
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def packed(header, tensors):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


class WeightsFuzzTest(WithFolder):
    def setUp(self):
        super().setUp()
        self.architecture = {"network": "compact", "blocks": 1, "features": 4}
        write_model(self.folder, "mine", architecture=self.architecture)
        self.card = json.loads((self.folder / "mine.json").read_text())
        self.weights = (self.folder / "mine.safetensors").read_bytes()

    def load(self, weights, **card):
        """Return a network that upsamples, or None if the model is refused with one sentence.

        The SHA-256 of the card matches the weights, so that only their content can be refused.
        """
        (self.folder / "mine.safetensors").write_bytes(weights)
        (self.folder / "mine.json").write_text(
            json.dumps(self.card | {"sha256": hashlib.sha256(weights).hexdigest()} | card)
        )
        try:
            network = MethodRegistry(self.store).get(
                UpsamplingOptions("mine", 2, device="cpu", precision="float32")
            )
        except SuperResolutionError as refused:
            self.assertEqual(refused.kind, "model")
            return None
        self.assertEqual(network(np.zeros((1, 5, 6), np.float32)).shape, (1, 10, 12))
        return network

    @settings(max_examples=100, deadline=None)
    @given(st.integers(0, 2000))
    def test_a_truncated_file_is_refused(self, length):
        self.assertIsNotNone(self.load(self.weights))
        self.assertIsNone(self.load(self.weights[: min(length, len(self.weights) - 1)]))

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 2**64 - 1) | st.integers(0, 3000))
    def test_a_header_of_a_wrong_length_is_refused(self, length):
        if length != struct.unpack("<Q", self.weights[:8])[0]:
            self.assertIsNone(self.load(struct.pack("<Q", length) + self.weights[8:]))

    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_a_header_with_any_value_anywhere_is_loaded_or_refused(self, data):
        header, tensors = unpacked(self.weights)
        path = data.draw(st.sampled_from(sorted(places(header), key=str)))
        types = st.sampled_from(
            (
                "BOOL",
                "U8",
                "I8",
                "I16",
                "U16",
                "F16",
                "BF16",
                "I32",
                "F64",
                "I64",
                "C64",
                "F8_E4M3",
                "F4",
                "F6_E2M3",
                "F8_E8M0",
            )
        )
        self.load(
            packed(
                replaced(
                    header,
                    path,
                    data.draw(ANYTHING | types | st.lists(st.integers(0, 2**63), max_size=4)),
                ),
                tensors,
            )
        )

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), min_size=1, max_size=4))
    def test_flipped_bytes_are_loaded_or_refused(self, changes):
        weights = bytearray(self.weights)
        for place, value in changes:
            weights[place] = value
        self.load(bytes(weights))

    def test_overlapping_incomplete_or_outside_offsets_are_refused(self):
        header, tensors = unpacked(self.weights)
        for offsets in ([0, 4], [0, 10**15], [-8, 8], [2**64, 2**64 + 16], [4, 0]):
            with self.subTest(offsets):
                self.assertIsNone(
                    self.load(
                        packed(
                            header
                            | {
                                "conv_last.bias": {
                                    "dtype": "F32",
                                    "shape": [4],
                                    "data_offsets": offsets,
                                }
                            },
                            tensors,
                        )
                    )
                )

    def test_a_header_that_is_not_text_is_refused(self):
        header, tensors = unpacked(self.weights)
        self.assertIsNone(
            self.load(
                packed(
                    json.dumps(header).encode().replace(b"conv_last", b"conv_\xff\xfe_t"), tensors
                )
            )
        )

    def test_the_same_weights_in_another_type_give_the_same_network(self):
        import safetensors.torch

        state = safetensors.torch.load(self.weights)
        found = self.load(
            safetensors.torch.save({key: value.double() for key, value in state.items()})
        )
        for name, value in found._net.state_dict().items():
            np.testing.assert_array_equal(value.numpy(), state[name].numpy())

    def test_weights_that_are_not_finite_are_refused(self):
        import safetensors.torch

        for bad in (float("nan"), float("inf")):
            state = safetensors.torch.load(self.weights)
            state["conv_last.bias"][1] = bad
            with self.subTest(bad):
                self.assertIsNone(self.load(safetensors.torch.save(state)))

    def test_a_pickle_is_refused_and_not_executed(self):
        import pickle

        ran = self.folder / "ran"

        class Evil:
            def __reduce__(self):
                return os.mkdir, (str(ran),)

        self.assertIsNone(self.load(pickle.dumps(Evil())))
        self.assertFalse(ran.exists())

    def test_a_card_of_a_huge_network_takes_no_memory(self):
        for architecture in (
            {"features": 512},
            {"blocks": 512, "features": 512},
            {"blocks": 10**12},
            {"features": 10**9},
            {"network": "rrdb", "blocks": 512, "features": 512, "growth": 512},
        ):
            devices = set()
            with (
                self.subTest(architecture),
                mock.patch(
                    "torch.nn.init.kaiming_normal_",
                    side_effect=lambda tensor, **_: devices.add(tensor.device.type),
                ),
            ):
                self.assertIsNone(
                    self.load(self.weights, architecture=self.architecture | architecture)
                )
                self.assertLessEqual(devices, {"meta"})

    @settings(max_examples=80, deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(
                ("network", "blocks", "features", "growth", "first_kernel", "channels", "scale")
            )
            | TEXT,
            st.sampled_from(("rrdb", "compact", 1, 3, 4, 9)) | ANYTHING,
            max_size=4,
        )
    )
    def test_any_architecture_is_loaded_or_refused(self, architecture):
        self.load(self.weights, architecture=architecture)


class NamesTest(WithFolder):
    """Names cannot lead out of the folder on any system."""

    def card_of(self, name):
        return ModelCard(**CARD | {"name": name})

    def test_odd_names_are_refused(self):
        for name in ODD_NAMES:
            with self.subTest(name):
                with self.assertRaises(SuperResolutionError):
                    self.card_of(name)
                with self.assertRaises(SuperResolutionError):
                    ModelCard(**CARD | {"pair": name}) if name else self.card_of(name)
                with self.assertRaises(SuperResolutionError):
                    import_checkpoint(
                        self.folder / "gone.pth", name, folder=self.user_folder, store=self.store
                    )
                with self.assertRaisesRegex(SuperResolutionError, "There is no model"):
                    remove_model(name, folder=self.user_folder, store=self.store)
                with self.assertRaisesRegex(SuperResolutionError, "There is no model"):
                    self.store.model(name)
        self.assertFalse(self.user_folder.exists())

    @settings(max_examples=300, deadline=None)
    @given(st.text(max_size=20) | st.from_regex(r"[A-Za-z0-9._/\\:-]{1,12}", fullmatch=True))
    def test_every_accepted_name_is_a_plain_file_name_on_every_system(self, name):
        try:
            self.card_of(name)
        except SuperResolutionError:
            return
        file = f"{name}.json"
        self.assertEqual(
            ((self.user_folder / file).resolve().parent, os.path.basename(file)),
            (self.user_folder.resolve(), file),
        )
        windows = PureWindowsPath("C:/models", file)
        self.assertEqual(
            (windows.name, windows.parent, windows.is_reserved()),
            (file, PureWindowsPath("C:/models"), False),
        )
        self.assertFalse(name.endswith((".", " ")))

    def given(self, name="mine", **card):
        place = self.folder / "given"
        place.mkdir(exist_ok=True)
        write_model(place, name, **card)
        return place / f"{name}.json"

    def test_a_card_with_another_name_than_its_file_is_refused(self):
        for name in (*ODD_NAMES, "yours"):
            card = self.given()
            card.write_text(json.dumps(json.loads(card.read_text()) | {"name": name}))
            with self.subTest(name), self.assertRaisesRegex(SuperResolutionError, "cannot be used"):
                install_model(card, self.user_folder, self.store)
        self.assertFalse(self.user_folder.exists())

    def test_names_that_differ_in_case_only_are_one_name(self):
        store = ModelStore([self.user_folder])
        install_model(self.given("mine"), self.user_folder, store)
        with self.assertRaisesRegex(SuperResolutionError, "There is already a model “MINE”"):
            install_model(self.given("MINE", seed=1), self.user_folder, store)

    @unittest.skipIf(sys.platform == "win32", "links need a privilege on Windows")
    def test_links_are_installed_as_files_and_removed_as_links(self):
        store = ModelStore([self.user_folder])
        card = self.given()
        linked = self.folder / "linked"
        linked.mkdir()
        for file in (card, card.with_suffix(".safetensors")):
            (linked / file.name).symlink_to(file)
        install_model(linked / "mine.json", self.user_folder, store)
        self.assertEqual(
            [path.is_symlink() for path in sorted(self.user_folder.iterdir())], [False, False]
        )
        for file in (card, card.with_suffix(".safetensors")):
            (self.user_folder / file.name).unlink()
            (self.user_folder / file.name).symlink_to(file)
        remove_model("mine", self.user_folder, store)
        self.assertEqual(
            (
                list(self.user_folder.iterdir()),
                card.exists(),
                card.with_suffix(".safetensors").exists(),
            ),
            ([], True, True),
        )

    def test_a_damaged_user_model_can_be_removed(self):
        store = ModelStore([self.user_folder])
        for damage in (lambda file: file.write_text("{"), Path.unlink):
            install_model(self.given(), self.user_folder, store)
            damage(self.user_folder / "mine.json")
            remove_model("mine", self.user_folder, store)
            self.assertEqual(list(self.user_folder.iterdir()), [])


del WithFolder  # a base class without tests

if __name__ == "__main__":
    unittest.main()
