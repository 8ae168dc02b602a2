"""No subject is on both sides, and the same subjects always fall on the same side."""

import json
import unittest

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResTrainingLib.data.split import GAP, Split, split_subjects

from made_volumes import prepared

PEOPLE = st.dictionaries(
    st.integers(0, 50).map("person {}".format),
    st.tuples(
        st.sampled_from(("brain", "fetal")),
        st.sampled_from(("auto", "auto", "train", "validation")),
        st.integers(1, 3),
    ),
    min_size=2,
    max_size=20,
)


def volumes_of(people):
    return [
        prepared(name, anatomy, use)
        for name, (anatomy, use, count) in people.items()
        for _ in range(count)
    ]


class SplitTest(unittest.TestCase):
    def split(self, people, share=0.2, seed=1):
        try:
            return split_subjects(volumes_of(people), share, seed)
        except SuperResolutionError as e:
            self.assertIn("No training volumes are left", str(e))
            self.assertEqual(
                {use for _, use, _ in people.values()}, {"validation"}
            )  # of others somebody is always left
            assume(False)

    @settings(max_examples=200, deadline=None)
    @given(PEOPLE, st.floats(0, 0.9), st.integers(0, 1000))
    def test_every_subject_is_on_one_side_with_all_its_volumes(self, people, share, seed):
        split = self.split(people, share, seed)
        volumes = volumes_of(people)
        self.assertFalse(set(split.train) & set(split.validation))
        self.assertEqual(set(split.train) | set(split.validation), set(people))
        self.assertFalse(split.by_slices)
        for side, subjects in (
            (split.training(volumes), split.train),
            (split.validating(volumes), split.validation),
        ):
            self.assertEqual(
                side, [volume for volume in volumes if volume.source.subject in subjects]
            )
        for name, (_, use, _) in people.items():
            if use != "auto":
                self.assertIn(name, split.train if use == "train" else split.validation)

    @settings(max_examples=100, deadline=None)
    @given(st.integers(2, 40), st.floats(0.01, 0.9), st.integers(0, 100))
    def test_every_anatomy_keeps_the_share_and_a_training_subject(self, count, share, seed):
        people = {
            f"{anatomy} {n}": (anatomy, "auto", 1)
            for anatomy in ("brain", "fetal")
            for n in range(count)
        }
        held = self.split(people, share, seed).validation
        for anatomy in ("brain", "fetal"):
            self.assertEqual(
                sum(name.startswith(anatomy) for name in held),
                min(max(1, round(share * count)), count - 1),
            )

    @settings(max_examples=100, deadline=None)
    @given(PEOPLE, st.randoms(use_true_random=False), st.integers(0, 100))
    def test_order_and_number_of_volumes_do_not_change_the_split(self, people, random, seed):
        split = self.split(people, seed=seed)
        shuffled = volumes_of(
            {name: (anatomy, use, 1) for name, (anatomy, use, _) in people.items()}
        )
        random.shuffle(shuffled)
        self.assertEqual(split_subjects(shuffled, 0.2, seed), split)

    @settings(max_examples=100, deadline=None)
    @given(st.integers(2, 30), st.integers(0, 100))
    def test_a_new_subject_moves_at_most_one_other(self, count, seed):
        people = {f"person {n}": ("brain", "auto", 1) for n in range(count)}
        before, after = (
            self.split(people, seed=seed),
            self.split(people | {"new": ("brain", "auto", 1)}, seed=seed),
        )
        self.assertLessEqual(len(set(before.validation) ^ set(after.validation) - {"new"}), 1)

    def test_other_seeds_give_other_splits(self):
        people = {f"person {n}": ("brain", "auto", 1) for n in range(10)}
        self.assertGreater(
            len({self.split(people, seed=seed).validation for seed in range(20)}), 10
        )

    def test_the_same_seed_gives_the_same_split_on_every_machine(self):
        people = {f"person {n}": ("brain", "auto", 1) for n in range(10)}
        self.assertEqual(
            self.split(people, 0.3, 1).validation, ("person 1", "person 2", "person 9")
        )

    def test_a_split_survives_json(self):
        split = self.split(
            {"a": ("brain", "auto", 1), "b": ("brain", "auto", 1), "c": ("fetal", "auto", 1)}
        )
        self.assertEqual(Split.from_dict(json.loads(json.dumps(split.to_dict()))), split)

    def test_anatomies_without_a_held_out_subject_are_named(self):
        split = self.split(
            {"a": ("brain", "auto", 1), "b": ("brain", "auto", 1), "c": ("fetal", "auto", 1)}
        )
        self.assertIn("c", split.train)
        self.assertEqual(len(split.messages), 1)
        self.assertIn("No subject with the anatomy “fetal” is held out", split.messages[0].text)

    def test_two_subjects_are_divided_even_if_each_is_an_anatomy(self):
        split = self.split({"a": ("brain", "auto", 1), "b": ("fetal", "auto", 1)})
        self.assertEqual((len(split.train), len(split.validation)), (1, 1))
        self.assertRegex(split.messages[0].text, "No anatomy has two subjects: (a|b) is held out")

    def test_subjects_with_the_use_validation_count_as_held_out(self):
        people = {f"person {n}": ("brain", "auto", 1) for n in range(9)} | {
            "watched": ("brain", "validation", 1)
        }
        self.assertEqual(self.split(people).validation[-1:], ("watched",))
        self.assertEqual(len(self.split(people).validation), 2)

    def test_a_split_without_held_out_subjects_warns(self):
        for people, share in (
            ({"a": ("brain", "train", 1), "b": ("brain", "train", 1)}, 0.2),
            ({"a": ("brain", "auto", 1), "b": ("brain", "auto", 1)}, 0.0),
        ):
            split = self.split(people, share)
            self.assertEqual(split.validation, ())
            self.assertEqual(
                [(message.level, message.code) for message in split.messages],
                [("warning", "split")],
            )
            self.assertIn("No subject is held out", split.messages[0].text)

    def test_a_split_without_training_subjects_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "No training volumes are left"):
            split_subjects([prepared("a", use="validation")], 0.2, 1)


