"""Steps of both stages, recovery from divergence, stop requests and events."""

import copy
import itertools
import json
from unittest import mock

import torch
from accelerate import Accelerator
from made_runs import RunTest, Squares, settings
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResTrainingLib.training import stage_run, trainer
from MRISuperResTrainingLib.training.losses import artifacts, discriminator_loss, mesh, r1_penalty
from MRISuperResTrainingLib.training.optimizer import learning_rate_share
from MRISuperResTrainingLib.training.stage_run import Batches
from MRISuperResTrainingLib.runs.events import EventLog
from MRISuperResTrainingLib.runs.folder import RunFolder
from torch import nn
from torch.nn import functional as F


class Edges(nn.Module):
    """In place of VGG: differences of neighboring pixels."""

    def last_convolution(self, images):
        return images[..., 1:] - images[..., :-1]


class PsnrStageTest(RunTest):
    def losses(self, stage, steps=40):
        """Of steps on one batch."""
        batch = [torch.from_numpy(a) for a in Squares(stage.settings).batch(0)]
        return [float(stage.advance(*batch)["content"]) for _ in range(steps)]

    def test_the_content_loss_falls(self):
        losses = self.losses(self.psnr_stage(settings(psnr={"learning_rate": 4e-3})))
        self.assertLess(losses[-1], 0.7 * losses[0])

    def test_micro_batches_give_the_same_weights(self):
        for fft_weight in (0.0, 0.5):
            whole, parts = (
                self.psnr_stage(settings(micro_batch=size, psnr={"fft_weight": fft_weight}))
                for size in (None, 2)
            )
            values = [self.advance(stage) for stage in (whole, parts)]
            self.assert_same_weights(whole.weights(), parts.weights(), 1e-6)
            self.assertAlmostEqual(
                float(values[0]["content"]), float(values[1]["content"]), places=6
            )
            self.assertEqual("fft" in values[0], bool(fft_weight))

    def test_kept_weights_are_the_moving_average(self):
        stage, plain = self.psnr_stage(settings(ema=0.9)), self.psnr_stage(settings(ema=0.0))
        average = plain.weights()["conv_last.weight"].clone()
        for step in range(1, 30):
            self.advance(stage, 1)
            self.advance(plain, 1)
            decay = min(0.9, step / (9 + step))
            average = decay * average + (1 - decay) * plain.weights()["conv_last.weight"]
        torch.testing.assert_close(stage.weights()["conv_last.weight"], average)
        self.assert_same_weights(stage.generator.net.state_dict(), plain.weights())

    def test_gradients_are_clipped_to_the_requested_norm(self):
        stage = self.psnr_stage(settings(clip_norm=1e-3))
        with mock.patch.object(stage.generator._optimizer, "zero_grad"):
            norm = self.advance(stage, 1)["gradient_norm"]
        self.assertGreater(float(norm), 1e-2)
        self.assertAlmostEqual(
            float(
                torch.linalg.vector_norm(
                    torch.cat([p.grad.flatten() for p in stage.generator.net.parameters()])
                )
            ),
            1e-3,
            places=6,
        )

    def test_mixed_precision_learns_and_keeps_float32_weights(self):
        stage = self.psnr_stage(settings(precision="bfloat16", psnr={"learning_rate": 4e-3}))
        seen = []
        stage.generator.net.conv_body.register_forward_hook(
            lambda module, arguments, output: seen.append(output.dtype)
        )
        losses = self.losses(stage)
        self.assertEqual(set(seen), {torch.bfloat16})
        self.assertLess(losses[-1], 0.7 * losses[0])
        self.assertEqual({value.dtype for value in stage.weights().values()}, {torch.float32})

    def test_an_unavailable_precision_is_refused(self):
        if torch.cuda.is_available():
            self.skipTest("with a GPU there is float16")
        with self.assertRaisesRegex(
            SuperResolutionError, "The precision float16 needs a GPU: choose bfloat16 or float32"
        ):
            self.accelerator(settings(precision="float16"))

    def test_the_learning_rate_follows_its_schedule(self):
        cosine = [learning_rate_share("cosine", step, 1000) for step in (0, 20, 510, 999)]
        self.assertEqual(cosine[1], 1.0)
        self.assertLess(cosine[0], 0.1)
        self.assertAlmostEqual(cosine[2], 0.5, places=2)
        self.assertLess(cosine[3], 1e-5)
        self.assertEqual(
            [learning_rate_share("halving", step, 400) for step in (0, 49, 50, 100, 200, 300, 399)],
            [1, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16],
        )
        self.assertEqual({learning_rate_share("constant", step, 10) for step in range(10)}, {1.0})


