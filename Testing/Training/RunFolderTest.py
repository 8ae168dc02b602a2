"""Contents of a run folder, and the start of a run."""

import dataclasses
import json
import os
import re
from pathlib import Path
from unittest import mock

import made_vgg
import numpy as np
import safetensors.torch
import torch
from made_runs import RunTest, settings
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.metrics.perceptual import FOLDERS_VARIABLE
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.models.store import write_model
from MRISuperResLib.core.networks import make_generator
from MRISuperResTrainingLib.data.sources import Source
from MRISuperResLib.core.io.atomic import atomic_file
from MRISuperResTrainingLib.options.settings import Settings
from MRISuperResTrainingLib.runs.export import export


class RunFolderTest(RunTest):
    def test_run_json_holds_what_reproduces_the_run(self):
        self.train(card={"title": "Tiny"})
        values = json.loads((self.folder / "run" / "run.json").read_text())
        self.assertEqual(Settings.from_dict(values["settings"]), settings())
        self.assertEqual(
            [Path(volume["path"]).name for volume in values["volumes"]], ["a.nii.gz", "b.nii.gz"]
        )
        self.assertTrue(
            all(re.fullmatch("[0-9a-f]{64}", volume["sha256"]) for volume in values["volumes"])
        )
        self.assertEqual(
            sorted(values["split"]["train"] + values["split"]["validation"]), ["a", "b"]
        )
        self.assertIn("torch", values["versions"])
        self.assertEqual(values["card"], {"title": "Tiny"})

    def test_best_and_last_generators_are_pairs_of_models(self):
        folder = self.train()
        store = ModelStore([folder.models])
        self.assertEqual(
            [card.name for card in store.cards(2)],
            ["psnr-best", "psnr-last", "gan-best", "gan-last"],
        )
        self.assertEqual(set(store.pairs(2)), {"best", "last"})
        for model in store.models():
            model.read_weights()

    def test_samples_hold_a_few_validation_slices(self):
        self.train()
        with np.load(self.folder / "run" / "samples.npz") as samples:
            self.assertEqual(samples["output_0"].shape, samples["high_0"].shape)
            self.assertEqual(samples["low_0"].shape, (16, 18))
            self.assertEqual(len(samples.files), 3 * 2)

    def test_a_folder_holds_one_run_only(self):
        sources = self.volumes()
        self.train(sources=sources)
        before = (self.folder / "run" / "events.jsonl").read_bytes()
        with self.assertRaisesRegex(SuperResolutionError, "already holds a run: resume it"):
            self.train(sources=sources)
        self.assertEqual((self.folder / "run" / "events.jsonl").read_bytes(), before)

    def test_without_held_out_subjects_the_last_model_counts_as_the_best(self):
        folder = self.train(data={"validation_share": 0.0})
        self.assert_same_weights(folder.weights("gan-best"), folder.weights("gan-last"))
        self.assertIn(
            "the quality on unseen subjects remains unknown",
            json.loads((folder.path / "run.json").read_text())["messages"][0]["text"],
        )
        self.assertEqual(self.events(kind="validation"), [])

    def test_unusable_volumes_are_left_out_with_a_warning(self):
        sources = self.volumes()
        broken = self.folder / "data" / "broken.nii.gz"
        broken.write_bytes(b"no volume")
        self.train(sources=[*sources, Source(str(broken), "c")])
        self.assertTrue(
            any(
                message["level"] == "warning" and "broken.nii.gz" in message["text"]
                for message in self.events(kind="start")[0]["messages"]
            )
        )
        with self.assertRaisesRegex(
            SuperResolutionError, "No usable training volumes. .*broken.nii.gz"
        ):
            self.train("other", sources=[Source(str(broken), "c")])

    def test_a_copy_of_a_training_volume_is_not_unseen(self):
        sources = self.volumes()
        copy = self.folder / "data" / "copy.nii.gz"
        copy.write_bytes(Path(sources[0].path).read_bytes())
        held_out = dataclasses.replace(sources[1], use="validation")
        train = dataclasses.replace(sources[0], use="train")
        folder = self.train(sources=[train, held_out, Source(str(copy), "c")])
        self.assertEqual([source.subject for source in folder.unseen_sources()], ["b"])

    def test_an_incomplete_write_does_not_replace_the_old_file(self):
        path = self.folder / "file"
        path.write_text("old")
        with self.assertRaises(ZeroDivisionError), atomic_file(path) as part:
            part.write_text("ne")
            raise ZeroDivisionError
        self.assertEqual(path.read_text(), "old")


