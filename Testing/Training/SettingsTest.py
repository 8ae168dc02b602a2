"""Settings, presets and recipes: values are kept or refused with a sentence."""

import csv
import dataclasses
import json
import tempfile
import unittest
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResTrainingLib.data.sources import Source, one_use_per_subject
from MRISuperResTrainingLib.options.presets import PRESETS, Recipe, preset
from MRISuperResTrainingLib.options.settings import (
    DataSettings,
    GanSettings,
    Settings,
    StageSettings,
)

RECIPES = Path(__file__).resolve().parents[2] / "MRISuperResTraining" / "Recipes"
GENERATOR = {"network": "compact", "blocks": 1, "features": 8}
RECIPE = {"title": "Tiny", "limits": "For tests.", "license": "MIT", "sources": "volumes.tsv"}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def path_of(field, kind):
    return (
        [field]
        if kind is Settings
        else [{DataSettings: "data", StageSettings: "psnr", GanSettings: "gan"}[kind], field]
    )


FIELDS = [
    path_of(field.name, kind)
    for kind in (Settings, DataSettings, StageSettings, GanSettings)
    for field in dataclasses.fields(kind)
]


def values(path, value):
    """Settings as JSON values, with one of them changed."""
    out = {"scale": 2, "generator": GENERATOR, "gan": {}}
    inner = out
    for name in path[:-1]:
        inner = inner.setdefault(name, {})
    inner[path[-1]] = value
    return out


def work(net):
    """Multiplications of the convolutions of a generator for an image of 8×8 pixels."""
    import torch

    counted = []
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda conv, inputs, output: counted.append(
                    output[0, 0].numel() * conv.weight.numel()
                )
            )
    net(torch.zeros(1, 1, 8, 8))
    return sum(counted)