class GanStageTest(RunTest):
    def gradients_by_the_book(self, stage, low, high):
        """{name: gradient} of the generator and of the discriminator, from the formulas.

        Four passes of the discriminator, one batch, no shared graphs.
        """
        generator, discriminator, numbers = (
            stage.generator.net,
            stage.discriminator.net,
            stage.options,
        )
        fake = generator(low)
        real_judged, fake_judged = discriminator(high).detach(), discriminator(fake)
        adversarial = -torch.log(torch.sigmoid(fake_judged - real_judged.mean())).mean()
        if numbers.adversarial_terms == "both":
            adversarial = (
                adversarial - torch.log(1 - torch.sigmoid(real_judged - fake_judged.mean())).mean()
            ) / 2
        loss = numbers.adversarial_weight * adversarial + numbers.content_weight * F.l1_loss(
            fake, high
        )
        if stage.vgg:
            loss = loss + numbers.perceptual_weight * F.l1_loss(
                stage.vgg.last_convolution(fake), stage.vgg.last_convolution(high)
            )
        real_judged, fake_judged = discriminator(high), discriminator(fake.detach())
        own_loss = (
            -torch.log(torch.sigmoid(real_judged - fake_judged.mean())).mean()
            - torch.log(1 - torch.sigmoid(fake_judged - real_judged.mean())).mean()
        ) / 2
        return [
            dict(zip(names, torch.autograd.grad(value, parameters)))
            for value, (names, parameters) in (
                (loss, zip(*generator.named_parameters())),
                (
                    own_loss,
                    zip(*((n, p) for n, p in discriminator.named_parameters() if p.requires_grad)),
                ),
            )
        ]

    def test_a_step_follows_the_formulas_with_lambda_and_eta(self):
        cases = [
            (None, {"adversarial_terms": "fake", "content_weight": 1.0}),
            (None, {"adversarial_terms": "both", "adversarial_weight": 1.0}),
            (
                Edges(),
                {
                    "adversarial_terms": "fake",
                    "perceptual_weight": 1.0,
                    "content_weight": 1e-2,
                    "adversarial_weight": 5e-3,
                },
            ),
        ]
        for vgg, changes in cases:
            with self.subTest(changes):
                stage = self.gan_stage(settings(gan=changes), vgg)
                self.advance(stage, 1)  # away from the bicubic start, where most gradients are 0
                low, high = map(torch.from_numpy, Squares(stage.settings).batch(1))
                expected = self.gradients_by_the_book(stage, low, high)
                with (
                    mock.patch.object(stage.generator._optimizer, "zero_grad"),
                    mock.patch.object(stage.discriminator._optimizer, "zero_grad"),
                ):
                    stage.advance(low, high)
                for learner, gradients in zip((stage.generator, stage.discriminator), expected):
                    found = {
                        name: p.grad
                        for name, p in learner.net.named_parameters()
                        if p.requires_grad
                    }
                    self.assert_same_weights(
                        found,
                        gradients,
                        1e-5 * max(float(value.abs().max()) for value in gradients.values()),
                    )

    def test_adam_has_the_parameters_of_the_settings(self):
        stage = self.gan_stage(
            settings(
                gan={
                    "learning_rate": 1e-4,
                    "discriminator_learning_rate": 3e-4,
                    "betas": [0.5, 0.9],
                    "schedule": "halving",
                    "steps": 8,
                }
            )
        )
        self.advance(stage, 3)
        for learner, rate in ((stage.generator, 1e-4), (stage.discriminator, 3e-4)):
            group = learner.state()["optimizer"]["param_groups"][0]
            self.assertEqual(
                (group["lr"], group["betas"], group["weight_decay"]), (rate / 4, (0.5, 0.9), 0)
            )

    def test_the_discriminator_sees_reference_and_output_once_each(self):
        stage = self.gan_stage(settings())
        seen = []
        stage.discriminator.net.register_forward_hook(
            lambda module, arguments, output: seen.append(arguments[0].detach().clone())
        )
        low, high = map(torch.from_numpy, Squares(stage.settings).batch(0))
        with torch.no_grad():
            fake = stage.generator.net(low)
        stage.advance(low, high)
        self.assertEqual(len(seen), 2)
        torch.testing.assert_close(seen[0], high)
        torch.testing.assert_close(seen[1], fake)

    def test_micro_batches_give_the_same_weights_of_both_networks(self):
        for changes in (
            {"adversarial_weight": 0.1},
            {"discriminator": "unet", "artifact_weight": 1.0, "r1_weight": 10.0},
        ):
            with self.subTest(changes):
                whole, parts = (
                    self.gan_stage(settings(micro_batch=size, ema=0.9, gan=changes))
                    for size in (None, 1)
                )
                widths = []
                parts.generator.net.register_forward_hook(
                    lambda module, arguments, output: widths.append(len(output))
                )
                for stage in (whole, parts):
                    self.advance(stage, 2)
                self.assertEqual(set(widths), {1})
                self.assert_same_weights(whole.weights(), parts.weights(), 1e-5)
                self.assert_same_weights(
                    whole.discriminator.net.state_dict(), parts.discriminator.net.state_dict(), 1e-4
                )

    def test_lambda_rises_in_the_warm_up(self):
        weights = {"content_weight": 0.0, "adversarial_weight": 1.0, "learning_rate": 1e-12}
        norms = [
            [
                float(self.advance(stage, 1)["gradient_norm"])
                for stage in [self.gan_stage(settings(gan=weights | changes))]
                for _ in range(5)
            ]
            for changes in ({}, {"adversarial_warm_up": 4})
        ]
        for step, share in enumerate((1 / 4, 2 / 4, 3 / 4, 1, 1)):
            self.assertAlmostEqual(norms[1][step] / norms[0][step], share, places=3)

    def test_the_slope_is_penalized_every_few_steps_with_the_weight_of_all_of_them(self):
        weight, every = 50.0, 2
        changes = {"discriminator": "unet", "r1_weight": weight, "r1_every": every}
        stage = self.gan_stage(settings(gan=changes))
        for step in range(3):
            low, high = map(torch.from_numpy, Squares(stage.settings).batch(step))
            discriminator = copy.deepcopy(stage.discriminator.net)
            with torch.no_grad():
                fake = stage.generator.net(low)
            real = high.clone().requires_grad_()
            real_logits, fake_logits = discriminator(real), discriminator(fake)
            loss = discriminator_loss(real_logits, fake_logits)
            penalty = r1_penalty(real, real_logits)
            if step % every == 0:
                loss = loss + every * weight / 2 * penalty
            loss.backward()
            with mock.patch.object(stage.discriminator._optimizer, "zero_grad"):
                values = stage.advance(low, high)
            self.assertEqual("r1" in values, step % every == 0)
            self.assertAlmostEqual(
                float(values.get("r1", penalty)), float(penalty), delta=1e-6 * float(penalty)
            )
            for (name, found), expected in zip(
                stage.discriminator.net.named_parameters(), discriminator.parameters()
            ):
                if found.requires_grad:
                    torch.testing.assert_close(
                        found.grad,
                        expected.grad,
                        rtol=1e-3,
                        atol=1e-5,
                        msg=lambda text: f"{name}: {text}",
                    )
            stage.discriminator._optimizer.zero_grad()

    def test_artifacts_are_found_with_the_moving_average_of_the_generator(self):
        changes = {"artifact_weight": 3.0, "content_weight": 0.0, "adversarial_weight": 0.0}
        stage = self.gan_stage(settings(ema=0.9, gan=changes))
        generator = stage.generator.net
        torch.nn.init.normal_(generator.conv_last.weight, std=0.1)
        for step in range(3):
            low, high = map(torch.from_numpy, Squares(stage.settings).batch(step))
            averaged = copy.deepcopy(generator)
            averaged.load_state_dict(stage.weights())
            fake = generator(low)
            loss = artifacts(fake, high, averaged(low).detach())
            gradients = torch.autograd.grad(3 * loss, list(generator.parameters()))
            norm = torch.stack([value.norm() for value in gradients]).norm()
            values = stage.advance(low, high)
            self.assertAlmostEqual(float(values["artifacts"]), float(loss.detach()), places=7)
            torch.testing.assert_close(values["gradient_norm"], norm, rtol=1e-3, atol=1e-7)

    def test_the_mesh_is_minimized_with_its_weight(self):
        changes = {"mesh_weight": 2.0, "content_weight": 0.0, "adversarial_weight": 0.0}
        stage = self.gan_stage(settings(gan=changes))
        generator = stage.generator.net
        torch.nn.init.normal_(generator.conv_last.weight, std=0.1)
        low, high = map(torch.from_numpy, Squares(stage.settings).batch(0))
        loss = mesh(generator(low), high, stage.settings.scale)
        gradients = torch.autograd.grad(2 * loss, list(generator.parameters()))
        norm = torch.stack([value.norm() for value in gradients]).norm()
        values = stage.advance(low, high)
        self.assertAlmostEqual(float(values["mesh"]), float(loss.detach()), places=7)
        torch.testing.assert_close(values["gradient_norm"], norm, rtol=1e-3, atol=1e-7)

    def test_a_gan_step_reports_all_losses_and_norms(self):
        values = self.advance(self.gan_stage(settings(gan={"perceptual_weight": 1.0}), Edges()), 1)
        self.assertEqual(
            set(values),
            {
                "content",
                "perceptual",
                "adversarial",
                "discriminator",
                "real",
                "fake",
                "gradient_norm",
                "discriminator_gradient_norm",
            },
        )


