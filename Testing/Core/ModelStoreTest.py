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
from MRISuperResLib.core.options import SCALES, UpsamplingOptions
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.card import AUDITED
from MRISuperResLib.core.models.store import SHIPPED, ModelStore, user_models_folder

from made_models import write_model


def figures(psnr, bicubic):
    """An entry of a card's metrics."""
    return {
        "data": "a",
        "anatomy": "fetal",
        "psnr": psnr,
        "ssim": 0.9,
        "rmse": 5.0,
        "baselines": {"bicubic": {"psnr": bicubic, "ssim": 0.8, "rmse": 6.0}},
    }


def audited(**changes):
    """An entry of a card's audit."""
    found = dict.fromkeys(AUDITED, 1)
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

    def refused(self, pattern, kind, **job):
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            MethodRegistry(self.store).get(UpsamplingOptions(device="cpu", **job))
        self.assertEqual(caught.exception.kind, kind)

    def test_models_are_listed_by_scale_psnr_before_gan(self):
        write_model(self.folder, "b-x4", scale=4)
        write_model(self.folder, "a-x4-gan", scale=4, stage="gan")
        write_model(self.folder, "z-x2", scale=2)
        self.assertEqual([c.name for c in self.store.cards()], ["z-x2", "b-x4", "a-x4-gan"])
        self.assertEqual([c.name for c in self.store.cards(4)], ["b-x4", "a-x4-gan"])
        self.assertEqual(self.store.default_name(4), "b-x4")

    def test_the_default_is_made_for_the_machine_and_a_psnr_model(self):
        for name, stage, machine in (
            ("a-gan", "gan", "cpu"),
            ("b-psnr", "psnr", "gpu"),
            ("c-psnr", "psnr", "cpu"),
            ("d-gan", "gan", "gpu"),
        ):
            write_model(self.folder, name, stage=stage, made_for=machine)
        self.assertEqual(
            [self.store.default_name(2, machine) for machine in ("cpu", "gpu")],
            ["c-psnr", "b-psnr"],
        )
        (self.folder / "c-psnr.safetensors").unlink()
        self.assertEqual(self.store.default_name(2, "cpu"), "a-gan")

    def test_where_no_model_is_made_for_the_machine_another_is_the_default(self):
        write_model(self.folder, "small")
        self.assertEqual(self.store.default_name(2, "gpu"), "small")

    def test_a_job_without_a_model_takes_that_which_is_made_for_the_device_that_is_used(self):
        write_model(self.folder, "large", made_for="gpu")
        write_model(self.folder, "small")
        self.assertEqual(
            MethodRegistry(self.store).get(UpsamplingOptions(device="cpu")).name, "small"
        )
        with (
            mock.patch(
                "MRISuperResLib.core.methods.network.resolve_device",
                return_value=mock.Mock(type="cuda"),
            ),
            mock.patch(
                "MRISuperResLib.core.methods.network.NetworkMethod",
                side_effect=lambda cards, *_: SimpleNamespace(
                    name=cards[0].name, begin=lambda: None
                ),
            ),
        ):
            self.assertEqual(MethodRegistry(self.store).get(UpsamplingOptions()).name, "large")

    def test_weights_that_are_not_those_of_the_card_are_refused(self):
        write_model(self.folder)
        with open(self.folder / "tiny-x2-psnr.safetensors", "ab") as weights:
            weights.write(b"!")
        self.refused("SHA-256", "model", model="tiny-x2-psnr")

    def test_weights_of_another_architecture_are_refused(self):
        write_model(self.folder)
        card = json.loads((self.folder / "tiny-x2-psnr.json").read_text())
        card["architecture"]["features"] = 16
        (self.folder / "tiny-x2-psnr.json").write_text(json.dumps(card))
        self.refused("do not fit", "model", model="tiny-x2-psnr")

    def test_a_model_of_another_scale_is_refused_and_the_fitting_ones_are_named(self):
        write_model(self.folder)
        write_model(self.folder, "tiny-x8", scale=8)
        self.refused("×2, not ×8.*tiny-x8", "settings", model="tiny-x2-psnr", scale=8)

    def test_an_unknown_model_is_refused_and_the_installed_ones_are_named(self):
        write_model(self.folder)
        self.refused("no model “x”.*tiny-x2-psnr", "model", model="x")

    def test_a_scale_without_a_model_is_refused_and_never_replaced_by_another(self):
        write_model(self.folder, "tiny-x4", scale=4)
        self.refused("No model for ×8.*tiny-x4", "model", scale=8)

    def test_a_damaged_card_is_not_listed_and_says_why_when_it_is_asked_for(self):
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
            {"metrics": [figures(1, 2) | {"baselines": {}}]},
            {"made_for": "tpu"},
            {"contrasts": "T1w"},
            {"anatomy": [1]},
            {"cpu_speed": {"seconds_per_megapixel": 0}},
            {"audit": {}},
            {"audit": [audited(anatomy=None)]},
            {"audit": [audited(lost=None)]},
            {"audit": [audited(volumes="a")]},
            {"audit": [audited(slices=True)]},
            {"audit": [audited(baselines={"bicubic": {}})]},
            {"audit": [audited(), audited()]},
        )
        for damage in damages:
            with self.subTest(damage):
                (self.folder / "tiny-x2-psnr.json").write_text(json.dumps(good | damage))
                self.assertEqual(self.store.cards(), [])
                self.refused("card .* can't be used", "model", model="tiny-x2-psnr")
        for text in ("", "[]", "{", '{"name": "tiny-x2-psnr"}'):
            with self.subTest(text):
                (self.folder / "tiny-x2-psnr.json").write_text(text)
                self.refused("card .* can't be used", "model", model="tiny-x2-psnr")

    def test_a_card_may_hold_an_audit_of_each_anatomy_some_without_a_lesion(self):
        write_model(
            self.folder, audit=[audited(), audited(anatomy="brain", contrast=None, least=None)]
        )
        tables = self.store.card("tiny-x2-psnr").audited()
        self.assertEqual(
            [heading for heading, _, _ in tables],
            ["Audit, fetal (1 volume, 3 slices)", "Audit, brain (1 volume, 3 slices)"],
        )
        self.assertEqual(tables[0][1], ["", "bicubic", "tiny-x2-psnr"])
        self.assertEqual([row[-1] for row in tables[1][2]][-2:], ["–", "–"])

    def test_a_card_sums_up_what_a_user_must_know(self):
        write_model(
            self.folder,
            stage="gan",
            anatomy=["fetal"],
            contrasts=["EPI", "T2w"],
            spacing_range=[0.5, 3],
            metrics=[figures(34.0, 32.5), figures(31.0, 31.2)],
            cpu_speed={"seconds_per_megapixel": 1.234, "threads": 2, "processor": "Z80"},
            limits="Not for knees.",
        )
        summary = self.store.card("tiny-x2-psnr").summary()
        for part in (
            "×2",
            "may invent detail",
            "fetal MRI (EPI, T2w)",
            "0.5–3 mm",
            "Held-out fetal volumes (2): PSNR -0.2 to +1.5 dB",
            "1.2 s per megapixel of the output on a CPU (Z80, 2 threads)",
            "Not for knees.",
        ):
            self.assertIn(part, summary)

    def test_weights_without_a_card_are_not_a_model(self):
        write_model(self.folder)
        (self.folder / "tiny-x2-psnr.json").unlink()
        self.assertEqual(self.store.cards(), [])
        self.refused("can't be used", "model", model="tiny-x2-psnr")

    def test_a_network_stays_loaded_for_the_next_job(self):
        write_model(self.folder)
        cache = MethodRegistry(self.store)
        job = UpsamplingOptions("tiny-x2-psnr", device="cpu")
        self.assertIs(cache.get(job), cache.get(job))

    def test_a_gpu_that_is_not_there_is_refused_and_not_replaced(self):
        import torch

        if torch.cuda.is_available():
            self.skipTest("this computer has an NVIDIA GPU")
        write_model(self.folder)
        with self.assertRaisesRegex(SuperResolutionError, "no NVIDIA GPU"):
            MethodRegistry(self.store).get(UpsamplingOptions("tiny-x2-psnr", device="cuda:0"))

    def test_gpu_zero_is_a_device_like_any_other(self):
        from MRISuperResLib.core.methods import network

        with (
            mock.patch("torch.cuda.is_available", return_value=True),
            mock.patch("torch.cuda.device_count", return_value=1),
        ):
            self.assertEqual(network.resolve_device("cuda:0").index, 0)
            self.assertEqual(network.resolve_device("auto").type, "cuda")
            with self.assertRaisesRegex(SuperResolutionError, "no GPU 1"):
                network.resolve_device("cuda:1")

    def test_further_folders_come_from_the_environment(self):
        write_model(self.folder, "mine")
        with mock.patch.dict(os.environ, {"MRISUPERRES_MODELS": str(self.folder)}):
            self.assertIn("mine", [c.name for c in ModelStore().cards()])

    @unittest.skipUnless(sys.platform == "linux", "the user's folder is elsewhere")
    def test_models_of_the_user_are_found_but_are_not_the_default(self):
        with mock.patch.dict(os.environ, {"XDG_DATA_HOME": str(self.folder)}):
            self.assertEqual(user_models_folder(), self.folder / "MRISuperRes" / "models")
            ModelStore().cards()  # also where there is no such folder
            user_models_folder().mkdir(parents=True)
            write_model(user_models_folder(), "a-model")
            self.assertEqual(ModelStore().cards(2)[0].name, "a-model")
            self.assertEqual(ModelStore().default_name(2), ModelStore([SHIPPED]).default_name(2))


