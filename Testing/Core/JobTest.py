import json
import unittest

from hypothesis import given
from hypothesis import strategies as st

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import PRECISIONS, SCALES, UpsamplingOptions

jobs = st.builds(
    UpsamplingOptions,
    model=st.none() | st.text(min_size=1, max_size=20),
    scale=st.none() | st.sampled_from(SCALES),
    axis=st.sampled_from(SLICE_AXES),
    device=st.sampled_from(("auto", "cpu", "cuda", "cuda:0", "cuda:13", "mps")),
    precision=st.sampled_from(PRECISIONS),
    batch_size=st.none() | st.integers(1, 100),
    intensity_range=st.none() | st.tuples(st.floats(-1e9, 0), st.floats(0, 1e9, exclude_min=True)),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


class JobTest(unittest.TestCase):
    @given(jobs)
    def test_a_job_survives_the_way_through_json(self, job):
        self.assertEqual(UpsamplingOptions.from_dict(json.loads(json.dumps(job.to_dict()))), job)

    @given(
        st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(
                (
                    "model",
                    "scale",
                    "axis",
                    "device",
                    "precision",
                    "batch_size",
                    "intensity_range",
                    "extra",
                ),
                json_values,
            ),
        )
        | json_values
    )
    def test_any_other_json_is_a_job_or_is_refused_with_a_sentence(self, values):
        try:
            UpsamplingOptions.from_dict(values)
        except SuperResolutionError as e:
            self.assertEqual(e.kind, "settings")
            self.assertRegex(str(e), r"\.$")

    def test_a_misspelt_setting_is_not_silently_ignored(self):
        with self.assertRaisesRegex(SuperResolutionError, "scael"):
            UpsamplingOptions.from_dict({"scael": 4})

    def test_wrong_settings_are_refused_with_what_is_right(self):
        for wrong, right in (
            ({"scale": 3}, "2, 4 or 8"),
            ({"scale": True}, "2, 4 or 8"),
            ({"axis": "z"}, "axial"),
            ({"device": "gpu"}, "cuda"),
            ({"device": "cuda:"}, "cuda:N"),
            ({"device": "cuda:٣"}, "cuda:N"),
            ({"device": "cuda:1234"}, "cuda:N"),
            ({"device": "cuda:1\n"}, "cuda:N"),
            ({"precision": "float64"}, "float32"),
            ({"batch_size": 0}, "positive"),
            ({"intensity_range": (1, 1)}, "lower one first"),
            ({"intensity_range": (0, float("nan"))}, "two numbers"),
            ({"intensity_range": (0,)}, "two numbers"),
            ({"intensity_range": 3}, "two numbers"),
            ({"model": ""}, "name"),
            ({"model": 3}, "name"),
        ):
            with self.subTest(wrong), self.assertRaisesRegex(SuperResolutionError, right):
                UpsamplingOptions(**wrong)


if __name__ == "__main__":
    unittest.main()