class LossScalingTest(RunTest):
    """float16 needs a GPU; its loss scaling does not."""

    def stage(self, scale, weight=0.1):
        used = settings(gan={"adversarial_weight": weight})
        accelerator = self.accelerator(used)
        self.enterContext(mock.patch.object(Accelerator, "mixed_precision", "fp16"))
        accelerator.native_amp, accelerator.scaler = (
            scale is not None,
            scale and torch.amp.GradScaler("cpu", init_scale=scale),
        )
        with mock.patch.object(self, "accelerator", lambda settings: accelerator):
            return self.gan_stage(used)

    def test_the_scale_of_the_losses_changes_no_step(self):
        one, other = self.stage(2.0), self.stage(2.0**20)
        for stage in (one, other):
            self.advance(stage)
        self.assert_same_weights(one.weights(), other.weights(), 1e-7)

    def test_overflowing_gradients_leave_the_weights_and_halve_the_scale(self):
        stage = self.stage(2.0**127, weight=1000.0)
        before = {name: value.clone() for name, value in stage.weights().items()}
        values = self.advance(stage, 1)
        self.assert_same_weights(stage.weights(), before)
        self.assertEqual(float(values["gradient_norm"]), 0)
        self.assertLess(stage.accelerator.scaler.get_scale(), 2.0**127)
        self.assertGreater(float(self.advance(stage, 20)["gradient_norm"]), 0)
        self.assertEqual(stage.state()["scaler"]["scale"], stage.accelerator.scaler.get_scale())


