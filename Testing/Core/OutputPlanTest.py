"""Size, memory and time of an output, told before the work."""

import tempfile
import unittest
from types import SimpleNamespace
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from MRISuperResLib.core import output_plan
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.output_plan import OutputPlan
from MRISuperResLib.core.system import WORKER_BYTES, thread_count
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume

from made_models import write_model

BASELINE = {"between_slices": "linear", "model": "nearest"}
SCALED = st.builds(dict, scale=st.sampled_from((2, 4)), model=st.just("nearest"))


class OutputPlanTest(unittest.TestCase):
    def setUp(self):
        self.volume = Volume(np.zeros((5, 6, 7), np.int16), np.diag([1.0, 1.0, 4.0, 1.0]))

    @settings(deadline=None, max_examples=30)
    @given(
        st.tuples(*[st.integers(2, 6)] * 3),
        st.tuples(*[st.floats(0.5, 4)] * 3),
        SCALED | st.just({"isotropic": True} | BASELINE),
    )
    def test_output_has_the_planned_size_and_spacing(self, size, spacing, given_options):
        volume = Volume(np.zeros(size, np.float32), np.diag([*spacing, 1]))
        options = UpsamplingOptions(**given_options)
        plan = OutputPlan.of(volume, options, MethodRegistry(), 3)
        output = upsample_volume(volume, options)
        self.assertEqual(plan.size, output.size)
        np.testing.assert_allclose(plan.spacing, output.spacing)
        self.assertEqual(plan.output_bytes, 3 * output.array.nbytes)

    def test_memory_counts_the_copies_of_a_grid(self):
        scale = OutputPlan.of(self.volume, UpsamplingOptions("nearest", 2), MethodRegistry())
        self.assertEqual(scale.peak_bytes, (4 + 2) * self.volume.array.nbytes)
        options = UpsamplingOptions(isotropic=True, **BASELINE)
        grid = OutputPlan.of(self.volume, options, MethodRegistry())
        self.assertEqual(grid.peak_bytes, (4 + 2 + 4 * 4) * self.volume.array.nbytes)

    def test_interpolations_have_no_time(self):
        options = UpsamplingOptions(isotropic=True, **BASELINE)
        plan = OutputPlan.of(self.volume, options, MethodRegistry())
        self.assertIsNone(plan.seconds)
        self.assertTrue(plan.message().text.endswith("memory: about 1 MiB."))

    def test_time_follows_from_the_cards_of_all_networks(self):
        threads = thread_count()
        with tempfile.TemporaryDirectory() as folder:
            speed = {"seconds_per_megapixel": 1e4, "threads": 2 * threads, "processor": "a CPU"}
            write_model(folder, cpu_speed=speed)
            registry = MethodRegistry(ModelStore([folder]))
            options = UpsamplingOptions("tiny-x2-psnr", 2, device="cpu", ensemble=True)
            plan = OutputPlan.of(self.volume, options, registry, 3)
        self.assertAlmostEqual(plan.seconds, 3 * 8 * 1e4 * 2 * (210 * 4 / 1e6))
        self.assertEqual(plan.peak_bytes, (4 + 2) * self.volume.array.nbytes + WORKER_BYTES)
        self.assertIn("time: about 6 min 43 s", plan.message().text)

    def test_runs_between_slices_and_steps_of_the_adaptation_count(self):
        card = SimpleNamespace(
            cpu_speed={"seconds_per_megapixel": 1e6, "threads": 1, "processor": "a CPU"}
        )
        between = SimpleNamespace(cards=(card,), device="cpu")
        with mock.patch.object(MethodRegistry, "between_slices", return_value=between):
            for more, runs, steps in (
                ({}, 2, 0),
                ({"ensemble": True}, 8, 0),
                ({"adapt": 10}, 2, 10),
                ({"ensemble": True, "adapt": 10}, 8, 10),
            ):
                options = UpsamplingOptions(isotropic=True, **more)
                plan = OutputPlan.of(self.volume, options, MethodRegistry())
                voxels = runs * 6 * 7 * 20 + steps * 3 * 8 * 96 * 96
                self.assertAlmostEqual(plan.seconds, voxels)
            between.device = "cuda:0"
            self.assertIsNone(OutputPlan.of(self.volume, options, MethodRegistry()).seconds)

    def test_a_grid_loads_only_the_methods_that_it_needs(self):
        with (
            mock.patch.object(MethodRegistry, "get") as get,
            mock.patch.object(MethodRegistry, "between_slices") as between,
        ):
            options = UpsamplingOptions(spacing=(2.0, 2.0, 4.0))
            plan = output_plan.OutputPlan.of(self.volume, options, MethodRegistry())
        get.assert_not_called()
        between.assert_not_called()
        self.assertEqual(plan.size, (4, 3, 5))


if __name__ == "__main__":
    unittest.main()
