import dataclasses
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from MRISuperResLib.core.comparison.compare import compare
from MRISuperResLib.core.comparison.job import ComparisonJob
from MRISuperResLib.core.errors import MRISuperResError
from MRISuperResLib.core.files import read_volume, write_volume
from MRISuperResLib.core.methods import MethodCache
from MRISuperResLib.core.models import ModelStore
from MRISuperResTrainingLib.__main__ import main
from MRISuperResTrainingLib.core import dataset, psnr_stage
from MRISuperResTrainingLib.core.recipe import Recipe

RECIPES = Path(psnr_stage.__file__).resolve().parents[2] / "Recipes"


def tissue(seed, shape=(8, 48, 56)):
    """Blobs with sharp borders, in int16: something that a network learns to sharpen within a few steps."""
    noise = gaussian_filter(np.random.default_rng(seed).random(shape), (0, 3, 3))
    levels = np.digitize(noise, np.quantile(noise, (0.3, 0.6, 0.8)))
    return (levels * 300).astype(np.int16)


class InterruptedAt:
    """A sampler during whose n-th step the user presses Ctrl-C."""

    def __init__(self, step, sampler):
        self.step, self.sampler = step, sampler

    def __call__(self, step):
        if step == self.step:
            raise KeyboardInterrupt
        return self.sampler(step)


class StarterTrainingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        for seed, name in enumerate(("a.nii.gz", "b.nii.gz", "c.nii.gz")):
            write_volume(cls.folder / name, tissue(seed), np.diag([-1, -1, 4, 1]).astype(float), {})
        cls.values = {
            "name": "tiny", "title": "Tiny", "limits": "For tests.", "licence": "MIT",
            "architecture": {"blocks": 1, "features": 16, "growth": 8, "first_kernel": 3},
            "training": {"steps": 1000, "batch": 8, "patch": {"2": 24}, "learning_rate": 4e-3, "ema": 0.99, "seed": 3},
            "sources": [{"path": f"{s}.nii.gz", "subject": s, "anatomy": "brain", "licence": "CC0", "source": "made", "use": use}
                        for s, use in (("a", "train"), ("b", "train"), ("c", "test"))],
        }
        cls.recipe_file = cls.folder / "recipe.json"
        cls.recipe_file.write_text(json.dumps(cls.values))

    def stage(self, run, steps):
        recipe = Recipe.read(self.recipe_file)
        training = dataclasses.replace(recipe.training, steps=steps)
        volumes = [dataset.load(self.folder, source, 2) for source in recipe.of("train")]
        sampler = dataset.PatchSampler(volumes, 2, 24, training.batch, training.seed)
        return psnr_stage.PsnrStage(self.folder / run, recipe.architecture, 2, training, sampler)

    def test_a_model_is_trained_exported_and_better_than_bicubic_on_a_subject_it_has_not_seen(self):
        run, models = str(self.folder / "run"), self.folder / "models"
        self.assertEqual(main(["train", str(self.recipe_file), "--data", str(self.folder), "--scale", "2", "--run", run]), 0)
        events = [json.loads(line) for line in Path(run, "events.jsonl").read_text().splitlines()]
        self.assertLess(events[-1]["l1"], events[0]["l1"])
        self.assertEqual(main(["export", run, "--name", "tiny-x2", "--to", str(models), "--data", str(self.folder)]), 0)

        card = ModelStore([models]).card("tiny-x2")
        self.assertEqual([file["subject"] for file in card.training["data"]], ["a", "b"])
        self.assertEqual(card.spacing_range, [2.0, 2.0])
        methods = MethodCache(ModelStore([models]))
        volume = read_volume(self.folder / "c.nii.gz")
        table = compare(volume.array, volume.ijk_to_ras, ComparisonJob(("tiny-x2", "bicubic"), 2, device="cpu"), methods).table
        network, bicubic = (table.volume_psnr(method) for method in ("tiny-x2", "bicubic"))
        self.assertGreater(network, bicubic)
        figures = card.metrics[0]
        self.assertEqual(figures["data"], "c")
        self.assertAlmostEqual(figures["psnr"], network, places=2)
        self.assertAlmostEqual(figures["bicubic_psnr"], bicubic, places=2)

    def test_a_run_that_was_interrupted_ends_with_the_same_weights(self):
        undisturbed = self.stage("undisturbed", 20).train()
        first = self.stage("interrupted", 20)
        with mock.patch.object(first, "sampler", InterruptedAt(11, first.sampler)), mock.patch.object(psnr_stage, "SAVE_EVERY", 11):
            with self.assertRaises(KeyboardInterrupt):
                first.train()
        resumed = self.stage("interrupted", 20)
        self.assertEqual(resumed.step, 11)
        for name, value in resumed.train().items():
            torch.testing.assert_close(value, undisturbed[name], rtol=0, atol=0)

    def test_the_batch_of_a_step_depends_on_the_seed_and_the_step_only(self):
        sampler = self.stage("sampler", 1).sampler
        low, high = sampler(7)
        self.assertEqual((low.shape, high.shape), ((8, 1, 12, 12), (8, 1, 24, 24)))
        sampler(8)
        np.testing.assert_array_equal(sampler(7)[0], low)
        self.assertFalse(np.array_equal(sampler(8)[0], low))

    def test_a_patch_pair_shows_the_same_place(self):
        from MRISuperResLib.core import resample

        low, high = self.stage("pairs", 1).sampler(0)
        shrunk = resample.degrade(high, 2)
        # away from the patch's edges, where the slice went on and the patch does not
        np.testing.assert_allclose(low[..., 2:-2, 2:-2], shrunk[..., 2:-2, 2:-2], atol=1e-5)

    def test_empty_slices_are_left_out_and_counted(self):
        volume = tissue(5)
        volume[:3] = 0
        write_volume(self.folder / "half.nii.gz", volume, np.diag([-1, -1, 4, 1]).astype(float), {})
        source = dataclasses.replace(Recipe.read(self.recipe_file).of("train")[0], path="half.nii.gz")
        pairs = dataset.load(self.folder, source, 2)
        self.assertEqual((len(pairs.high), pairs.left_out), (5, 3))

    def test_a_subject_on_both_sides_of_the_split_is_refused(self):
        values = json.loads(json.dumps(self.values))
        values["sources"][2]["subject"] = "a"
        file = self.folder / "leak.json"
        file.write_text(json.dumps(values))
        with self.assertRaisesRegex(MRISuperResError, "a would be trained on and tested on"):
            Recipe.read(file)

    def test_what_is_no_recipe_is_refused_with_a_sentence(self):
        for text in ("", "[]", "{}", '{"name": 1}'):
            with self.subTest(text):
                file = self.folder / "bad.json"
                file.write_text(text)
                self.assertEqual(main(["train", str(file), "--data", ".", "--scale", "2", "--run", str(self.folder / "none")]), 2)

    def test_an_unfinished_run_is_not_exported(self):
        run = self.folder / "unfinished"
        run.mkdir()
        (run / "run.json").write_text(json.dumps({"recipe": dataclasses.asdict(Recipe.read(self.recipe_file)), "scale": 2, "data": [], "start_from": None, "versions": {}}))
        self.assertEqual(main(["export", str(run), "--name", "x", "--to", str(self.folder / "nothing"), "--data", str(self.folder)]), 2)
        self.assertFalse((self.folder / "nothing").exists())

    def test_the_starter_recipe_can_be_read_and_never_trains_on_evaluation_data(self):
        recipe = Recipe.read(RECIPES / "starter.json")
        self.assertTrue(recipe.of("train"))
        self.assertFalse([s.path for s in recipe.of("train") if s.path.startswith("evaluation/")])

    def test_the_learning_rate_warms_up_and_falls_to_zero(self):
        rates = [psnr_stage.learning_rate(step, 1000, 1.0) for step in (0, 20, 510, 999)]
        self.assertEqual(rates[1], 1.0)
        self.assertLess(rates[0], 0.1)
        self.assertAlmostEqual(rates[2], 0.5, places=2)
        self.assertLess(rates[3], 1e-5)


if __name__ == "__main__":
    unittest.main()