class NanGuardTest(RunTest):
    def run_stage(self, nan_at, steps=30, **changes):
        """Runs a PSNR stage whose sampler gives NaN; returns it."""
        used = settings(psnr={"steps": steps}, gan=None, **changes)
        stage = self.psnr_stage(used)
        folder = RunFolder(self.folder / "run")
        folder.make()
        folder.describe({"settings": used.to_dict()})
        log = EventLog(folder.path)
        self.addCleanup(log.close)
        batches = Batches(Squares(used, nan_at), stage.accelerator)
        self.addCleanup(batches.close)
        stage_run.StageRun(stage, batches, None, folder, log, lambda: False).run()
        return stage

    def test_a_diverged_stage_returns_to_its_last_checkpoint_with_a_warning(self):
        stage = self.run_stage({17: 1}, checkpoint_every=5)
        self.assertEqual((stage.step, stage.rate_factor), (30, 0.5))
        diverged = self.events(kind="nan")
        self.assertEqual([(event["step"], event["back_to"]) for event in diverged], [(20, 15)])
        self.assertEqual(
            diverged[0]["messages"],
            [
                {
                    "level": "warning",
                    "code": "training",
                    "text": "Training diverged before step 20: continued from step 15 with 0.5 of "
                    "the learning rate.",
                }
            ],
        )
        self.assertTrue(all(torch.isfinite(value).all() for value in stage.weights().values()))
        rates = {event["step"]: event["learning_rate"] for event in self.events(kind="step")}
        self.assertEqual(rates[30] / rates[15], 0.5)

    def test_before_the_first_checkpoint_a_diverged_stage_starts_again(self):
        self.assertEqual(self.run_stage({3: 1}, checkpoint_every=100).step, 30)
        self.assertEqual(self.events(kind="nan")[0]["back_to"], 0)

    def test_repeated_divergence_ends_the_run(self):
        with self.assertRaisesRegex(
            SuperResolutionError,
            r"diverged 6 times \(last before step 10 of the stage psnr\): "
            "train again with a smaller learning rate",
        ):
            self.run_stage({7: 100})

    def test_non_finite_weights_are_never_written(self):
        with self.assertRaises(SuperResolutionError):
            self.run_stage({7: 100}, checkpoint_every=4)
        weights = RunFolder(self.folder / "run").weights("psnr-last")
        self.assertTrue(all(torch.isfinite(value).all() for value in weights.values()))

    def test_out_of_memory_names_a_smaller_micro_batch(self):
        with mock.patch(
            "MRISuperResTrainingLib.training.stages.PsnrStage.update",
            side_effect=torch.OutOfMemoryError("CUDA out of memory"),
        ):
            with self.assertRaisesRegex(
                SuperResolutionError,
                r"Out of memory on cpu with 4 patches at a time: "
                "choose a smaller “micro_batch”, for example 2",
            ) as caught:
                self.run_stage({})
        self.assertEqual(caught.exception.kind, "memory")


