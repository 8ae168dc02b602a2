"""The model store and model cards, and the shipped models."""

import json
import os
import statistics
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import BASELINES, SCALES, UpsamplingOptions
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.card_figures import AUDIT_FIGURES
from MRISuperResLib.core.models.store import SHIPPED, ModelStore, user_models_folder
from MRISuperResLib.core.slice_profile import INTERPOLATIONS as THROUGH_PLANE_INTERPOLATIONS

from made_models import write_model


def metrics(psnr, bicubic):
    """Return an entry of a card's metrics."""
    return {
        "data": "a",
        "anatomy": "fetal",
        "psnr": psnr,
        "ssim": 0.9,
        "rmse": 5.0,
        "baselines": {"bicubic": {"psnr": bicubic, "ssim": 0.8, "rmse": 6.0}},
    }


def audit(**changes):
    """Return an entry of a card's audit."""
    found = dict.fromkeys(AUDIT_FIGURES, 1)
    return {
        "anatomy": "fetal",
        "volumes": ["a"],
        "slices": 3,
        **found,
        "baselines": {"bicubic": found},
    } | changes


class ModelStoreTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.store = ModelStore([self.folder])

    def assert_refused(self, pattern, kind, **options):
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            MethodRegistry(self.store).get(UpsamplingOptions(device="cpu", **options))
        self.assertEqual(caught.exception.kind, kind)

    def test_models_are_listed_by_scale_and_psnr_before_gan(self):
        write_model(self.folder, "b-x4", scale=4)
        write_model(self.folder, "a-x4-gan", scale=4, stage="gan")
        write_model(self.folder, "z-x2", scale=2)
        self.assertEqual([c.name for c in self.store.cards()], ["z-x2", "b-x4", "a-x4-gan"])
        self.assertEqual([c.name for c in self.store.cards(4)], ["b-x4", "a-x4-gan"])
        self.assertEqual(self.store.default_model(4).name, "b-x4")

    def test_the_default_is_a_psnr_model_made_for_the_device(self):
        for name, stage, kind in (
            ("a-gan", "gan", "cpu"),
            ("b-psnr", "psnr", "gpu"),
            ("c-psnr", "psnr", "cpu"),
            ("d-gan", "gan", "gpu"),
        ):
            write_model(self.folder, name, stage=stage, made_for=kind)
        self.assertEqual(
            [self.store.default_model(2, kind).name for kind in ("cpu", "gpu")],
            ["c-psnr", "b-psnr"],
        )
        (self.folder / "c-psnr.safetensors").unlink()
        self.assertEqual(self.store.default_model(2, "cpu").name, "a-gan")

    def test_a_model_for_another_device_is_the_default_if_there_is_no_other(self):
        write_model(self.folder, "small")
        self.assertEqual(self.store.default_model(2, "gpu").name, "small")

    def test_options_without_a_model_use_the_one_made_for_the_device(self):
        write_model(self.folder, "large", made_for="gpu")
        write_model(self.folder, "small")
        self.assertEqual(
            MethodRegistry(self.store).get(UpsamplingOptions(device="cpu")).name, "small"
        )
        with (
            mock.patch(
                "MRISuperResLib.core.inference.device.resolve_device",
                return_value=mock.Mock(type="cuda"),
            ),
            mock.patch(
                "MRISuperResLib.core.methods.network.NetworkMethod",
                side_effect=lambda cards, *_: SimpleNamespace(
                    name=cards[0].name, reset=lambda: None
                ),
            ),
        ):
            self.assertEqual(MethodRegistry(self.store).get(UpsamplingOptions()).name, "large")

    def test_weights_that_do_not_match_the_card_are_refused(self):
        write_model(self.folder)
        with open(self.folder / "tiny-x2-psnr.safetensors", "ab") as weights:
            weights.write(b"!")
        self.assert_refused("SHA-256", "model", model="tiny-x2-psnr")

    def test_weights_of_another_architecture_are_refused(self):
        write_model(self.folder)
        card = json.loads((self.folder / "tiny-x2-psnr.json").read_text())
        card["architecture"]["features"] = 16
        (self.folder / "tiny-x2-psnr.json").write_text(json.dumps(card))
        self.assert_refused("do not fit", "model", model="tiny-x2-psnr")

    def test_a_model_of_another_scale_is_refused_and_fitting_models_are_named(self):
        write_model(self.folder)
        write_model(self.folder, "tiny-x8", scale=8)
        self.assert_refused("×2, not ×8.*tiny-x8", "settings", model="tiny-x2-psnr", scale=8)

    def test_an_unknown_model_is_refused_and_installed_models_are_named(self):
        write_model(self.folder)
        self.assert_refused("no model “x”.*tiny-x2-psnr", "model", model="x")

    def test_a_scale_without_a_model_is_refused_instead_of_using_another_scale(self):
        write_model(self.folder, "tiny-x4", scale=4)
        self.assert_refused("No model for ×8.*tiny-x4", "model", scale=8)

    def test_a_damaged_card_is_not_listed_and_its_error_states_the_reason(self):
        write_model(self.folder)
        good = json.loads((self.folder / "tiny-x2-psnr.json").read_text())
        damages = (
            {"scale": 3},
            {"scale": "2"},
            {"stage": "best"},
            {"sha256": "../../etc"},
            {"name": "../x"},
            {"name": "other"},
            {"architecture": []},
            {"spacing_range": [2, 1]},
            {"metrics": [{"data": "x"}]},
            {"metrics": [metrics(1, 2) | {"baselines": {}}]},
            {"made_for": "tpu"},
            {"contrasts": "T1w"},
            {"anatomy": [1]},
            {"cpu_speed": {"seconds_per_megapixel": 0}},
            {"audit": {}},
            {"audit": [audit(anatomy=None)]},
            {"audit": [audit(lesions_lost=None)]},
            {"audit": [audit(volumes="a")]},
            {"audit": [audit(slices=True)]},
            {"audit": [audit(baselines={"bicubic": {}})]},
            {"audit": [audit(), audit()]},
        )
        for damage in damages:
            with self.subTest(damage):
                (self.folder / "tiny-x2-psnr.json").write_text(json.dumps(good | damage))
                self.assertEqual(self.store.cards(), [])
                self.assert_refused("card .* cannot be used", "model", model="tiny-x2-psnr")
        for text in ("", "[]", "{", '{"name": "tiny-x2-psnr"}'):
            with self.subTest(text):
                (self.folder / "tiny-x2-psnr.json").write_text(text)
                self.assert_refused("card .* cannot be used", "model", model="tiny-x2-psnr")

    def test_a_card_has_an_audit_per_anatomy_which_may_lack_lesions(self):
        write_model(
            self.folder,
            audit=[audit(), audit(anatomy="brain", mean_contrast=None, min_contrast=None)],
        )
        tables = self.store.model("tiny-x2-psnr").card.audit_tables()
        self.assertEqual(
            [heading for heading, _, _ in tables],
            ["Audit, fetal (1 volume, 3 slices)", "Audit, brain (1 volume, 3 slices)"],
        )
        self.assertEqual(tables[0][1], ["", "bicubic", "tiny-x2-psnr"])
        self.assertEqual([row[-1] for row in tables[1][2]][-2:], ["–", "–"])

    def test_the_summary_of_a_card_states_what_a_user_must_know(self):
        write_model(
            self.folder,
            stage="gan",
            anatomy=["fetal"],
            contrasts=["EPI", "T2w"],
            spacing_range=[0.5, 3],
            metrics=[metrics(34.0, 32.5), metrics(31.0, 31.2)],
            cpu_speed={"seconds_per_megapixel": 1.234, "threads": 2, "processor": "Z80"},
            limits="Not for knees.",
        )
        summary = self.store.model("tiny-x2-psnr").card.summary()
        for part in (
            "×2",
            "may hallucinate detail",
            "fetal MRI (EPI, T2w)",
            "0.5–3 mm",
            "Held-out fetal volumes (2): PSNR -0.2 to +1.5 dB",
            "1.2 s per output megapixel on a CPU (Z80, 2 threads)",
            "Not for knees.",
        ):
            self.assertIn(part, summary)

    def test_weights_without_a_card_are_not_a_model(self):
        write_model(self.folder)
        (self.folder / "tiny-x2-psnr.json").unlink()
        self.assertEqual(self.store.cards(), [])
        self.assert_refused("cannot be used", "model", model="tiny-x2-psnr")

    def test_a_network_stays_loaded_for_the_next_run(self):
        write_model(self.folder)
        registry = MethodRegistry(self.store)
        options = UpsamplingOptions("tiny-x2-psnr", device="cpu")
        self.assertIs(registry.get(options), registry.get(options))

    def test_a_missing_gpu_is_an_error_and_is_not_replaced(self):
        import torch

        if torch.cuda.is_available():
            self.skipTest("this computer has an NVIDIA GPU")
        write_model(self.folder)
        with self.assertRaisesRegex(SuperResolutionError, "no NVIDIA GPU"):
            MethodRegistry(self.store).get(UpsamplingOptions("tiny-x2-psnr", device="cuda:0"))

    def test_gpu_0_can_be_chosen(self):
        from MRISuperResLib.core.inference import device

        with (
            mock.patch("torch.cuda.is_available", return_value=True),
            mock.patch("torch.cuda.device_count", return_value=1),
        ):
            self.assertEqual(device.resolve_device("cuda:0").index, 0)
            self.assertEqual(device.resolve_device("auto").type, "cuda")
            with self.assertRaisesRegex(SuperResolutionError, "no GPU 1"):
                device.resolve_device("cuda:1")

    def test_the_environment_adds_model_folders(self):
        write_model(self.folder, "mine")
        with mock.patch.dict(os.environ, {"MRISUPERRES_MODELS": str(self.folder)}):
            self.assertIn("mine", [c.name for c in ModelStore().cards()])

    @unittest.skipUnless(sys.platform == "linux", "the user's folder is elsewhere")
    def test_user_models_are_found_but_are_not_the_default(self):
        with mock.patch.dict(os.environ, {"XDG_DATA_HOME": str(self.folder)}):
            self.assertEqual(user_models_folder(), self.folder / "MRISuperRes" / "models")
            ModelStore().cards()  # the folder does not exist yet
            user_models_folder().mkdir(parents=True)
            write_model(user_models_folder(), "a-model")
            self.assertEqual(ModelStore().cards(2)[0].name, "a-model")
            self.assertEqual(
                ModelStore().default_model(2).name, ModelStore([SHIPPED]).default_model(2).name
            )


