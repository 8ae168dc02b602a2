"""The list of models and its blend slider; the models have cards only."""

import unittest
from types import SimpleNamespace

import ctk
import qt
from MRISuperResLib.widgets.models import ModelSelector


def card(name, pair="", stage="psnr"):
    title = name.replace("-", " ").title()
    return SimpleNamespace(
        name=name,
        title=title,
        pair=pair,
        stage=stage,
        made_for="cpu",
        license=f"license of {title}",
        training={},
        audit=[],
        is_through_plane=False,
        limits=f"limits of {title}",
        metrics=(),
        gains=dict,
        metric_tables=list,
        audit_tables=list,
        summary=lambda: f"{title}\n<b>",
    )


class StoreDouble:
    """Models: a pair and a single one for ×2, none for ×4."""

    def cards(self, scale):
        return (
            [card("net-psnr", "net"), card("other"), card("net-gan", "net", "gan")]
            if scale == 2
            else []
        )

    def pairs(self, scale):
        return {"net": (card("net-psnr"), card("net-gan"))} if scale == 2 else {}

    def default_model(self, scale, kind):
        return SimpleNamespace(name={"cpu": "net-psnr", "gpu": "other"}[kind])


class ModelSelectorTest(unittest.TestCase):
    def setUp(self):
        self.box, self.summary, self.label, self.slider = (
            qt.QComboBox(),
            qt.QLabel(),
            qt.QLabel(),
            ctk.ctkSliderWidget(),
        )
        self.card, self.section = qt.QLabel(), ctk.ctkCollapsibleButton()
        self.slider.decimals, self.slider.singleStep, self.slider.maximum = 2, 0.05, 1.0
        self.chosen = []
        self.selector = ModelSelector(
            self.box,
            (self.summary, self.card, self.section),
            (self.label, self.slider),
            self.chosen.append,
            StoreDouble(),
        )
        self.selector.show(2, "", "cpu")

    def choose(self, data):
        self.box.setCurrentIndex(self.box.findData(data))

    def assert_shown(self, name, alpha):
        """Check method name and slider; alpha None: the slider is hidden."""
        self.assertEqual(self.selector.name, name)
        self.assertEqual(None if self.slider.isHidden() else self.slider.value, alpha)
        self.assertEqual(self.label.isHidden(), self.slider.isHidden())

    def test_blend_is_listed_between_models_and_interpolations(self):
        names = [self.box.itemData(n) for n in range(self.box.count)]
        self.assertEqual(
            names, ["net-psnr", "other", "net-gan", "net@", "nearest", "bilinear", "bicubic"]
        )

    def test_models_of_a_pair_have_different_texts(self):
        self.assertEqual(
            [self.box.itemText(n) for n in range(3)],
            ["Net Psnr: PSNR model", "Other: PSNR model", "Net Gan: GAN model"],
        )

    def test_markup_in_a_card_is_escaped(self):
        self.assertEqual(self.summary.textFormat, qt.Qt.PlainText)
        self.choose("other")
        self.assertIn("&lt;b&gt;", self.card.text)

    def test_model_without_figures_is_described_by_its_limits(self):
        self.choose("other")
        self.assertEqual(self.summary.text, "limits of Other")

    def test_slider_is_visible_for_models_of_a_pair_only(self):
        self.assert_shown("net-psnr", 0.0)
        self.choose("net-gan")
        self.assert_shown("net-gan", 1.0)
        for name in ("other", "bicubic"):
            self.choose(name)
            self.assert_shown(name, None)

    def test_moving_the_slider_selects_the_blend(self):
        self.choose("net-gan")
        self.slider.value = 0.35
        self.assert_shown("net@0.35", 0.35)
        self.assertEqual((self.box.currentData, self.chosen), ("net@", ["net-gan", "net@0.35"]))
        self.assertIn("Blend", self.summary.text)

    def test_selected_blend_starts_at_the_slider_position(self):
        self.slider.value = 0.5
        self.choose("net-psnr")
        self.assert_shown("net-psnr", 0.0)
        self.choose("net@")
        self.assert_shown("net@0", 0.0)
        self.slider.value = 0.25
        self.assertEqual(self.chosen[-1], "net@0.25")

    def test_saved_blend_is_shown_without_a_callback(self):
        self.selector.show(2, "net@0.7", "cpu")
        self.assert_shown("net@0.7", 0.7)
        self.assertEqual(self.chosen, [])

    def test_unknown_name_selects_the_default(self):
        for name in ("gone", "gone@0.5", "net-gan@0.5", "net-gan+bp", "no name at all"):
            self.selector.show(2, name, "cpu")
            self.assert_shown("net-psnr", 0.0)

    def test_default_follows_the_device_and_an_explicit_choice_stays(self):
        self.selector.show(2, "", "gpu")
        self.assert_shown("other", None)
        self.selector.show(2, "", "cpu")
        self.assert_shown("net-psnr", 0.0)
        self.selector.show(2, "net-gan", "gpu")
        self.assert_shown("net-gan", 1.0)

    def test_blend_has_two_cards_and_interpolation_none(self):
        for chosen, names in (
            ("other", ["other"]),
            ("net@", ["net-psnr", "net-gan"]),
            ("bicubic", []),
        ):
            self.choose(chosen)
            self.assertEqual([card.name for card in self.selector.cards], names)

    def test_card_texts_are_shown_for_models_and_blends_only(self):
        for chosen, licenses in (
            ("other", ["Other"]),
            ("net@", ["Net Psnr", "Net Gan"]),
            ("bicubic", []),
        ):
            self.choose(chosen)
            self.assertEqual(
                [
                    title
                    for title in ("Net Psnr", "Other", "Net Gan")
                    if f"license of {title}" in self.card.text
                ],
                licenses,
            )
            self.assertEqual(self.section.isHidden(), not licenses)

    def test_scale_without_models_lists_the_interpolations(self):
        self.selector.show(4, "net@0.7", "cpu")
        self.assert_shown("bicubic", None)
        self.selector.show(2, "net@0.7", "cpu")
        self.assert_shown("net@0.7", 0.7)


if __name__ == "__main__":
    unittest.main()