class StopTest(RunTest):
    def test_a_cancelled_run_has_a_checkpoint_of_that_step(self):
        steps = []

        def on_event(event):
            if event["event"] == "step":
                steps.append(event["step"])

        with self.assertRaises(Cancelled):
            self.train(on_event=on_event, is_cancelled=lambda: bool(steps))
        self.assertEqual(RunFolder(self.folder / "run").checkpoint()["step"], 11)
        self.assertEqual(
            [event["event"] for event in self.events()[-2:]], ["checkpoint", "stopped"]
        )
        self.assertFalse((self.folder / "run" / "process.json").exists())

    def test_a_run_can_be_stopped_by_another_process(self):
        from MRISuperResTrainingLib.runs import lock

        with self.assertRaises(Cancelled):
            self.train(
                on_event=lambda event: (
                    lock.request_stop(self.folder / "run") if event["event"] == "step" else None
                )
            )
        self.assertEqual(self.events()[-1]["event"], "stopped")


class ConvolutionsTest(RunTest):
    def test_convolutions_on_a_gpu_are_deterministic(self):
        seen = []

        def look(event):
            seen.append((torch.backends.cudnn.enabled, torch.backends.cudnn.deterministic))

        self.train(on_event=look, gan=None, psnr={"steps": 2})
        self.assertEqual(set(seen), {(True, True)})


