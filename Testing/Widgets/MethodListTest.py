"""The list of methods to be compared, as a user meets it; the models are only cards."""

import unittest
from types import SimpleNamespace

import ctk
import qt
from module_helpers import click
from MRISuperResLib.widgets.comparison.panel import MethodList

FIRST = ["nearest", "bilinear", "bicubic", "bicubic+bp"]


def card(name, stage="psnr"):
    return SimpleNamespace(
        name=name,
        title=name.title(),
        stage=stage,
        is_through_plane=False,
        gains=lambda: {name: [2.0]},
    )


class StoreDouble:
    """Models: a pair for ×2, two pairs for ×4, none for ×8."""

    def cards(self, scale):
        return {
            2: [card("net-psnr"), card("net-gan", "gan")],
            4: [card("four-psnr"), card("four-gan", "gan")],
        }.get(scale, [])

    def pairs(self, scale):
        return dict.fromkeys({2: ["net"], 4: ["four", "other"]}.get(scale, []), ())


class MethodListTest(unittest.TestCase):
    def setUp(self):
        self.list, self.label, self.widget, self.pairs = (
            qt.QListWidget(),
            qt.QLabel(),
            qt.QWidget(),
            qt.QComboBox(),
        )
        self.slider, self.button = ctk.ctkSliderWidget(), qt.QPushButton()
        self.slider.decimals, self.slider.singleStep, self.slider.maximum = 2, 0.05, 1.0
        self.text = ""
        self.methods = MethodList(
            self.list,
            (self.label, self.widget, self.pairs, self.slider, self.button),
            self.on_changed,
            StoreDouble(),
        )
        self.scale = 2
        self.methods.show(2, "")

    def on_changed(self, text):
        """Keep and show the state, as the parameter node does."""
        self.text = text
        self.methods.show(self.scale, text)

    def show(self, scale):
        self.scale = scale
        self.methods.show(scale, self.text)

    def listed(self):
        return [name for name, _item in self.methods._items()]

    def set(self, name, isChecked):
        dict(self.methods._items())[name].setCheckState(
            qt.Qt.Checked if isChecked else qt.Qt.Unchecked
        )

    def test_list_has_interpolations_then_models_then_back_projections(self):
        self.assertEqual(
            self.listed(), [*FIRST, "net-psnr", "net-gan", "net-psnr+bp", "net-gan+bp"]
        )
        self.assertEqual(self.methods.names, (*FIRST, "net-psnr", "net-gan"))

    def test_items_name_the_kind_of_method(self):
        texts = [self.list.item(n).text() for n in range(self.list.count)]
        self.assertEqual(
            texts[3:6],
            [
                "bicubic+bp – best without learning",
                "net-psnr – PSNR model",
                "net-gan – GAN model",
            ],
        )
        self.assertEqual(self.list.item(5).toolTip(), "PSNR over bicubic: net-gan +2.0 dB")

    def test_state_holds_differences_from_the_default_only(self):
        self.set("nearest", False)
        self.set("net-gan+bp", True)
        self.assertEqual(self.text, "nearest net-gan+bp")
        self.assertEqual(self.methods.names, (*FIRST[1:], "net-psnr", "net-gan", "net-gan+bp"))
        self.set("nearest", True)
        self.set("net-gan+bp", False)
        self.assertEqual(self.text, "")

    def test_models_of_another_scale_keep_their_default(self):
        self.set("net-gan", False)
        self.set("bilinear", False)
        self.show(4)
        self.assertEqual(
            self.methods.names, ("nearest", "bicubic", "bicubic+bp", "four-psnr", "four-gan")
        )
        self.show(2)
        self.assertNotIn("net-gan", self.methods.names)

    def test_blend_is_added_checked_and_can_be_unchecked(self):
        self.slider.value = 0.35
        click(self.button)
        self.assertEqual(self.methods.names[-1], "net@0.35")
        self.slider.value = 0.5
        click(self.button)
        self.assertEqual(self.methods.names[-2:], ("net@0.35", "net@0.5"))
        self.set("net@0.35", False)
        self.assertEqual((self.text, self.methods.names[-1]), ("net@0.5", "net@0.5"))
        self.assertIn("net@0.35", self.listed())  # to be checked again

    def test_same_blend_is_listed_once(self):
        self.slider.value = 0.5
        click(self.button)
        click(self.button)
        self.assertEqual(self.listed().count("net@0.5"), 1)
        self.assertEqual(self.text, "net@0.5")

    def test_saved_blend_is_listed_at_its_scale_only(self):
        self.text = "net@0.7"
        self.show(4)
        self.assertNotIn("net@0.7", self.listed())
        self.show(2)
        self.assertIn("net@0.7", self.methods.names)

    def test_unknown_names_are_kept_in_the_state_and_not_shown(self):
        self.text = "gone@0.5 what? removed-model"
        self.show(2)
        self.assertEqual(self.methods.names, (*FIRST, "net-psnr", "net-gan"))
        self.set("nearest", False)
        self.assertEqual(self.text, "gone@0.5 what? removed-model nearest")

    def test_blend_controls_need_a_pair_and_the_pair_list_needs_several(self):
        self.assertEqual((self.widget.isHidden(), self.pairs.isHidden()), (False, True))
        self.show(4)
        self.assertEqual((self.widget.isHidden(), self.pairs.isHidden()), (False, False))
        self.pairs.setCurrentIndex(1)
        click(self.button)
        self.assertEqual(self.methods.names[-1].partition("@")[0], "other")
        self.show(8)
        self.assertEqual((self.widget.isHidden(), self.label.isHidden()), (True, True))


if __name__ == "__main__":
    unittest.main()