class OneSubjectTest(unittest.TestCase):
    def test_slices_of_an_only_subject_are_divided_with_a_gap_and_a_warning(self):
        volumes = [
            prepared("a", slices=range(5, 45), slice_spacing=3.0),
            prepared("a", slices=range(20), slice_spacing=1.0),
        ]
        split = split_subjects(volumes, 0.2, 1)
        self.assertTrue(split.by_slices)
        self.assertRegex(split.messages[0].text, "only one subject, a: .* Add at least one subject")
        (first, _), (held, held_thin) = split.training(volumes), split.validating(volumes)
        self.assertEqual(first.kept, tuple(range(5, 33)))
        self.assertEqual(held.kept, tuple(range(37, 45)))
        self.assertGreater((held.kept[0] - first.kept[-1]) * 3.0, GAP)
        self.assertEqual(first.left_out[33], "gap")
        self.assertEqual(first.left_out[37], "validation")
        self.assertEqual(held_thin.kept, tuple(range(16, 20)))

    @settings(max_examples=200, deadline=None)
    @given(
        st.sets(st.integers(0, 300), min_size=3, max_size=100),
        st.floats(0.3, 30),
        st.floats(0.01, 0.9),
    )
    def test_no_slice_is_on_both_sides_or_next_to_the_other_side(self, kept, slice_spacing, share):
        volumes = [prepared("a", slices=sorted(kept), slice_spacing=slice_spacing)]
        split = split_subjects(volumes, share, 1)
        held = split.validating(volumes)[0]
        for first in split.training(volumes):  # with nearly all held out there may be none
            self.assertLess(first.kept[-1] + 1, held.kept[0])
            self.assertEqual(set(first.kept) | set(first.left_out), kept)
        self.assertEqual(set(held.kept) | set(held.left_out), kept)

    def test_two_slices_are_not_divided(self):
        volumes = [prepared("a", slices=range(2))]
        split = split_subjects(volumes, 0.2, 1)
        self.assertEqual((len(split.training(volumes)), len(split.validating(volumes))), (1, 0))

    def test_the_text_says_that_no_slice_is_held_out_of_too_few(self):
        few, enough = prepared("a", slices=range(2)), prepared("a", slices=range(3))
        for volumes, held_out, pattern in (
            ([few], (), "fewer than 3 slices, so none is held out and the quality remains"),
            ([few, few], (), "none is held out"),
            ([few, enough], ("a",), "some of its slices are held out"),
        ):
            split = split_subjects(iter(volumes), 0.2, 1)
            (message,) = split.messages
            self.assertTrue(message.is_warning)
            self.assertRegex(message.text, pattern)
            self.assertEqual((split.train, split.validation), (("a",), held_out))
            self.assertEqual(bool(split.validating(volumes)), bool(held_out))


if __name__ == "__main__":
    unittest.main()
