"""Models between slices beside those of a scale: cards, lists, and what they are not used for."""

import json
import tempfile
import unittest
from pathlib import Path

from made_models import write_model
from MRISuperResLib.cli.models import description, table
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.methods.registry import MethodRegistry, default_comparison_methods
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.options import UpsamplingOptions

ARCHITECTURE = {"network": "through-plane", "blocks": 1, "features": 8}


def scores(psnr):
    return {"psnr": psnr, "ssim": 0.9, "rmse": 8.0}


def entry(psnr, baseline, name="bspline", anatomy="brain"):
    return {"data": "p", "anatomy": anatomy, **scores(psnr), "baselines": {name: scores(baseline)}}


class ThroughPlaneCardTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.store = ModelStore([self.folder])

    def write(self, name="between", **card):
        write_model(self.folder, name, scale=8, architecture=ARCHITECTURE, **card)

    def test_the_summary_states_the_gain_over_splines_and_no_fixed_factor(self):
        self.write(
            anatomy=["brain"],
            spacing_range=[0.5, 1],
            metrics=[entry(31.0, 29.5), entry(30.0, 29.9), entry(28.0, 28.5, anatomy="fetal")],
        )
        card = self.store.model("between").card
        self.assertEqual(card.gains()["fetal"], [-0.5])
        lines = card.summary().splitlines()
        self.assertEqual(lines[1], "Between slices, up to ×8; trained on brain MRI")
        self.assertIn("In-plane spacing of training: 0.5–1 mm", lines)
        self.assertIn("Held-out brain volumes (2): PSNR +0.1 to +1.5 dB over bspline", lines)

    def test_spacings_of_the_training_are_those_of_the_slices_themselves(self):
        data = [{"anatomy": "brain", "spacing": [0.5, 0.75]}]
        self.write(training={"data": data})
        write_model(self.folder, "in-plane", scale=4, training={"data": data})
        found = [
            self.store.model(name).card.training_spacings()["brain"]
            for name in ("between", "in-plane")
        ]
        self.assertEqual(found, [[(0.5, 0.75)], [(2.0, 3.0)]])

    def test_scores_without_the_baseline_of_the_card_are_refused(self):
        self.write()
        write_model(self.folder, "in-plane", scale=8)
        for name, baseline in (("between", "bicubic"), ("in-plane", "bspline")):
            path = self.folder / f"{name}.json"
            values = json.loads(path.read_text()) | {"metrics": [entry(30, 29, baseline)]}
            path.write_text(json.dumps(values))
            with self.assertRaisesRegex(SuperResolutionError, "must have the baseline"):
                self.store.model(name)

    def test_lists_name_models_and_interpolations_between_slices_as_such(self):
        self.write()
        lines = {line.split()[0]: line for line in table(self.store).splitlines()}
        self.assertRegex(lines["between"], "up to ×8 +between slices")
        self.assertRegex(lines["fourier"], "up to ×8 .*between slices, without learning")
        self.assertIn("Between slices, up to ×8", description("between", self.store))
        self.assertIn("between slices", description("linear", self.store))

    def test_no_scale_offers_a_model_between_slices(self):
        self.write()
        self.assertEqual(self.store.cards(8), [])
        self.assertNotIn("between", default_comparison_methods(8, self.store))
        with self.assertRaisesRegex(SuperResolutionError, r"No model for ×8.*between \(up to ×8\)"):
            self.store.default_model(8)
        with self.assertRaisesRegex(SuperResolutionError, "upsamples between slices"):
            MethodRegistry(self.store).get(UpsamplingOptions("between", 8, device="cpu"))


if __name__ == "__main__":
    unittest.main()