class ProgressTest(RunTest):
    def test_progress_counts_the_steps_of_both_stages(self):
        reports = []
        trainer.train(settings(), self.volumes(), self.folder / "run", on_progress=reports.append)
        self.assertEqual(
            [(report.done, report.total) for report in reports],
            [(0, 24), (10, 24), (20, 24), (24, 24), (24, 24)],
        )
        self.assertIsNone(reports[1].remaining)
        self.assertEqual(reports[3].remaining, 0)
        self.assertGreater(reports[3].rate, 0)


class EventsTest(RunTest):
    def test_every_event_is_a_line_and_reaches_the_listener(self):
        heard = []
        self.train(on_event=heard.append)
        lines = [
            json.loads(line)
            for line in (self.folder / "run" / "events.jsonl").read_text().splitlines()
        ]
        self.assertEqual(lines, heard)
        self.assertEqual(
            [(e["event"], e["stage"], e["step"]) for e in heard],
            [
                ("start", "psnr", 0),
                ("stage", "psnr", 0),
                ("checkpoint", "psnr", 0),
                ("step", "psnr", 10),
                ("checkpoint", "psnr", 10),
                ("step", "psnr", 20),
                ("validation", "psnr", 20),
                ("checkpoint", "psnr", 20),
                ("stage", "gan", 0),
                ("validation", "gan", 0),
                ("checkpoint", "gan", 0),
                ("step", "gan", 4),
                ("validation", "gan", 4),
                ("checkpoint", "gan", 4),
                ("end", "gan", 4),
            ],
        )
        self.assertLessEqual(
            {"steps", "losses", "learning_rate", "rate", "remaining", "time"}, set(heard[3])
        )

    def test_the_rate_counts_steps_and_the_remaining_time_counts_validations_too(self):
        times = itertools.count()
        with (
            mock.patch.object(stage_run.time, "monotonic", lambda: float(next(times))),
            mock.patch.object(
                stage_run.StageRun, "_validate", lambda run, **_: [next(times) for _ in range(500)]
            ),
        ):
            self.train(gan=None, psnr={"steps": 40})
        told = self.events(kind="step")
        self.assertTrue(all(event["rate"] > 1 for event in told))
        self.assertGreater(told[2]["remaining"], 100)
        self.assertEqual(told[-1]["remaining"], 0)

    def test_tensorboard_gets_the_same_numbers(self):
        try:
            from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        except ImportError:
            self.skipTest("tensorboard is not installed")
        self.train(gan=None)
        board = EventAccumulator(str(self.folder / "run" / "tensorboard"))
        board.Reload()
        told = [(event["step"], event["losses"]["content"]) for event in self.events(kind="step")]
        self.assertEqual(
            [scalar.step for scalar in board.Scalars("psnr/content")], [step for step, _ in told]
        )
        for scalar, (_, value) in zip(board.Scalars("psnr/content"), told):
            self.assertAlmostEqual(scalar.value, value, places=6)
        self.assertIn("psnr/psnr", board.Tags()["scalars"])

    def test_training_works_without_tensorboard(self):
        with mock.patch.dict("sys.modules", {"torch.utils.tensorboard": None}):
            self.train(gan=None)
        self.assertFalse((self.folder / "run" / "tensorboard").exists())


if __name__ == "__main__":
    import unittest

    unittest.main()
