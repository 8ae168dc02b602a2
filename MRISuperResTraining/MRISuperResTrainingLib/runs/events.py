"""What happens in a run, one JSON object a line in events.jsonl, and the same numbers for TensorBoard. run.event_reader reads them.

Every event has "event", "time" (s since 1970), "stage" ("psnr" or "gan") and "step" (how many are done in the stage):
  start       the run begins or goes on here: "resumed", "processes", "device", "precision", "steps" {stage: number of steps},
              "messages" [sentences on the data, when the run begins]
  stage       a stage begins: "steps"
  step        now and then: "steps", "losses" {name: mean since the last one}, "learning_rate", "rate" (steps/s), "remaining" (s, of the stage)
  validation  "scores" {name: mean over the validation slices}, "bicubic" {the same of bicubic interpolation}, "by" (the score that chooses
              the best model), "best" (whether this is the best until now)
  checkpoint  written
  nan         a number became infinite; the stage goes on from "back_to": "message"
  stopped     as asked, after a checkpoint
  error       the run has failed: "message"; stage and step are empty (see run.lock)
  end         of the run
"""

import json
import time
from pathlib import Path

FILE = "events.jsonl"
TENSORBOARD = "tensorboard"


class EventLog:
    """Writes the events of a run; only in the first of several processes.

    folder: of the run. listener(event): told of every event.
    """

    def __init__(self, folder, listener=None, active=True):
        self._listener = listener
        self._file = _open(Path(folder, FILE)) if active else None
        self._board = _tensorboard(Path(folder, TENSORBOARD)) if active else None

    def write(self, event, stage, step, **values):
        if self._file is None:
            return
        record = {"event": event, "time": time.time(), "stage": stage, "step": step, **values}
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        if self._board:
            for kind in ("losses", "scores"):
                for name, value in values.get(kind, {}).items():
                    self._board.add_scalar(f"{stage}/{name}", value, step)
            if "learning_rate" in values:
                self._board.add_scalar(f"{stage}/learning_rate", values["learning_rate"], step)
        if self._listener:
            self._listener(record)

    def close(self):
        if self._file:
            self._file.close()
        if self._board:
            self._board.close()


def is_later(event, stage, step):
    """Whether an event tells of a step that is done again, as the run has gone back to `step` of `stage`."""
    if event["event"] in ("start", "nan", "stopped", "error"):
        return False
    return (event["stage"] == stage and event["step"] > step) or (event["stage"], stage) == (
        "gan",
        "psnr",
    )


def _open(path):
    file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - closed with the EventLog
    file.seek(max(0, file.tell() - 1))
    if file.read() not in ("", "\n"):
        file.write("\n")  # ends the line in which the process was killed
    return file


def _tensorboard(folder):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder))
