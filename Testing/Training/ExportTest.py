"""From a run to a pair of models."""

import dataclasses
import json

import made_volumes
import numpy as np
import torch
from made_runs import RunTest
from MRISuperResLib.core.comparison.between_slices import compare_between_slices
from MRISuperResLib.core.comparison.compare import compare_methods
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResTrainingLib.data.sources import read_sources
from MRISuperResTrainingLib.runs.export import export
from safetensors.torch import load_file


class ExportTest(RunTest):
    def exported(self, measure=True, card=None, **changes):
        """(the cards, a store of their folder)"""
        self.train(card=card, **changes)
        cards, messages = export(self.folder / "run", "tiny", self.folder / "models", measure)
        self.assertEqual(messages, [])
        return cards, ModelStore([self.folder / "models"])

    def test_the_exported_pair_upsamples_and_can_be_blended(self):
        _, store = self.exported(False, gan={"steps": 4, "learning_rate": 1e-2})
        self.assertEqual(
            {pair: [card.name for card in cards] for pair, cards in store.pairs(2).items()},
            {"tiny": ["tiny-psnr", "tiny-gan"]},
        )
        methods = MethodRegistry(store)
        images = np.random.default_rng(0).random((1, 20, 24)).astype(np.float32)
        psnr, gan, zero, one, half = (
            methods.get(UpsamplingOptions(name, 2, device="cpu"))(images)
            for name in ("tiny-psnr", "tiny-gan", "tiny@0", "tiny@1", "tiny@0.5")
        )
        np.testing.assert_allclose(zero, psnr, atol=1e-6)
        np.testing.assert_allclose(one, gan, atol=1e-6)
        self.assertGreater(np.abs(psnr - gan).max(), 1e-3)
        self.assertFalse(np.allclose(half, psnr, atol=1e-5) or np.allclose(half, gan, atol=1e-5))
        volume = read_volume(self.folder / "data" / "a.nii.gz")
        options = UpsamplingOptions("tiny@0.5", 2, device="cpu")
        result = upsample_volume(volume, options, registry=methods)
        self.assertEqual(result.array.shape, (4, 64, 72))

    def test_the_gan_model_can_be_a_blend_which_its_card_states(self):
        self.train(gan={"steps": 4, "learning_rate": 1e-2})
        folders = {alpha: self.folder / f"models{alpha}" for alpha in (1.0, 0.25)}
        for alpha, folder in folders.items():
            export(self.folder / "run", "tiny", folder, False, alpha)
        psnr, gan, blend = (
            load_file(folders[alpha] / f"tiny-{stage}.safetensors")
            for alpha, stage in ((1.0, "psnr"), (1.0, "gan"), (0.25, "gan"))
        )
        for name, value in blend.items():
            torch.testing.assert_close(
                value.float(),
                0.75 * psnr[name].float() + 0.25 * gan[name].float(),
                rtol=2e-3,
                atol=1e-4,
            )
        self.assertEqual(
            (folders[0.25] / "tiny-psnr.safetensors").read_bytes(),
            (folders[1.0] / "tiny-psnr.safetensors").read_bytes(),
        )
        losses = [
            ModelStore([folders[alpha]]).model(f"tiny-{stage}").card.training["loss"]
            for alpha, stage in ((0.25, "gan"), (1.0, "gan"), (0.25, "psnr"))
        ]
        self.assertEqual(
            losses,
            [
                "0.005·adversarial + L1; blended with stage 1 at 0.25",
                "0.005·adversarial + L1",
                "L1",
            ],
        )
        for alpha in (0, 1.1, float("nan")):
            with self.assertRaisesRegex(
                SuperResolutionError, "The blend must be above 0 and at most 1"
            ):
                export(self.folder / "run", "tiny", self.folder / "none", False, alpha)

    def test_cards_state_the_training_data_without_folders_of_this_computer(self):
        cards, store = self.exported(
            card={"title": "Tiny", "limits": "For tests.", "license": "MIT", "made_for": "gpu"},
            data={"validation_share": 0.4},
        )
        card = store.model("tiny-gan").card
        self.assertEqual(
            (card.title, card.limits, card.license, card.made_for, card.stage, card.pair),
            ("Tiny", "For tests.", "MIT", "gpu", "gan", "tiny"),
        )
        self.assertEqual(card.spacing_range, (2.0, 2.0))
        self.assertEqual(list(card.training_spacings().values()), [[(2.0, 2.0)]])
        self.assertEqual(card.training["loss"], "0.005·adversarial + L1")
        self.assertEqual(store.model("tiny-psnr").card.training["loss"], "L1")
        self.assertEqual(len(card.training["data"]), 1)
        self.assertNotIn(str(self.folder), json.dumps([card.to_dict() for card in cards]))

    def test_scores_of_the_cards_are_those_of_a_comparison_on_the_held_out_subject(self):
        cards, store = self.exported()
        subject = cards[0].training["data"][0]["subject"]
        held = "b" if subject == "a" else "a"
        self.assertEqual([row["data"] for row in cards[0].metrics], [held])
        volume = read_volume(self.folder / "data" / f"{held}.nii.gz")
        options = ComparisonOptions(("bicubic", "tiny-psnr", "tiny-gan"), 2, device="cpu")
        table = compare_methods(volume, options, registry=MethodRegistry(store)).table
        for card in cards:
            self.assertAlmostEqual(card.metrics[0]["psnr"], table.volume_psnr(card.name), places=2)
            self.assertEqual(
                set(card.metrics[0]["baselines"]), {"nearest", "bilinear", "bicubic", "bicubic+bp"}
            )
            bicubic = card.metrics[0]["baselines"]["bicubic"]
            self.assertAlmostEqual(bicubic["psnr"], table.volume_psnr("bicubic"), places=2)
            self.assertAlmostEqual(bicubic["rmse"], table.volume_rmse("bicubic"), places=2)
            self.assertAlmostEqual(bicubic["ssim"], table.mean("bicubic", "ssim_wang"), places=3)

    def test_cards_state_the_speed_on_this_cpu(self):
        cards, _ = self.exported()
        for card in cards:
            self.assertGreater(card.cpu_speed["seconds_per_megapixel"], 0)
            self.assertEqual(card.cpu_speed["threads"], torch.get_num_threads())
            self.assertTrue(card.cpu_speed["processor"])
            self.assertIn("s per output megapixel", card.summary())

    def test_contrasts_are_those_of_the_training_data(self):
        sources = [
            dataclasses.replace(source, contrast=contrast, use=use)
            for source, contrast, use in zip(
                self.volumes(("a", "b", "c")), ("T2w", "T1w", "EPI"), ("train", "train", "test")
            )
        ]
        cards, _ = self.exported(False, sources=sources)
        self.assertEqual(cards[0].contrasts, ("T1w", "T2w"))

    def test_a_model_between_slices_is_measured_on_nearly_isotropic_volumes(self):
        for seed, (subject, spacing) in enumerate((("a", 1.0), ("b", 1.2), ("c", 3.0))):
            made_volumes.write(
                self.folder / "data" / f"{subject}.nii.gz",
                made_volumes.tissue(seed, (32, 32, 36)),
                made_volumes.grid(k=spacing),
            )
        uses = {"a": "train", "b": "test", "c": "test"}
        sources = [
            dataclasses.replace(source, use=uses[source.subject])
            for source in read_sources([self.folder / "data"])[0]
        ]
        self.train(
            sources=sources,
            scale=8,
            generator={"network": "through-plane", "blocks": 1, "features": 4},
            data={"patch": 32, "degradation": "slices"},
            gan=None,
            psnr={"steps": 30, "learning_rate": 1e-2},
        )
        cards, messages = export(self.folder / "run", "between", self.folder / "models")
        (card,) = cards
        self.assertEqual((card.name, card.pair, card.stage), ("between", "", "psnr"))
        self.assertTrue(card.is_through_plane)
        self.assertEqual(card.spacing_range, (1.0, 1.0))
        self.assertEqual(card.training["degradation"], "slices")
        self.assertGreater(card.cpu_speed["seconds_per_megapixel"], 0)
        self.assertRegex(messages[-1].text, "1 held-out volume with thick slices")
        (row,) = card.metrics
        self.assertEqual((row["data"], row["slice_spacing"]), ("b", 3.84))
        registry = MethodRegistry(ModelStore([self.folder / "models"]))
        table = compare_between_slices(
            read_volume(self.folder / "data" / "b.nii.gz"),
            ComparisonOptions(
                ("linear", "bspline", "fourier", "between"), scale=1, slice_spacing=4.0
            ),
            registry=registry,
        ).table
        self.assertEqual(set(row["baselines"]), {"linear", "bspline", "fourier"})
        for name, scores in {**row["baselines"], "between": row}.items():
            self.assertAlmostEqual(scores["psnr"], table.volume_psnr(name), places=2)
            self.assertAlmostEqual(scores["ssim"], table.mean(name, "ssim_wang"), places=3)

    def test_an_only_subject_gives_no_scores(self):
        cards, _ = self.exported(sources=self.volumes(("a",), (8, 32, 36)))
        self.assertEqual([card.metrics for card in cards], [(), ()])

    def test_a_run_without_stage_2_gives_a_single_model(self):
        cards, store = self.exported(False, gan=None)
        self.assertEqual([(card.name, card.pair) for card in cards], [("tiny-psnr", "")])
        self.assertEqual(store.pairs(2), {})

    def test_a_damaged_held_out_volume_is_reported(self):
        self.train()
        description = json.loads((self.folder / "run" / "run.json").read_text())
        held = description["split"]["validation"][0]
        (self.folder / "data" / f"{held}.nii.gz").write_bytes(b"no volume")
        cards, messages = export(self.folder / "run", "tiny", self.folder / "models")
        self.assertEqual(cards[0].metrics, ())
        self.assertEqual(messages[0].code, "data")
        self.assertRegex(messages[0].text, f"{held}.nii.gz")

    def test_an_unfinished_run_is_refused(self):
        with self.assertRaises(Cancelled):
            self.train(is_cancelled=lambda: bool(self.events(kind="step")))
        with self.assertRaisesRegex(
            SuperResolutionError,
            r"is not finished \(step 11 of the stage psnr\): resume it first",
        ):
            export(self.folder / "run", "tiny", self.folder / "models")
        self.assertFalse((self.folder / "models").exists())

    def test_an_invalid_name_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "Invalid model name “a/b”"):
            export(self.folder / "run", "a/b", self.folder / "models")


if __name__ == "__main__":
    import unittest

    unittest.main()
