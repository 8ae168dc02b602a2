"""A run teaches the next estimate how fast this computer is."""

import json
import math
import unittest
from dataclasses import replace
from unittest import mock

import slicer
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.progress import Progress
from MRISuperResLib.scene import speeds
from MRISuperResLib.scene.speeds import SETTING, START_SECONDS, SpeedMeter, estimateSeconds
from MRISuperResLib.scene.tasks import Task
from MRISuperResLib.scene.upsampling import SequenceUpsampling, VolumeUpsampling
from scene_helpers import WorkerDouble, make_volume
from sequence_helpers import make_sequence

OPTIONS = UpsamplingOptions(model="fast-x2-psnr", scale=2, device="cpu")
MEGAPIXELS = 4 * 5 * 6 * 7 / 1e6
"""Size of the output of `make_volume`."""


class Clock:
    time = 100.0

    def __call__(self):
        return self.time


class SpeedsTestCase(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        slicer.app.userSettings().remove(SETTING)
        self.store = ModelStore()

    def card(self, name="fast-x2-psnr"):
        return self.store.model(name).card

    def measure(self, seconds, name="fast-x2-psnr", megapixels=1.0, isCold=False, **options):
        """Remember a run, whose worker started within 3 s if it is cold."""
        clock = Clock()
        meter = SpeedMeter(replace(OPTIONS, **options), isCold, clock)
        clock.time += 3
        meter.update(Progress(0, 10))
        meter.update(Progress(10, 10, 10 / seconds, 0))
        meter.remember(name, round(megapixels * 1e6))

    def estimate(self, megapixels=1.0, name="fast-x2-psnr", isCold=False, **options):
        return estimateSeconds([(self.card(name), megapixels)], replace(OPTIONS, **options), isCold)


class LearningTest(SpeedsTestCase):
    def test_estimate_after_a_run_equals_its_duration(self):
        for seconds in (0.3, 7, 5000):
            self.measure(seconds, isCold=True)
            low, high = self.estimate(isCold=True)
            self.assertEqual(low, high)
            self.assertAlmostEqual(low, 3 + seconds)
            self.assertAlmostEqual(self.estimate(2)[0], 2 * seconds)

    def test_last_run_counts(self):
        self.measure(20)
        self.measure(4)
        self.assertAlmostEqual(self.estimate()[0], 4)

    @mock.patch.object(speeds, "_cardOf", lambda name: ModelStore().model("fast-x2-psnr").card)
    def test_task_over_a_volume_or_a_sequence_teaches_the_estimate(self):
        for node, strategy, megapixels in (
            (make_volume(), VolumeUpsampling, MEGAPIXELS),
            (make_sequence(3, size=(5, 6, 7)), SequenceUpsampling, 3 * MEGAPIXELS),
        ):
            slicer.app.userSettings().remove(SETTING)
            options = replace(OPTIONS, model="bicubic")  # its results need no PyTorch
            clock, worker = Clock(), WorkerDouble()
            task = Task(worker, node, strategy(options, meter=SpeedMeter(options, True, clock)))
            clock.time += 2.5
            while task.isRunning:
                worker.progress(0, 7)
                worker.progress(7, 7)  # 2 slices/s
                clock.time += 100
                worker.finish()
            parts = megapixels / MEGAPIXELS
            low, high = self.estimate(megapixels, isCold=True)
            self.assertAlmostEqual(low, 2.5 + parts * 3.5)
            self.assertEqual(low, high)

    def test_start_of_the_worker_is_remembered_and_added_when_it_does_not_run(self):
        self.measure(4)
        self.assertEqual(self.estimate(isCold=True), tuple(4 + start for start in START_SECONDS))
        self.measure(4, isCold=True)
        self.measure(4)
        self.assertEqual(self.estimate(isCold=True), (7, 7))

    def test_short_run_teaches_nothing(self):
        self.measure(0.1)
        self.assertIsNone(slicer.app.userSettings().value(SETTING))

    def test_interpolation_and_unknown_method_teach_nothing(self):
        for name in ("bicubic", "fast-x2-psnr+bp", "removed-model", "removed-pair@0.5"):
            self.measure(5, name)
        self.assertIsNone(slicer.app.userSettings().value(SETTING))


class OtherNetworksTest(SpeedsTestCase):
    def test_models_and_blends_with_the_same_network_are_equally_fast(self):
        self.measure(5, "fast-x2@0.5")
        for name in ("fast-x2-psnr", "fast-x2-gan"):
            self.assertAlmostEqual(self.estimate(name=name)[0], 5)

    def test_another_network_is_scaled_by_the_cards(self):
        card = self.card().cpu_speed["seconds_per_megapixel"]
        other = self.card("fast-x4-psnr").cpu_speed["seconds_per_megapixel"]
        self.measure(3 * card)
        self.assertAlmostEqual(self.estimate(name="fast-x4-psnr")[0], 3 * other)

    def test_other_threads_precision_and_devices_are_measured_on_their_own(self):
        unmeasured = self.estimate()
        self.measure(5, precision="half")
        self.assertEqual(self.estimate(), unmeasured)
        self.measure(5)
        self.assertEqual(self.estimate(precision="float32"), (5, 5))  # what "auto" is on a CPU
        with mock.patch.object(speeds, "thread_count", lambda: 77):
            self.assertNotEqual(*self.estimate())
        self.assertIsNone(self.estimate(device="cuda"))
        self.measure(0.5, device="cuda")
        self.assertEqual(self.estimate(device="cuda"), (0.5, 0.5))
        self.assertIsNone(self.estimate(device="cuda", name="fast-x4-psnr"))
        self.assertEqual(self.estimate(), (5, 5))

    def test_ensemble_takes_eight_times_as_long(self):
        self.measure(16, ensemble=True)
        self.assertAlmostEqual(self.estimate()[0], 2)
        self.assertAlmostEqual(self.estimate(ensemble=True)[0], 16)


class WithoutMeasurementTest(SpeedsTestCase):
    def test_range_covers_faster_and_slower_computers_than_that_of_the_card(self):
        speed = self.card().cpu_speed["seconds_per_megapixel"]
        for threads, low, high in ((1, 1 / 2, 2), (2, 1 / 2, 1), (4, 1 / 4, 1), (64, 1 / 4, 1)):
            with mock.patch.object(speeds, "thread_count", lambda threads=threads: threads):
                self.assertEqual(self.estimate(), (low * speed, high * speed))

    def test_time_is_unknown_for_a_card_without_speed(self):
        self.assertIsNone(
            estimateSeconds([(replace(self.card(), cpu_speed={}), 1)], OPTIONS, isCold=True)
        )

    def test_nonsense_in_the_settings_is_ignored_and_replaced(self):
        unmeasured = self.estimate(isCold=True)
        self.measure(5, isCold=True)
        saved = json.loads(slicer.app.userSettings().value(SETTING))
        (place,) = saved
        texts = ["", "{", "null", "[]", "5", '{"a": 1}', "[" * 10000, b"\xff", ["a"], 7]
        for wrong in (-1, 0, math.nan, math.inf, 1e300, True, None, "5", [5], {}):
            texts.append(json.dumps({place: wrong}))
            texts.append(json.dumps({place: {"networks": wrong, "relative": wrong}}))
            networks = {speeds.networkOf(self.card()): wrong}
            damaged = {"networks": networks, "relative": wrong, "start": wrong}
            texts.append(json.dumps({place: damaged}))
        for text in texts:
            slicer.app.userSettings().setValue(SETTING, text)
            self.assertEqual(self.estimate(isCold=True), unmeasured, text)
            self.measure(5, isCold=True)
            self.assertEqual(self.estimate(isCold=True), (8, 8), text)


if __name__ == "__main__":
    unittest.main()
