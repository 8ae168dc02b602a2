"""The text of a model card in the panel."""

import re
import unittest

import slicer  # noqa: F401 - first, as it loads the modules
from MRISuperResLib.core.models.card import ModelCard
from MRISuperResLib.core.models.card_figures import AUDIT_FIGURES
from MRISuperResLib.widgets.models import benefit, cardHtml

SCORES = {"psnr": 34.126, "ssim": 0.95, "rmse": 4.5}
INTERPOLATIONS = {
    name: {"psnr": psnr, "ssim": 0.9, "rmse": 6.0}
    for name, psnr in (
        ("nearest", 30.0),
        ("bilinear", 31.0),
        ("bicubic", 32.0),
        ("bicubic+bp", 33.0),
    )
}


def card(**values):
    return ModelCard(
        **{
            "name": "net-x2-psnr",
            "title": "Net",
            "scale": 2,
            "stage": "psnr",
            "sha256": "0" * 64,
            "architecture": {},
        }
        | values
    )


def rows(html):
    """Return the rows of all tables as lists of texts."""
    return [
        re.findall("<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in re.findall("<tr>(.*?)</tr>", html)
    ]


class CardTextTest(unittest.TestCase):
    def test_every_metric_has_a_table_with_one_row_per_volume_and_the_model_first(
        self,
    ):
        metrics = [
            {"data": "sub-1", "anatomy": "brain", **SCORES, "baselines": INTERPOLATIONS},
            {
                "data": "sub-2",
                "anatomy": "fetal",
                **SCORES,
                "psnr": 29.0,
                "baselines": INTERPOLATIONS,
            },
        ]
        found = rows(cardHtml(card(metrics=metrics)))
        self.assertEqual(
            found[:3],
            [
                ["", "this model", "nearest", "bilinear", "bicubic", "bicubic+bp"],
                ["sub-1", "34.13", "30.00", "31.00", "32.00", "33.00"],
                ["sub-2", "29.00", "30.00", "31.00", "32.00", "33.00"],
            ],
        )
        self.assertEqual(
            [row[1] for row in found[3:]],
            ["this model", "0.9500", "0.9500", "this model", "4.50", "4.50"],
        )

    def test_volumes_without_a_metric_have_no_row(self):
        measured = {name: scores | {"lpips": 0.2} for name, scores in INTERPOLATIONS.items()}
        metrics = [
            {"data": "sub-1", "anatomy": "brain", **SCORES, "lpips": 0.1, "baselines": measured},
            {"data": "sub-2", "anatomy": "brain", **SCORES, "baselines": INTERPOLATIONS},
        ]
        self.assertEqual(
            rows(cardHtml(card(metrics=metrics)))[-1],
            ["sub-1", "0.1000", "0.2000", "0.2000", "0.2000", "0.2000"],
        )

    def test_every_audit_has_a_table_with_the_model_before_the_baselines(self):
        found = dict.fromkeys(AUDIT_FIGURES, 1) | {
            "unfaithful": 0.25,
            "mean_contrast": 0.875,
            "min_contrast": None,
        }
        audit = [
            {
                "anatomy": anatomy,
                "volumes": ["a", "b"],
                "slices": 40,
                **found,
                "baselines": {"bicubic": found | {"unfaithful": 3.5}},
            }
            for anatomy in ("brain", "fetal")
        ]
        html = cardHtml(card(audit=audit))
        for anatomy in ("brain", "fetal"):
            self.assertIn(f"<p>Audit, {anatomy} (2 volumes, 40 slices):</p>", html)
        table = rows(html)
        self.assertIn("Unfaithful patches contradict", html)
        self.assertEqual(len(table), 2 * (1 + len(AUDIT_FIGURES)))
        self.assertEqual(
            table[:2], [["", "this model", "bicubic"], ["unfaithful patches, %", "0.25", "3.50"]]
        )
        self.assertEqual(
            table[len(AUDIT_FIGURES) - 1 : len(AUDIT_FIGURES) + 1],
            [["mean lesion contrast", "0.88", "0.88"], ["minimum lesion contrast", "–", "–"]],
        )

    def test_training_data_are_listed_with_licenses_and_sources(self):
        training = {
            "steps": 7,
            "loss": "L1",
            "degradation": "kspace",
            "data": [
                {
                    "path": "a.nii.gz",
                    "contrast": "T2w",
                    "license": "CC0",
                    "source": "somebody/data",
                    "slices": 3,
                }
            ],
        }
        text = cardHtml(card(training=training, license="MIT", made_for="gpu"))
        for part in (
            "<li>a.nii.gz, T2w, CC0, somebody/data</li>",
            "7 steps (loss: L1; degradation: kspace)",
            "net-x2-psnr; device: GPU; license: MIT",
        ):
            self.assertIn(part, text)

    def test_minimal_card_gives_its_summary_and_one_line(self):
        self.assertEqual(
            cardHtml(card()),
            "<p>Net</p><p>×2, PSNR model: faithful, smooth</p>"
            "<p>net-x2-psnr; device: CPU; license: not stated</p>",
        )

    def test_benefit_is_the_mean_gain_over_bicubic_by_anatomy(self):
        entries = [
            {"data": f"{anatomy}_{psnr}", "anatomy": anatomy, "baselines": INTERPOLATIONS}
            | SCORES
            | {"psnr": psnr}
            for anatomy, psnr in (("fetal", 33.5), ("brain", 34.0), ("brain", 36.2))
        ]
        self.assertEqual(
            benefit(card(metrics=entries)), "PSNR over bicubic: brain +3.1, fetal +1.5 dB"
        )
        self.assertEqual(benefit(card()), "")

    def test_markup_in_a_card_is_escaped(self):
        self.assertNotIn(
            "<img", cardHtml(card(license="<img src='x'>", training={"data": [{"path": "<img>"}]}))
        )

    def test_odd_training_values_are_shown(self):
        for odd in (None, 10**400, float("nan"), "{0}", "\x00", [], {"a": [{}]}, True):
            self.assertIn(
                "net-x2-psnr",
                cardHtml(
                    card(
                        training={
                            "steps": odd,
                            "loss": odd,
                            "data": [{"path": odd, "license": odd}],
                        }
                    )
                ),
            )


if __name__ == "__main__":
    unittest.main()
