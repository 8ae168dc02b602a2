"""What is known of a run from its folder, while it is trained and later. Needs no torch: the application and the command line share it."""

import enum
import json
from pathlib import Path

from MRISuperResLib.core.models.card import STAGES

from . import lock
from .event_reader import EventReader

DESCRIPTION, REQUEST, LOG, SAMPLES = "run.json", "settings.json", "log.txt", "samples.npz"
"""run.json: written by the training. settings.json: what was asked for before the training came to it."""


class RunState(enum.Enum):
    RUNNING = "running"
    STOPPED = "stopped"
    """As asked; it can go on."""
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Its process has ended without a word: killed, or the computer was switched off. It can go on."""


ENDS = {
    "stopped": RunState.STOPPED,
    "end": RunState.FINISHED,
    "error": RunState.FAILED,
    "start": RunState.INTERRUPTED,
}


class RunRecord:
    """path: of the run's folder. `update` reads what is new."""

    def __init__(self, path):
        self.path = Path(path)
        self._reader = EventReader(path)
        self._description, self._stamp = {}, None
        self._latest = {}  # {kind of event: (number, event)}
        self.process = None  # of lock.process_of: who works on it now
        self.state, self.message = (
            RunState.INTERRUPTED,
            "",
        )  # message: why it has failed, one sentence
        self.best_psnr = None  # (dB of the best model of the first stage, dB of bicubic interpolation), once there was a validation
        self.version = 0  # of the events: another number, when there are new ones
        self.skipped = []  # [(path, sentence)] of files that were left out before the run was started

    @classmethod
    def is_run(cls, path):
        return any(Path(path, name).is_file() for name in (DESCRIPTION, REQUEST))

    @property
    def name(self):
        return self.path.name

    @property
    def events(self):
        return self._reader.events

    @property
    def is_behind(self):
        """Whether the last update has not come to the end of what there is."""
        return self._reader.is_behind

    def update(self, limit=None):
        """Returns whether anything is new. limit: bytes of events that are read."""
        before = self.process, self._stamp, self.state
        self.process = lock.process_of(self.path)
        self._read_description()
        has_news = self._reader.read(limit)
        if has_news:
            self.version += 1
            self._latest = {
                event["event"]: (number, event) for number, event in enumerate(self.events)
            }
            self.best_psnr = self._find_best_psnr()
        self.state, self.message = self._find_state()
        return has_news or before != (self.process, self._stamp, self.state)

    def _read_description(self):
        for name in (DESCRIPTION, REQUEST):
            path = self.path / name
            try:
                stamp = name, path.stat().st_mtime_ns
                if stamp != self._stamp:
                    values = json.loads(path.read_text(encoding="utf-8"))
                    self._description = values if name == DESCRIPTION else {"settings": values}
                    self._stamp = stamp
                return
            except (OSError, ValueError):
                continue

    def _find_state(self):
        """(RunState, why it has failed)"""
        if self.process:
            return RunState.RUNNING, ""
        last = self._last(*ENDS)
        state = ENDS[last["event"]] if last else RunState.INTERRUPTED
        if state in (RunState.FINISHED, RunState.FAILED):
            return state, last["message"] if state is RunState.FAILED else ""
        # before the first step there is no event that says that the process has stopped, or failed
        if lock.is_asked_to_stop(self.path):
            return RunState.STOPPED, ""
        reason = self._last_words()
        return (RunState.FAILED, reason) if reason else (state, "")

    def _last_words(self):
        """The error that the command line told at the end, where it came to no event."""
        path = self.path / LOG
        try:
            if self.events and path.stat().st_mtime < self.events[-1]["time"]:
                return ""
            last = path.read_text(encoding="utf-8", errors="replace").rstrip().rpartition("\n")[2]
        except OSError:
            return ""
        return (
            last.removeprefix("error: ")
            if last.startswith("error: ") and not last.startswith("error: stopped")
            else ""
        )

    @property
    def has_begun(self):
        """Whether there is something to go on from."""
        return (self.path / DESCRIPTION).is_file()

    @property
    def description(self):
        """run.json as it is, see loop.training; before it is there, {"settings": …}; {} where neither can be read."""
        return self._description

    @property
    def settings(self):
        return self._description.get("settings") or {}

    def steps(self, stage):
        """How many the stage is to have, 0 for none."""
        return (self.settings.get(stage) or {}).get("steps", 0)

    @property
    def total(self):
        return sum(map(self.steps, STAGES))

    @property
    def position(self):
        """(stage, steps done in it) of the latest event that says it, (None, 0) before the first."""
        event = self._last("step", "validation", "checkpoint", "stage", "stopped", "nan")
        return (event["stage"], event.get("back_to", event["step"])) if event else (None, 0)

    @property
    def done(self):
        """Steps of both stages together."""
        if self.state is RunState.FINISHED:
            return self.total
        stage, step = self.position
        return self.offset(stage) + step

    def offset(self, stage):
        """Steps that come before the stage."""
        return self.steps("psnr") if stage == "gan" else 0

    @property
    def rate(self):
        """(steps/s, s that are left of the stage), None where it is not known."""
        event = self._last("step", "stage")
        return (event.get("rate"), event.get("remaining")) if event else (None, None)

    @property
    def started(self):
        """s since 1970 of the first event, else of the folder."""
        return self.events[0]["time"] if self.events else self._modified()

    def _modified(self):
        try:
            return self.path.stat().st_mtime
        except OSError:
            return 0.0

    def _find_best_psnr(self):
        scores = self.validations("psnr", "psnr") or self.validations("gan", "psnr")
        if not scores:
            return None
        return max(scores, key=lambda score: score[1])[1:]

    def validations(self, stage, name):
        """[(step of both stages, value, value of bicubic interpolation or None)] of a score."""
        offset = self.offset(stage)
        return [
            (offset + event["step"], event["scores"][name], (event.get("bicubic") or {}).get(name))
            for event in self.events
            if event["event"] == "validation"
            and event["stage"] == stage
            and name in event["scores"]
        ]

    def losses(self, stage):
        """{name: [(step of both stages, value)]}, without the norms of gradients and the judgments of the discriminator."""
        offset, curves = self.offset(stage), {}
        for event in self.events:
            if event["event"] == "step" and event["stage"] == stage:
                for name, value in event["losses"].items():
                    if not name.endswith("norm") and name not in ("real", "fake"):
                        curves.setdefault(name, []).append((offset + event["step"], value))
        return curves

    def _last(self, *kinds):
        """The latest event of some kinds, or None."""
        return max(
            (self._latest[kind] for kind in kinds if kind in self._latest),
            key=lambda entry: entry[0],
            default=(0, None),
        )[1]


def runs_in(folder, known=(), limit=None):
    """The RunRecords of a folder's runs, the newest first, up to date. known: records that go on where they were. limit: as of `RunRecord.update`."""
    records = {record.path: record for record in known}
    try:
        paths = [
            path for path in Path(folder).iterdir() if path.is_dir() and RunRecord.is_run(path)
        ]
    except OSError:
        return []
    found = [records.get(path) or RunRecord(path) for path in paths]
    for record in found:
        record.update(limit)
    return sorted(found, key=lambda record: record.started, reverse=True)