class BeginningTest(RunTest):
    def test_stage_2_starts_from_the_averaged_best_generator_of_stage_1(self):
        folder = self.train(ema=0.9, gan={"steps": 1, "learning_rate": 1e-12})
        self.assert_same_weights(folder.weights("gan-last"), folder.weights("psnr-best"), 1e-9)

    def test_a_run_can_start_from_the_trunk_of_another_scale(self):
        sources = self.volumes()
        first = self.train("x2", sources, gan=None, psnr={"learning_rate": 1e-2})
        second = self.train(
            "x4",
            sources,
            scale=4,
            gan=None,
            psnr={"steps": 1, "learning_rate": 1e-12},
            start_from=str(first.path),
        )
        for name, value in first.weights("psnr-best").items():
            if name.startswith("conv_last"):
                self.assertNotEqual(second.weights("psnr-last")[name].shape, value.shape)
            else:
                torch.testing.assert_close(second.weights("psnr-last")[name], value)

    def install(self, name, architecture, scale, **card):
        """Install a model with random weights, and return them."""
        folder = self.folder / "installed"
        folder.mkdir(exist_ok=True)
        self.enterContext(mock.patch.dict(os.environ, {"MRISUPERRES_MODELS": str(folder)}))
        torch.manual_seed(7)
        net = make_generator(architecture, scale)
        for parameter in net.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        weights = net.state_dict()
        write_model(
            folder,
            safetensors.torch.save(weights),
            name=name,
            title=name,
            scale=scale,
            stage="psnr",
            architecture=architecture,
            **card,
        )
        return weights

    def start(self, start_from, sources=None, name="run", **changes):
        """Make one step that changes nothing, and return the folder of the run."""
        step = {"steps": 1, "learning_rate": 1e-12}
        return self.train(name, sources, gan=None, psnr=step, start_from=start_from, **changes)

    def test_a_run_can_start_from_an_installed_model_with_the_other_skip(self):
        architecture = {"network": "compact", "blocks": 1, "features": 8}
        weights = self.install("shipped-x2", architecture, 2)
        folder = self.start("shipped-x2", generator=architecture | {"skip": True})
        self.assert_same_weights(folder.weights("psnr-last"), weights, 1e-9)
        self.assertEqual(self.events(kind="start")[0]["messages"], [])

    def test_a_run_can_start_from_the_first_blocks_of_a_network_of_another_scale(self):
        architecture = {"network": "rrdb", "blocks": 2, "features": 8, "growth": 4}
        weights = self.install("photographs", architecture, 4)
        found = self.start("photographs", generator=architecture | {"blocks": 1})
        for name, value in found.weights("psnr-last").items():
            torch.testing.assert_close(value, weights[name], rtol=0, atol=1e-9)
        self.assertEqual(self.events(kind="start")[0]["messages"], [])

    def test_layers_that_do_not_fit_start_untrained_and_an_info_names_them(self):
        architecture = {"network": "rrdb", "blocks": 1, "features": 8, "growth": 4}
        weights = self.install("plain", architecture, 2)
        found = self.start("plain", generator=architecture | {"skip": True}, scale=4)
        self.assertLess(found.weights("psnr-last")["conv_last.weight"].abs().max(), 1e-9)
        for name in ("conv_first.weight", "conv_body.bias", "conv_up1.weight", "conv_hr.weight"):
            torch.testing.assert_close(
                found.weights("psnr-last")[name], weights[name], rtol=0, atol=1e-9
            )
        (message,) = self.events(kind="start")[0]["messages"]
        self.assertEqual(message["level"], "info")
        self.assertIn("conv_up2, conv_last", message["text"])

    def test_the_models_that_a_run_continues_are_recorded_along_the_chain(self):
        older = {"name": "photographs", "sha256": "0" * 64, "license": "Apache-2.0", "data": []}
        self.install(
            "shipped-x2",
            settings().generator,
            2,
            license="MIT",
            training={"started_from": [older], "data": [{"sha256": "1" * 64}]},
        )
        sources = self.volumes()
        first = self.start("shipped-x2", sources)
        second = self.start(str(first.path), sources, "second", scale=4)
        ancestors = second.description()["started_from"]
        self.assertEqual(ancestors[0], older)
        self.assertEqual(
            [(entry["name"], entry["license"]) for entry in ancestors],
            [("photographs", "Apache-2.0"), ("shipped-x2", "MIT"), ("run", "")],
        )
        self.assertEqual(ancestors[1]["data"], [{"sha256": "1" * 64}])
        self.assertEqual(ancestors[2]["sha256"], first.card("psnr-best").sha256)
        (card,) = export(second.path, "next", self.folder / "out", measure=False)[0]
        self.assertEqual(
            [(entry["name"], entry["data"]) for entry in card.training["started_from"]],
            [("photographs", []), ("shipped-x2", [{"sha256": "1" * 64}]), ("run", [])],
        )

    def test_a_held_out_volume_that_the_start_was_trained_on_gives_a_warning(self):
        sources = [dataclasses.replace(s, use="train") for s in self.volumes()]
        first = self.start(None, sources, data={"validation_share": 0.0})
        held_out = [sources[0], dataclasses.replace(sources[1], use="validation")]
        self.start(str(first.path), held_out, "second")
        (message,) = self.events("second", "start")[0]["messages"]
        self.assertEqual((message["level"], message["code"]), ("warning", "split"))
        self.assertIn("b.nii.gz is held out, but run", message["text"])

    def test_a_run_can_have_the_second_stage_only(self):
        sources = self.volumes()
        first = self.train("first", sources, gan=None)
        second = self.train("second", sources, psnr={"steps": 0}, start_from=str(first.path))
        self.assert_same_weights(second.weights("psnr-best"), first.weights("psnr-best"))
        self.assertEqual({event["stage"] for event in self.events("second")}, {"gan"})

    def test_an_impossible_start_is_refused_before_anything_is_written(self):
        sources = self.volumes()
        first = self.train("first", sources, gan=None)
        other = {"network": "compact", "blocks": 1, "features": 4}
        for pattern, changes in (
            ("has another architecture", {"start_from": str(first.path), "generator": other}),
            ("is not the folder of a training run", {"start_from": str(self.folder / "none")}),
            ("There is no model “none”. Installed: .*fast", {"start_from": "none"}),
            ("has another architecture", {"start_from": "fast-x2-psnr"}),
            ("needs a trained generator", {"psnr": {"steps": 0}}),
            ("Invalid generator .*network 'unet'", {"generator": {"network": "unet"}}),
            (
                "Invalid generator .*unexpected keyword",
                {"generator": {"network": "compact", "depth": 3}},
            ),
        ):
            with self.subTest(pattern), self.assertRaisesRegex(SuperResolutionError, pattern):
                self.train("second", sources, **changes)
        self.assertFalse((self.folder / "second").exists())

    def test_a_perceptual_loss_without_vgg_is_refused_with_the_source_of_the_file(
        self,
    ):
        with mock.patch.dict(os.environ, {FOLDERS_VARIABLE: str(self.folder)}):
            with self.assertRaisesRegex(
                SuperResolutionError,
                "needs the weights of VGG19, vgg19-dcbb9e9d.pth: get them from "
                "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
            ):
                self.train(gan={"perceptual_weight": 1.0})
        self.assertFalse((self.folder / "run").exists())

    def test_with_vgg_stage_2_has_a_perceptual_loss_and_is_selected_by_its_distance(self):
        with made_vgg.narrow():
            path = made_vgg.write_torchvision(
                self.folder / "vgg19.pth", "vgg19", made_vgg.random_weights("vgg19")
            )
            self.train(gan={"perceptual_weight": 1.0, "vgg": str(path)})
        step = self.events(kind="step")[-1]
        self.assertGreater(step["losses"]["perceptual"], 0)
        self.assertEqual(self.events(kind="validation")[-1]["by"], "vgg_distance")


if __name__ == "__main__":
    import unittest

    unittest.main()
