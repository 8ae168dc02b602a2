"""Options of upsampling: what is accepted, what is refused, the way through JSON."""

import json
import unittest

from hypothesis import given
from hypothesis import strategies as st
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import PRECISIONS, SCALES, UpsamplingOptions
from MRISuperResLib.core.geometry import SLICE_AXES

all_options = st.builds(
    UpsamplingOptions,
    model=st.none() | st.text(min_size=1, max_size=20),
    scale=st.none() | st.sampled_from(SCALES),
    slice_axis=st.sampled_from(SLICE_AXES),
    device=st.sampled_from(("auto", "cpu", "cuda", "cuda:0", "cuda:13", "mps")),
    precision=st.sampled_from(PRECISIONS),
    batch_size=st.none() | st.integers(1, 100),
    intensity_range=st.none() | st.tuples(st.floats(-1e9, 0), st.floats(0, 1e9, exclude_min=True)),
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from((10**400, -(10**400)))
    | st.floats()
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
KEYS = (
    "model",
    "scale",
    "slice_axis",
    "device",
    "precision",
    "batch_size",
    "intensity_range",
    "extra",
)


class OptionsTest(unittest.TestCase):
    @given(all_options)
    def test_options_survive_the_way_through_json(self, options):
        self.assertEqual(
            UpsamplingOptions.from_dict(json.loads(json.dumps(options.to_dict()))), options
        )

    @given(
        st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, json_values)) | json_values,
    )
    def test_any_json_is_accepted_or_refused_with_a_sentence(self, values):
        try:
            UpsamplingOptions.from_dict(values)
        except SuperResolutionError as e:
            self.assertEqual(e.kind, "settings")
            self.assertRegex(str(e), r"\.$")

    def test_integers_beyond_the_range_of_doubles_are_refused(self):
        for ends in ((0, 10**400), (-(10**400), 0)):
            with self.assertRaisesRegex(SuperResolutionError, "two numbers"):
                UpsamplingOptions(intensity_range=ends)

    def test_a_misspelled_setting_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "scael"):
            UpsamplingOptions.from_dict({"scael": 4})

    def test_an_error_shows_the_beginning_of_a_long_value_only(self):
        with self.assertRaises(SuperResolutionError) as caught:
            UpsamplingOptions(slice_axis="k" * 1000)
        self.assertLess(len(str(caught.exception)), 250)

    def test_invalid_values_are_refused_with_the_valid_ones(self):
        for wrong, right in (
            ({"scale": 3}, "2, 4, 8"),
            ({"scale": True}, "2, 4, 8"),
            ({"scale": 2.0}, "2, 4, 8"),
            ({"slice_axis": "z"}, "axial"),
            ({"device": "gpu"}, "cuda"),
            ({"device": "cuda:"}, "cuda:N"),
            ({"device": "cuda:٣"}, "cuda:N"),
            ({"device": "cuda:1234"}, "cuda:N"),
            ({"device": "cuda:1\n"}, "cuda:N"),
            ({"precision": "float64"}, "auto, float32, half"),
            ({"batch_size": 0}, "at least 1"),
            ({"batch_size": True}, "at least 1"),
            ({"intensity_range": (1, 1)}, "lower one first"),
            ({"intensity_range": (0, float("nan"))}, "two numbers"),
            ({"intensity_range": (0, float("inf"))}, "two numbers"),
            ({"intensity_range": (0,)}, "two numbers"),
            ({"intensity_range": (-1e308, 1e308)}, "two numbers"),
            ({"intensity_range": 3}, "two numbers"),
            ({"model": ""}, "name"),
            ({"model": 3}, "name"),
        ):
            with self.subTest(wrong), self.assertRaisesRegex(SuperResolutionError, right):
                UpsamplingOptions(**wrong)


if __name__ == "__main__":
    unittest.main()
