import json
import unittest

from MRISuperResLib.core.progress import (
    Progress,
    ProgressMeter,
    format_duration,
    format_elapsed,
)


class ProgressTest(unittest.TestCase):
    def test_rate_and_time_left_count_from_the_first_report(self):
        times = iter((100.0, 102.0, 104.0))
        meter = ProgressMeter(clock=lambda: next(times))
        self.assertIsNone(meter.update(0, 60).rate)
        self.assertEqual(meter.update(12, 60).text(), "12/60 slices, 6 slices/s, 8 s left")
        self.assertEqual(meter.update(24, 60).remaining, 6.0)

    def test_progress_survives_json(self):
        for progress in (Progress(0, 3), Progress(1, 3, 0.5, 4.0)):
            values = json.loads(json.dumps(progress.to_dict()))
            self.assertEqual(Progress.from_dict(values | {"id": "7"}), progress)

    def test_the_last_report_has_no_time_left_and_a_whole_rate(self):
        self.assertEqual(Progress(60, 60, 3012.3, 0.0).text(), "60/60 slices, 3012 slices/s")
        self.assertEqual(Progress(60, 60, 0.123, 0.0).text(), "60/60 slices, 0.123 slices/s")

    def test_short_measured_durations_have_tenths(self):
        self.assertEqual(
            [format_elapsed(s) for s in (0, 3.44, 59.4, 59.6, 185)],
            ["0.0 s", "3.4 s", "59.4 s", "1 min 00 s", "3 min 05 s"],
        )

    def test_durations_are_shown_in_the_two_largest_units(self):
        self.assertEqual(
            [format_duration(s) for s in (0, 59.4, 60, 185, 3720)],
            ["0 s", "59 s", "1 min 00 s", "3 min 05 s", "1 h 02 min"],
        )


if __name__ == "__main__":
    unittest.main()