class SettingsTest(unittest.TestCase):
    def assert_refused(self, pattern, kind, value):
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            kind.from_dict(value)
        self.assertEqual(caught.exception.kind, "settings")

    def test_presets_come_back_from_json_as_they_were(self):
        for name in PRESETS:
            for scale in (8,) if name == "through-plane" else (2, 4, 8):
                with self.subTest(name, scale=scale):
                    made = preset(name, scale)
                    self.assertEqual(
                        Settings.from_dict(json.loads(json.dumps(made.to_dict()))), made
                    )
                    self.assertEqual((made.preset, made.scale), (name, scale))

    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(FIELDS), JSON)
    def test_any_value_of_any_field_is_kept_or_refused(self, path, value):
        try:
            made = Settings.from_dict(values(path, value))
        except SuperResolutionError as e:
            self.assertEqual(e.kind, "settings")
            return
        self.assertEqual(Settings.from_dict(json.loads(json.dumps(made.to_dict()))), made)

    def test_every_field_refuses_invalid_values_and_is_named(self):
        nonsense = [[], "nonsense", -1, 1.5j, float("nan"), True, {"a": {1}}]
        free = {
            "generator": [{}],
            "preset": ["nonsense"],
            "vgg": ["nonsense"],
            "start_from": ["nonsense"],
        }  # texts and objects that are checked where they are used
        for path in FIELDS:
            allowed = free.get(path[-1], []) + (
                [True] if path[-1] in ("flips", "rotations", "pre_check") else []
            )
            for value in nonsense:
                if value not in allowed:
                    with self.subTest("/".join(path), value=value):
                        self.assert_refused(
                            f"“{path[-1]}” must be|Unknown setting “a”",
                            Settings,
                            values(path, value),
                        )

    def test_unknown_settings_are_refused_at_every_level(self):
        for path in (["stepps"], ["data", "stepps"], ["psnr", "stepps"], ["gan", "stepps"]):
            with self.subTest(path):
                self.assert_refused(
                    "Unknown setting “stepps”. Known settings: .*“", Settings, values(path, 1)
                )

    def test_settings_without_a_default_are_required(self):
        self.assert_refused("Missing setting “generator”", Settings, {"scale": 2})
        self.assert_refused("Settings must be a JSON object", Settings, [])

    def test_inconsistent_settings_are_refused(self):
        for pattern, changes in (
            ("“patch” must be a multiple of the scale 8", {"data": {"patch": 100}}),
            ("“patch” must be .* at least 32", {"data": {"patch": 24}}),
            ("“batch” must be a multiple", {"batch": 16, "micro_batch": 3}),
            (
                "“artifact_weight” needs the moving average",
                {"ema": 0.0, "gan": {"artifact_weight": 1.0}},
            ),
            ("“r1_weight” needs the discriminator “unet”", {"gan": {"r1_weight": 1.0}}),
            ("Nothing to train", {"psnr": {"steps": 0}, "gan": None}),
            (
                "at least 32 pixels, not 16",
                {"scale": 2, "data": {"patch": 16}, "gan": {"discriminator": "official"}},
            ),
        ):
            with self.subTest(pattern), self.assertRaisesRegex(SuperResolutionError, pattern):
                preset("quick", **{"scale": 8} | changes)

    def test_settings_that_do_not_suit_the_network_between_slices_are_refused(self):
        for pattern, name, changes in (
            ("“through-plane” and the degradation “slices” belong together", "quick", "slices"),
            ("“through-plane” and the degradation “slices” belong together", None, "bicubic"),
            ("set “scale” to 8, not 4", None, {"scale": 4}),
            ("has no GAN stage: set “gan” to null", None, {"gan": {"steps": 5}}),
            ("set “patches” to crop, not resample", None, {"data": {"patches": "resample"}}),
            ("“patch” must be a multiple of the scale 8", None, {"data": {"patch": 100}}),
        ):
            if isinstance(changes, str):
                changes = {"data": {"degradation": changes}}
            with self.subTest(pattern), self.assertRaisesRegex(SuperResolutionError, pattern):
                preset(name or "through-plane", **{"scale": 8} | changes)

    def test_the_preset_through_plane_has_its_scale(self):
        made = preset("through-plane", seed=3)
        self.assertEqual((made.scale, made.stages, made.seed), (8, ["psnr"], 3))
        self.assertTrue(made.is_between_slices)
        self.assertFalse(preset("quick", 8).is_between_slices)
        with self.assertRaisesRegex(SuperResolutionError, "Missing setting “scale”"):
            preset("quick")

    def test_the_preset_thesis_has_the_published_settings(self):
        for scale in (2, 4, 8):
            made = preset("thesis", scale)
            self.assertEqual(
                made.generator,
                {"network": "rrdb", "blocks": 23, "features": 64, "growth": 32, "first_kernel": 9},
            )
            self.assertEqual(
                (
                    made.batch,
                    made.ema,
                    made.precision,
                    made.data.patch,
                    made.data.degradation,
                    made.data.noise,
                ),
                (16, 0, "float32", 128, "bicubic", 0),
            )
            self.assertEqual(
                (
                    made.psnr.learning_rate,
                    made.psnr.betas,
                    made.psnr.schedule,
                    made.psnr.fft_weight,
                ),
                (2e-4, (0.9, 0.999), "constant", 0),
            )
            self.assertEqual(
                (made.gan.adversarial_weight, made.gan.content_weight, made.gan.perceptual_weight),
                (5e-3, 1e-2, 1),
            )
            self.assertEqual(
                (made.gan.discriminator, made.gan.adversarial_terms, made.gan.perceptual_norm),
                ("thesis", "fake", "l1"),
            )

    def test_changes_of_a_preset_leave_the_other_settings(self):
        before = json.dumps(PRESETS)
        made = preset("modern", 4, psnr={"steps": 7}, generator=GENERATOR, gan=None)
        self.assertEqual(made.psnr, dataclasses.replace(preset("modern", 4).psnr, steps=7))
        self.assertEqual(
            made.generator, GENERATOR
        )  # parameters of one network mean nothing to another
        self.assertIsNone(made.gan)
        self.assertEqual(json.dumps(PRESETS), before)

    def test_every_preset_describes_valid_networks(self):
        from MRISuperResLib.core.networks import make_generator
        from MRISuperResTrainingLib.networks.discriminators import make_discriminator

        made = preset("quick", 8)
        make_generator(made.generator, 8)
        make_generator(preset("through-plane").generator, 8)
        for name in ("thesis", "modern"):
            made = preset(name, 2)
            make_generator(made.generator | {"blocks": 1}, 2)
            make_discriminator(made.gan.discriminator, made.data.patch)

    def test_an_unknown_preset_is_refused_with_the_list_of_presets(self):
        with self.assertRaisesRegex(
            SuperResolutionError,
            "Unknown preset “fast”: choose one of thesis, modern, quick, through-plane",
        ):
            preset("fast", 2)


