"""Random requests: each has one answer with a sentence, and the worker continues."""

import contextlib
import io
import json
import os
import tempfile
import unittest

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from MRISuperResLib.core.errors import KINDS
from MRISuperResLib.worker.child import Events, Worker
from worker_client import IDENTITY
from worker_in_process import answers

TEXT = st.text(st.characters(exclude_characters="/\\"), max_size=20) | st.sampled_from(
    ("\ud800", "a\0b", "x" * 5000, "nearest", "bicubic+bp", "fast-x2@0.5", "cuda:0")
)
NUMBERS = (
    st.integers()
    | st.floats()
    | st.sampled_from((10**400, -(2**63), float("nan"), float("inf"), 1e300, True))
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
SETTINGS = (
    "model",
    "scale",
    "slice_axis",
    "device",
    "precision",
    "batch_size",
    "methods",
    "reference",
    "noise",
    "seed",
    "perceptual",
    "intensity_range",
)
OPTIONS = st.dictionaries(st.sampled_from(SETTINGS) | TEXT, ANYTHING, max_size=4)
MATRICES = st.lists(st.lists(NUMBERS, min_size=4, max_size=4), min_size=4, max_size=4)


class WorkerFuzzTest(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(
            contextlib.chdir(self.folder)
        )  # where a file with a strange name does no harm
        np.save("input.npy", np.arange(2 * 9 * 8, dtype=np.int16).reshape(2, 9, 8))
        os.mkdir("comparison")

    def job(self, job_id, kind="upsample", **fields):
        options, output = (
            ({"methods": ["nearest", "bicubic"]}, "comparison")
            if kind == "compare"
            else ({"model": "nearest"}, "output.npy")
        )
        return {
            "request": kind,
            "id": job_id,
            "options": options,
            "input": os.path.join(self.folder, "input.npy"),
            "output": os.path.join(self.folder, output),
            "ijkToRAS": IDENTITY,
            **fields,
        }

    def ask(self, requests):
        """The events of the requests; after them a plain job has its result."""
        lines = [
            request if isinstance(request, bytes) else json.dumps(request).encode()
            for request in (*requests, self.job("last"))
        ]
        ready, *events = answers(lines)
        self.assertEqual(
            (ready["event"], events[-1]["event"], events[-1]["id"]), ("ready", "result", "last")
        )
        for event in events:
            self.assertIn(event["event"], ("progress", "result", "cancelled", "error"))
            if event["event"] == "error":
                self.assertIn(event["kind"], (*KINDS, "request"), event["log"])
                self.assertRegex(event["message"], r"\.$")
                self.assertNotIn("Traceback", event["message"])
        return events

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.binary(max_size=60) | ANYTHING.map(json.dumps).map(str.encode), max_size=5))
    def test_every_line_is_answered(self, lines):
        self.ask([line for line in lines if b"stop" not in line])

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.dictionaries(
                st.sampled_from(("request", "id", "options", "input", "output", "ijkToRAS")),
                ANYTHING | st.sampled_from(("upsample", "compare", "cancel")),
            ),
            max_size=4,
        )
    )
    def test_every_request_is_answered(self, requests):
        self.ask(requests)

    @settings(max_examples=150, deadline=None)
    @given(
        st.sampled_from(("upsample", "compare")),
        st.sampled_from(("id", "options", "input", "output", "ijkToRAS", "folder")),
        ANYTHING | MATRICES | OPTIONS,
    )
    def test_job_with_one_invalid_field_ends_once_and_the_worker_continues(
        self, kind, field, value
    ):
        if field == "folder" and isinstance(value, str) and value.startswith("MRISuperRes-"):
            return
        events = self.ask([self.job("one", kind, **{field: value})])
        self.assertEqual(len([event for event in events if event["event"] != "progress"]), 2)

    @settings(max_examples=60, deadline=None)
    @given(
        st.sampled_from(("install", "import")),
        st.sampled_from(("id", "path", "name")),
        ANYTHING,
    )
    @example("import", "name", "")
    def test_model_request_with_one_invalid_field_is_answered_once(self, kind, field, value):
        events = self.ask(
            [
                {
                    "request": kind,
                    "id": "one",
                    "path": "gone.safetensors",
                    "name": "mine",
                    field: value,
                }
            ]
        )
        self.assertEqual(
            [event["event"] for event in events if event["event"] != "progress"],
            ["error", "result"],
        )

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.sampled_from(("job", "cancel", "cancel other")), max_size=8))
    def test_every_job_ends_once_whatever_the_order_of_cancels(self, order):
        requests = [
            self.job(f"{number}")
            if what == "job"
            else {"request": "cancel", "id": f"{number - 1}" if what == "cancel" else "gone"}
            for number, what in enumerate(order)
        ]
        ends = [event["id"] for event in self.ask(requests) if event["event"] != "progress"]
        self.assertEqual(
            ends, [*(str(number) for number, what in enumerate(order) if what == "job"), "last"]
        )

    def test_deeply_nested_json_is_answered(self):
        for depth in (100, 900, 990, 5000, 100000):
            self.ask(
                [
                    b"[" * depth,
                    b"[" * depth + b"]" * depth,
                    b'{"request": ' + b"[" * depth + b"]" * depth + b"}",
                    json.dumps(self.job("one"))
                    .encode()
                    .replace(
                        b'{"model": "nearest"}', b'{"model": ' + b"[" * depth + b"]" * depth + b"}"
                    ),
                ]
            )

    def test_folder_without_the_prefix_is_refused(self):
        # only folders of this test: a broken check would delete them
        for folder in (self.folder, os.path.join(self.folder, "other"), "", "MRISuperRes-\0"):
            error, *_ = self.ask([self.job("one", folder=folder)])
            self.assertEqual((error["event"], error["kind"]), ("error", "request"))
        self.assertTrue(os.path.isdir(self.folder))

    def test_folder_without_the_prefix_survives_even_if_a_request_with_it_is_accepted(self):
        survives, goes = (os.path.join(self.folder, name) for name in ("mine", "MRISuperRes-job"))
        for folder, is_left in ((survives, True), (goes, False)):
            os.mkdir(folder)
            worker = Worker(io.BytesIO(), Events(io.BytesIO()), leave=lambda code: None)
            worker._accept({"request": "upsample", "id": "one", "folder": folder})
            worker._abandon(0)
            self.assertEqual(os.path.isdir(folder), is_left)


if __name__ == "__main__":
    unittest.main()