class ShippedModelsTest(unittest.TestCase):
    def test_every_scale_has_a_pair_whose_psnr_model_is_the_default_on_a_cpu(
        self,
    ):
        store = ModelStore([SHIPPED])
        for scale in SCALES:
            self.assertIn(f"fast-x{scale}", store.pairs(scale))
            self.assertEqual(store.default_model(scale, "cpu").name, f"fast-x{scale}-psnr")

    def test_every_shipped_model_loads_and_all_take_less_than_60_MB(self):
        store = ModelStore([SHIPPED])
        registry = MethodRegistry(store)
        self.assertLess(sum(path.stat().st_size for path in SHIPPED.iterdir()), 60e6)
        files = sorted(path.stem for path in SHIPPED.glob("*.safetensors"))
        self.assertEqual(sorted(card.name for card in store.cards()), files)
        for card in store.cards():
            with self.subTest(card.name):
                if card.is_through_plane:
                    options = UpsamplingOptions(isotropic=True, between_slices=card.name)
                    self.assertEqual(registry.between_slices(options).name, card.name)
                else:
                    options = UpsamplingOptions(card.name, device="cpu")
                    self.assertEqual(registry.get(options).scale, card.scale)

    def test_every_shipped_card_lists_training_data_with_licenses_and_held_out_metrics(self):
        for card in ModelStore([SHIPPED]).cards():
            with self.subTest(card.name):
                self.assertTrue(
                    card.training["data"]
                    and card.metrics
                    and card.limits
                    and card.license
                    and card.spacing_range
                    and card.contrasts
                    and card.cpu_speed
                )
                for file in card.training["data"]:
                    self.assertTrue(file["license"] and file["source"] and file["sha256"])
                trained = {Path(file["path"]).name.split(".")[0] for file in card.training["data"]}
                self.assertFalse(trained & {entry["data"] for entry in card.metrics})

    def test_every_shipped_card_has_an_audit_on_held_out_volumes(self):
        """In-plane of both anatomies; between slices, where references are rare, of the brain."""
        for card in ModelStore([SHIPPED]).cards():
            with self.subTest(card.name):
                anatomies = [entry["anatomy"] for entry in card.audit]
                if card.is_through_plane:
                    self.assertIn("brain", anatomies)
                    baselines = THROUGH_PLANE_INTERPOLATIONS
                else:
                    self.assertEqual(anatomies, ["brain", "fetal"])
                    baselines = BASELINES
                for entry in card.audit:
                    self.assertLessEqual(
                        set(entry["volumes"]),
                        {
                            figure["data"]
                            for figure in card.metrics
                            if figure["anatomy"] == entry["anatomy"]
                        },
                    )
                    self.assertGreater(
                        min(len(entry["volumes"]), entry["lesions"], entry["patches"]), 0
                    )
                    self.assertEqual(tuple(entry["baselines"]), baselines)

    def test_in_plane_models_have_fewer_unfaithful_patches_than_bicubic_and_lose_no_lesion(self):
        for card in ModelStore([SHIPPED]).cards():
            # between slices, a lesion thinner than a slice is averaged with its surroundings
            for entry in () if card.is_through_plane else card.audit:
                with self.subTest(card.name, anatomy=entry["anatomy"]):
                    self.assertLess(
                        entry["unfaithful"], entry["baselines"]["bicubic"]["unfaithful"]
                    )
                    self.assertEqual(entry["lesions_lost"], 0)

    def test_psnr_models_exceed_the_psnr_of_every_baseline_on_every_held_out_volume(self):
        for card in ModelStore([SHIPPED]).cards():
            for figure in card.metrics if card.stage == "psnr" else ():
                with self.subTest(card.name, data=figure["data"]):
                    self.assertGreater(
                        figure["psnr"],
                        max(scores["psnr"] for scores in figure["baselines"].values()),
                    )

    def test_gan_models_have_the_smallest_mean_vgg_distance(self):
        store = ModelStore([SHIPPED])
        for scale in SCALES:
            psnr, gan = (card.metrics for card in store.pairs(scale)[f"fast-x{scale}"])
            others = [
                psnr,
                *([volume["baselines"][name] for volume in gan] for name in gan[0]["baselines"]),
            ]
            with self.subTest(scale):
                self.assertLess(
                    *(
                        min(
                            statistics.mean(scores["vgg_distance"] for scores in volumes)
                            for volumes in methods
                        )
                        for methods in ([gan], others)
                    )
                )

    def test_the_gan_model_of_scale_2_exceeds_bicubic_in_psnr_on_every_held_out_volume(self):
        for figure in ModelStore([SHIPPED]).model("fast-x2-gan").card.metrics:
            with self.subTest(figure["data"]):
                self.assertGreater(figure["psnr"], figure["baselines"]["bicubic"]["psnr"])

    def test_gan_models_have_a_smaller_vgg_distance_than_psnr_models_in_each_anatomy(self):
        store = ModelStore([SHIPPED])
        for scale in SCALES:
            psnr, gan = (card.metrics for card in store.pairs(scale)[f"fast-x{scale}"])
            for anatomy in {figure["anatomy"] for figure in gan}:
                means = [
                    statistics.mean(f["vgg_distance"] for f in figures if f["anatomy"] == anatomy)
                    for figures in (gan, psnr)
                ]
                with self.subTest(anatomy, scale=scale):
                    self.assertLess(*means)


if __name__ == "__main__":
    unittest.main()