class RecipeTest(unittest.TestCase):
    def test_settings_of_a_scale_are_the_preset_with_the_changes(self):
        recipe = Recipe.from_dict(
            RECIPE
            | {
                "preset": "quick",
                "settings": {"seed": 5, "data": {"flips": False}},
                "scales": {"8": {"data": {"patch": 128}}},
            }
        )
        self.assertEqual(
            recipe.settings_for(8), preset("quick", 8, seed=5, data={"flips": False, "patch": 128})
        )
        self.assertEqual(recipe.settings_for(2), preset("quick", 2, seed=5, data={"flips": False}))

    def test_a_recipe_without_a_preset_is_complete(self):
        recipe = Recipe.from_dict(RECIPE | {"settings": {"generator": GENERATOR}})
        self.assertEqual(recipe.settings_for(4), Settings(4, GENERATOR))

    def test_the_card_of_a_recipe_states_the_kind_of_device(self):
        self.assertEqual(
            Recipe.from_dict(RECIPE | {"made_for": "gpu"}).card(),
            {"title": "Tiny", "limits": "For tests.", "license": "MIT", "made_for": "gpu"},
        )
        with self.assertRaisesRegex(SuperResolutionError, "“made_for” must be one of cpu, gpu"):
            Recipe.from_dict(RECIPE | {"made_for": "tpu"})

    def test_the_recipe_between_slices_can_be_trained_at_its_scale_in_one_stage(self):
        from MRISuperResTrainingLib.training.start import check_start

        made = Recipe.read(RECIPES / "through-plane.json").settings_for()
        check_start(made)
        self.assertEqual((made.scale, made.stages, made.is_between_slices), (8, ["psnr"], True))

    def test_every_recipe_of_a_pair_can_be_trained_at_every_scale_in_two_stages(self):
        from MRISuperResTrainingLib.training.start import check_start

        paths = sorted(set(RECIPES.glob("*.json")) - {RECIPES / "through-plane.json"})
        self.assertTrue(paths)
        for path in paths:
            for scale in (2, 4, 8):
                with self.subTest(path.name, scale=scale):
                    made = Recipe.read(path).settings_for(scale)
                    check_start(made)
                    self.assertEqual(made.stages, ["psnr", "gan"])

    def test_the_fast_recipe_takes_at_most_a_fifteenth_of_the_work_of_rrdb_23(self):
        from MRISuperResLib.core.networks import make_generator

        for scale in (2, 4, 8):
            fast, large = (
                work(make_generator(architecture, scale))
                for architecture in (
                    Recipe.read(RECIPES / "fast.json").settings_for(scale).generator,
                    {"network": "rrdb"},
                )
            )
            self.assertLess(15 * fast, large)

    def test_recipe_volumes_are_attributed_and_evaluation_volumes_are_for_test_only(
        self,
    ):
        with open(RECIPES / "data.tsv", encoding="utf-8") as file:
            rows = list(
                csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t")
            )
        sources = one_use_per_subject([Source.from_dict(row) for row in rows])
        self.assertEqual(
            {(source.anatomy, source.use) for source in sources},
            {
                (anatomy, use)
                for anatomy in ("brain", "fetal")
                for use in ("train", "validation", "test")
            },
        )
        for source in sources:
            if source.path.startswith("evaluation/"):
                self.assertEqual(source.use, "test")
            self.assertTrue(source.license and source.source and source.contrast)

    def test_invalid_recipes_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "recipe.json")
            for content in (
                b"",
                b"[]",
                b"{}",
                b'{"name": 1}',
                b"\xff\xfe",
                json.dumps(RECIPE | {"sources": []}).encode(),
                json.dumps(RECIPE | {"name": "x"}).encode(),
                json.dumps(RECIPE | {"scales": {"3": {}}}).encode(),
                json.dumps(RECIPE | {"titel": "x"}).encode(),
            ):
                with self.subTest(content):
                    path.write_bytes(content)
                    with self.assertRaisesRegex(
                        SuperResolutionError, "recipe.json is not a recipe .*fast.json"
                    ):
                        Recipe.read(path)
            with self.assertRaisesRegex(SuperResolutionError, "missing.json is not a recipe"):
                Recipe.read(Path(folder, "missing.json"))


if __name__ == "__main__":
    unittest.main()
