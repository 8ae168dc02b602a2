"""Outputs of a network between slices that is adapted to the volume: nodes, estimates, refusals."""

import importlib.util
import json
import unittest

import slicer
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.provenance import describe_adaptation
from MRISuperResLib.scene.descriptions import _duration, describeEstimate
from MRISuperResLib.scene.output_names import outputDescription
from MRISuperResLib.scene.speeds import SETTING, SpeedMeter, estimateSeconds
from MRISuperResLib.scene.tasks import Task, TaskState
from MRISuperResLib.scene.upsampling import SequenceUpsampling, VolumeUpsampling

from adaptation_helpers import NAME, THICK, install_network, make_thick_volume
from scene_helpers import WorkerDouble
from sequence_helpers import make_sequence

STEPS = 3
RECORD = {
    "model": {"name": NAME},
    "notice": "not for diagnosis",
    "options": {},
    "factors": [1, 1, 4],
    "adaptation": {"steps": 300, "seed": 0, "held_out_gain_db": 0.321, "used": True},
}


def options(**changes):
    values = {"isotropic": True, "between_slices": NAME, "device": "cpu", "adapt": STEPS}
    return UpsamplingOptions(**{**values, **changes})


class DescriptionTest(unittest.TestCase):
    def test_description_has_the_gain_of_the_adaptation(self):
        text = outputDescription("T2", RECORD)
        self.assertIn("isotropic of “T2”", text)
        self.assertTrue(text.endswith("in 300 steps: +0.32 dB PSNR on its held-out slices."), text)

    def test_description_says_that_an_adaptation_without_gain_was_not_used(self):
        failed = RECORD["adaptation"] | {"used": False, "held_out_gain_db": -0.1}
        text = outputDescription("T2", RECORD | {"adaptation": failed})
        self.assertIn("(-0.10 dB PSNR); the original network was used.", text)

    def test_other_outputs_have_no_word_on_it(self):
        record = {key: value for key, value in RECORD.items() if key != "adaptation"}
        self.assertTrue(outputDescription("T2", record).endswith("not for diagnosis."))


@unittest.skipIf(importlib.util.find_spec("torch") is None, "torch is not installed")
class AdaptedOutputsTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        slicer.app.userSettings().remove(SETTING)
        install_network(self)

    def test_output_is_that_of_the_adapted_network_and_says_so(self):
        worker = WorkerDouble()
        task = Task(worker, make_thick_volume(), VolumeUpsampling(options()))
        self.assertEqual((worker.request["options"]["adapt"], task.isRunning), (STEPS, True))
        worker.finish()
        self.assertIs(task.state, TaskState.FINISHED, task.message)
        record = json.loads(task.result.GetAttribute("MRISuperRes.Provenance"))
        self.assertEqual(record["adaptation"]["steps"], STEPS)
        text = describe_adaptation(record["adaptation"])
        self.assertIn(text, task.result.GetDescription())
        self.assertIn(text, [message.text for message in task.messages])

    def test_speed_of_a_run_with_a_training_is_not_remembered(self):
        for adapt, isRemembered in ((STEPS, False), (0, True)):
            worker, settings = WorkerDouble(), options(adapt=adapt)
            meter = SpeedMeter(settings, isCold=False)
            Task(worker, make_thick_volume(), VolumeUpsampling(settings, meter=meter))
            worker.progress(7, 7)  # 2 slices/s
            worker.finish()
            self.assertEqual(slicer.app.userSettings().value(SETTING) is not None, isRemembered)

    def test_sequence_is_refused_before_the_work(self):
        sequence, worker = make_sequence(3, ijk_to_ras=THICK), WorkerDouble()
        before = slicer.mrmlScene.GetNumberOfNodes()
        with self.assertRaisesRegex(SuperResolutionError, "this sequence has 3 frames"):
            Task(worker, sequence, SequenceUpsampling(options()))
        self.assertEqual((worker.request, slicer.mrmlScene.GetNumberOfNodes()), (None, before))


@unittest.skipIf(importlib.util.find_spec("torch") is None, "torch is not installed")
class EstimateTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        slicer.app.userSettings().remove(SETTING)
        install_network(self)
        self.card = ModelStore().model(NAME).card

    def line(self, nodes, **changes):
        return describeEstimate(nodes, options(**changes), None, self.card)[0]

    def seconds(self, megapixels):
        return estimateSeconds([(self.card, megapixels)], options(adapt=0), False)

    def test_time_of_the_adaptation_is_in_the_estimate_once_per_volume(self):
        volumes = [make_thick_volume(), make_thick_volume("T1")]
        for nodes in (volumes[:1], volumes):
            voxels = len(nodes) * 32 * 36 * 24 / 1e6
            training = len(nodes) * 300 * 3 * 8 * 96**2 / 1e6
            expected = _duration(*self.seconds(2 * voxels + training))
            self.assertTrue(self.line(nodes, adapt=300).endswith(f"about {expected}"))
            self.assertTrue(
                self.line(nodes, adapt=300, uncertainty=True).endswith(
                    f"about {_duration(*self.seconds(8 * voxels + training))}"
                )
            )
        self.assertNotEqual(self.line(volumes, adapt=300), self.line(volumes, adapt=0))

    def test_output_without_more_slices_needs_no_time_for_it(self):
        volume = make_thick_volume()
        self.assertIn("about", self.line([volume], adapt=300))
        spaced = {"isotropic": False, "spacing": (0.5, 0.5, 4)}
        self.assertNotIn("about", self.line([volume], adapt=300, **spaced))


if __name__ == "__main__":
    unittest.main()
