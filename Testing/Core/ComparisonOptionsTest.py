import json
import unittest

from hypothesis import given
from hypothesis import strategies as st

from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.method_name import MethodName

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
FIELDS = (
    "methods",
    "scale",
    "reference",
    "slice_axis",
    "device",
    "precision",
    "degradation",
    "noise",
    "seed",
    "perceptual",
)
GOOD = ComparisonOptions(("bicubic", "pair@0.5+bp"), 4, noise=2.5, seed=7).to_dict()
NEARLY = st.sampled_from(
    (
        2,
        2.0,
        "2",
        True,
        float("nan"),
        float("inf"),
        10**400,
        -1,
        20,
        20.0001,
        "auto",
        "cuda:٣",
        "cuda:1234",
        "bicubic",
        ("bicubic",),
        ["nearest"] * 3,
        ["nearest", "bicubic+bp"],
        ["a@1e999", "b"],
        [["nearest"], "bicubic"],
        {"nearest": 1, "bicubic": 2},
    )
)


class ComparisonOptionsTest(unittest.TestCase):
    def test_options_survive_json(self):
        options = ComparisonOptions(
            ["bicubic", "pair@0.50+bp"],
            4,
            True,
            "coronal",
            "cuda:1",
            "float32",
            "kspace",
            2.5,
            7,
            "niqe",
        )
        self.assertEqual(
            ComparisonOptions.from_dict(json.loads(json.dumps(options.to_dict()))), options
        )
        self.assertEqual(options.methods, ("bicubic", "pair@0.5+bp"))

    def test_invalid_options_are_refused_with_the_valid_ones(self):
        two = {"methods": ("nearest", "bicubic")}
        for wrong, words in (
            ({"methods": ("bicubic",)}, "2 to 8 methods, not 1"),
            ({"methods": tuple(f"m{n}" for n in range(9))}, "2 to 8 methods, not 9"),
            ({"methods": ("bicubic", "bicubic")}, "Listed twice: bicubic"),
            ({"methods": ("bicubic", "pair@0.5", "pair@0.50")}, "Listed twice: pair@0.5"),
            ({"methods": ("bicubic", "../weights")}, "is not a method name"),
            ({"methods": "bicubic"}, "list of method names"),
            (two | {"scale": 3}, "one of 2, 4, 8"),
            (two | {"scale": None}, "one of 2, 4, 8"),
            (two | {"slice_axis": "z"}, "slice_axis"),
            (two | {"device": "gpu"}, "device"),
            (two | {"degradation": "blur"}, "bicubic, kspace"),
            (two | {"noise": 21}, "0.*20"),
            (two | {"noise": "much"}, "0.*20"),
            (two | {"noise": 1.0, "reference": False}, "compare with a reference"),
            (two | {"seed": -1}, "seed"),
            (two | {"perceptual": "ssim"}, "none, niqe, pi"),
        ):
            with (
                self.subTest(wrong),
                self.assertRaisesRegex(SuperResolutionError, words) as refused,
            ):
                ComparisonOptions(**wrong)
            self.assertEqual(refused.exception.kind, "settings")

    @given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), ANYTHING) | ANYTHING)
    def test_any_json_is_accepted_or_refused_with_a_sentence(self, values):
        self.assert_options_or_sentence(values)

    @given(st.dictionaries(st.sampled_from(FIELDS), NEARLY | ANYTHING, min_size=1, max_size=3))
    def test_changed_options_are_accepted_or_refused_with_a_sentence(self, changes):
        self.assert_options_or_sentence(GOOD | changes)

    def assert_options_or_sentence(self, values):
        try:
            options = ComparisonOptions.from_dict(values)
        except SuperResolutionError as refused:
            self.assertEqual(refused.kind, "settings")
            self.assertRegex(str(refused), r"\.$")
        else:
            self.assertEqual(
                ComparisonOptions.from_dict(json.loads(json.dumps(options.to_dict()))), options
            )
            self.assertEqual(
                len({options.upsampling_options(method).model for method in options.methods}),
                len(options.methods),
            )


class MethodNameTest(unittest.TestCase):
    def test_names_contain_base_blend_and_back_projection(self):
        for text, name in (
            ("bicubic", MethodName("bicubic")),
            ("bicubic+bp", MethodName("bicubic", None, True)),
            ("fetal-x2@0.25", MethodName("fetal-x2", 0.25)),
            ("fetal-x2@1+bp", MethodName("fetal-x2", 1.0, True)),
        ):
            with self.subTest(text):
                self.assertEqual(MethodName.parse(text), name)
                self.assertEqual(str(name), text)

    @given(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]*", fullmatch=True),
        st.none() | st.integers(0, 100),
        st.booleans(),
    )
    def test_names_survive_text(self, base, percent, back_projected):
        name = MethodName(base, None if percent is None else percent / 100, back_projected)
        self.assertEqual(MethodName.parse(str(name)), name)

    def test_invalid_names_are_refused(self):
        for text in ("", "+bp", "@0.5", "a@", "a@1.5", "a@-1", "a+bp+bp", "a b", "a/b", None, 3):
            with self.subTest(text), self.assertRaises(SuperResolutionError):
                MethodName.parse(text)


if __name__ == "__main__":
    unittest.main()