class ShippedModelsTest(unittest.TestCase):
    def test_there_is_a_pair_for_every_scale_and_the_default_is_its_psnr_model_that_a_cpu_can_run(
        self,
    ):
        store = ModelStore([SHIPPED])
        for scale in SCALES:
            self.assertIn(f"fast-x{scale}", store.pairs(scale))
            self.assertEqual(store.default_name(scale, "cpu"), f"fast-x{scale}-psnr")

    def test_every_shipped_model_loads_and_all_together_are_small(self):
        store = ModelStore([SHIPPED])
        cache = MethodRegistry(store)
        self.assertLess(sum(path.stat().st_size for path in SHIPPED.iterdir()), 60e6)
        files = sorted(path.stem for path in SHIPPED.glob("*.safetensors"))
        self.assertEqual(sorted(card.name for card in store.cards()), files)
        for card in store.cards():
            with self.subTest(card.name):
                self.assertEqual(
                    cache.get(UpsamplingOptions(card.name, device="cpu")).scale, card.scale
                )

    def test_every_shipped_card_names_its_data_their_licenses_and_its_held_out_figures(self):
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
                self.assertFalse(trained & {figure["data"] for figure in card.metrics})

    def test_every_shipped_card_tells_what_an_audit_found_of_both_anatomies_on_volumes_that_it_has_not_learnt_from(
        self,
    ):
        for card in ModelStore([SHIPPED]).cards():
            with self.subTest(card.name):
                self.assertEqual([entry["anatomy"] for entry in card.audit], ["brain", "fetal"])
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
                        min(len(entry["volumes"]), entry["planted"], entry["patches"]), 0
                    )
                    self.assertEqual(list(entry["baselines"]), ["bicubic", "bicubic+bp"])

    def test_the_shipped_models_contradict_the_input_less_often_than_bicubic_interpolation_and_lose_no_lesion(
        self,
    ):
        for card in ModelStore([SHIPPED]).cards():
            for entry in card.audit:
                with self.subTest(card.name, anatomy=entry["anatomy"]):
                    self.assertLess(
                        entry["unfaithful"], entry["baselines"]["bicubic"]["unfaithful"]
                    )
                    self.assertEqual(entry["lost"], 0)

    def test_the_psnr_models_are_better_than_whatever_does_not_learn_on_every_held_out_volume(self):
        for card in ModelStore([SHIPPED]).cards():
            for figure in card.metrics if card.stage == "psnr" else ():
                with self.subTest(card.name, data=figure["data"]):
                    self.assertGreater(
                        figure["psnr"],
                        max(scores["psnr"] for scores in figure["baselines"].values()),
                    )

    def test_the_gan_models_look_most_like_the_truth_in_the_mean(self):
        store = ModelStore([SHIPPED])
        for scale in SCALES:
            psnr, gan = (card.metrics for card in store.pair(f"fast-x{scale}"))
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

    def test_the_gan_model_of_scale_2_is_better_than_bicubic_and_the_psnr_model_by_its_own_measure_on_every_held_out_volume(
        self,
    ):
        for psnr, gan in zip(*(card.metrics for card in ModelStore([SHIPPED]).pair("fast-x2"))):
            with self.subTest(gan["data"]):
                self.assertGreater(gan["psnr"], gan["baselines"]["bicubic"]["psnr"])
                self.assertLess(gan["vgg_distance"], psnr["vgg_distance"])


if __name__ == "__main__":
    unittest.main()
