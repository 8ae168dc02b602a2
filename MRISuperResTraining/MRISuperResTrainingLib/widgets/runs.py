"""The runs of one folder: started, resumed, stopped, deleted, sent to MRISuperRes."""

import csv
import datetime
import json
import os
import re
import shutil
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.models.card import is_model_name
from MRISuperResLib.core.models.store import user_models_folder

from ..data.sources import COLUMNS, Source
from ..data.sources import read_sources
from ..options.presets import preset
from ..options.settings import Settings
from ..runs import lock
from ..runs.record import REQUEST, RunRecord, RunState, runs_in
from ..scene import dataset
from . import run_task, training_process

FOLDER_KEY = "MRISuperResTraining/RunsFolder"
VOLUMES, VOLUMES_LIST, EVALUATION_FOLDER = "volumes", "volumes.tsv", "evaluation"
"""In a run's folder: volumes of the scene that no file had, the list of all, what an evaluation has given."""


def defaultFolder():
    """Beside Slicer's settings."""
    return os.path.join(
        os.path.dirname(slicer.app.userSettings().fileName()), "MRISuperResTraining"
    )


class TrainingRuns:
    """command: function that returns (program, arguments) for the words of a command of the training."""

    def __init__(self, command=training_process.trainingCommand):
        self.command = command
        self._records = []
        self.tasks = []  # the RunTasks that go on

    @property
    def folder(self):
        return slicer.app.userSettings().value(FOLDER_KEY) or defaultFolder()

    @folder.setter
    def folder(self, path):
        slicer.app.userSettings().setValue(FOLDER_KEY, str(path))

    def list(self, limit=None):
        """The RunRecords, the newest first, up to date. limit: as of RunRecord.update."""
        self._records = runs_in(self.folder, self._records, limit)
        return self._records

    def record(self, run):
        """The RunRecord of a RunRecord, a path, or a name in the folder, up to date. Raises SuperResolutionError where there is none."""
        path = run.path if isinstance(run, RunRecord) else Path(self.folder, run)
        if not RunRecord.is_run(path):
            raise SuperResolutionError(
                _("There is no run “{run}” in {folder}: choose one of the list.").format(
                    run=path.name, folder=path.parent
                ),
                "settings",
            )
        record = next((known for known in self._records if known.path == path), None)
        if record is None:
            record = run if isinstance(run, RunRecord) else RunRecord(path)
            self._records.append(record)  # the list will show this very object
        record.update()
        return record

    def isActive(self, record):
        """Whether a process works on it, or is about to."""
        return record.state is RunState.RUNNING or self.isStarting(record)

    def isStarting(self, record):
        """Whether a process was started here that has not come to the run yet."""
        started = training_process.startTime(record.path)
        return (
            started is not None
            and record.state is not RunState.RUNNING
            and not (record.events and record.events[-1]["time"] >= started)
        )

    def start(self, volumes, settings="quick", name=None, device="auto"):
        """Starts a run in a process of its own and returns its RunRecord; see MRISuperResTrainingLogic.start."""
        settings = _settings(settings)
        path = self._newFolder(name or _defaultName(settings))
        try:
            sources, skipped = _sources(volumes, path / VOLUMES)
            if not sources:
                raise SuperResolutionError(
                    _(
                        "There is nothing to learn from: choose volumes, or a folder that holds some."
                    ),
                    "settings",
                )
            _writeRequest(path, settings, sources)
            training_process.start(
                path,
                ["train", path / VOLUMES_LIST, "--settings", path / REQUEST, "--run", path],
                device,
                self.command,
            )
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        record = self.record(path)
        record.skipped = skipped
        return record

    def resume(self, run, device="auto"):
        record = self.record(run)
        if self.isActive(record):
            raise SuperResolutionError(
                _("The run “{run}” is going on already.").format(run=record.name), "settings"
            )
        if record.state is RunState.FINISHED:
            raise SuperResolutionError(
                _("The run “{run}” is finished: start a new one.").format(run=record.name),
                "settings",
            )
        lock.clear_stop_request(record.path)
        # before its first checkpoint there is nothing to go on from
        words = (
            ["resume", record.path]
            if record.has_begun
            else [
                "train",
                record.path / VOLUMES_LIST,
                "--settings",
                record.path / REQUEST,
                "--run",
                record.path,
            ]
        )
        training_process.start(record.path, words, device, self.command)
        return record

    def stop(self, run):
        """Asks the process of a run to end after its present step; it writes a checkpoint first."""
        record = self.record(run)
        if self.isStarting(
            record
        ):  # it has done nothing yet, and would forget the wish when it comes to the run
            training_process.kill(record.path)
        lock.request_stop(record.path)

    def kill(self, run):
        training_process.kill(self.record(run).path)

    def delete(self, run):
        """Removes the run's folder with all that is in it. Raises SuperResolutionError for a run that goes on, and where that fails."""
        record = self.record(run)
        if self.isActive(record):
            raise SuperResolutionError(
                _("The run “{run}” is going on: stop it first.").format(run=record.name), "settings"
            )
        try:
            shutil.rmtree(record.path)
        except OSError as error:
            raise SuperResolutionError(
                _("“{path}” cannot be deleted ({reason}): close the programs that use it.").format(
                    path=record.path, reason=error.strerror
                ),
                "environment",
            ) from error

    def startExport(self, run, name=None, folder=None):
        """Starts writing the models of a run as a pair NAME-psnr, NAME-gan, by default where MRISuperRes finds them.

        Returns a RunTask, which `takeEndedTasks` gives again when it is over.
        """
        record = self.record(run)
        name, folder = name or modelName(record.name), Path(folder or user_models_folder())
        if not is_model_name(name):
            raise SuperResolutionError(
                _("“{name}” cannot be the name of a model: use letters, digits and . _ -").format(
                    name=name
                ),
                "settings",
            )
        return self._startTask(
            run_task.EXPORT,
            record,
            folder,
            ["export", record.path, "--name", name, "--to", folder],
            name,
        )

    def startEvaluation(self, run, device="auto"):
        """Starts measuring the best models of a run on the volumes that it has not learnt from, beside the interpolations; returns a RunTask.

        What another evaluation has written into the run's folder is replaced.
        """
        record = self.record(run)
        folder = record.path / EVALUATION_FOLDER
        shutil.rmtree(folder, ignore_errors=True)
        return self._startTask(
            run_task.EVALUATION,
            record,
            folder,
            ["evaluate", "--run", record.path, "--out", folder, "--device", device],
        )

    def _startTask(self, kind, record, folder, words, name=""):
        if self.hasTask(record, kind):
            raise SuperResolutionError(
                _("This is being done already for the run “{run}”: wait until it is done.").format(
                    run=record.name
                ),
                "settings",
            )
        self.tasks.append(run_task.RunTask(kind, record, folder, self.command, words, name))
        return self.tasks[-1]

    def hasTask(self, record, kind):
        return any(task.record is record and task.kind == kind for task in self.tasks)

    def takeEndedTasks(self):
        """Those that have ended since the last call."""
        ended = [task for task in self.tasks if not task.isRunning]
        self.tasks = [task for task in self.tasks if task not in ended]
        return ended

    def _newFolder(self, name):
        """A folder that was not there before."""
        name = re.sub(r'[\\/:*?"<>|\s]+', "-", name).strip("-.") or "run"
        path, number = Path(self.folder, name), 1
        try:
            os.makedirs(self.folder, exist_ok=True)
            while True:
                try:
                    path.mkdir()
                    return path
                except FileExistsError:
                    number += 1
                    path = Path(self.folder, f"{name}-{number}")
        except OSError as error:
            raise SuperResolutionError(
                _(
                    "The folder {folder} cannot be written ({reason}): choose another folder for the runs."
                ).format(folder=self.folder, reason=error.strerror),
                "environment",
            ) from error


def modelName(runName):
    """A name of a model, from that of a run."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", runName).strip("-._") or "model"


def _settings(settings):
    """Settings; from the name of a preset, or JSON values, for scale 2 where they say none."""
    if isinstance(settings, Settings):
        return settings
    if isinstance(settings, str):
        return preset(settings, 2)
    values = dict(settings)
    return (
        preset(values.pop("preset"), values.pop("scale", 2), **values)
        if values.get("preset")
        else Settings.from_dict(values)
    )


def _defaultName(settings):
    return f"{settings.preset or 'run'}-x{settings.scale}-{datetime.datetime.now():%Y-%m-%d-%H%M}"


def _sources(volumes, folder):
    """([Source], [(path, sentence)]) of volume nodes, paths and Sources."""
    sources, paths = [], []
    for volume in volumes:
        if isinstance(volume, Source):
            sources.append(volume)
        elif isinstance(volume, (str, os.PathLike)):
            paths.append(volume)
        else:
            sources.append(dataset.source(volume, str(folder)))
    found, skipped = read_sources(paths)
    known = {source.path for source in sources}
    return sources + [source for source in found if source.path not in known], skipped


def _writeRequest(path, settings, sources):
    try:
        with open(path / VOLUMES_LIST, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t")
            writer.writerow(COLUMNS)
            writer.writerows([getattr(source, column) for column in COLUMNS] for source in sources)
        (path / REQUEST).write_text(json.dumps(settings.to_dict(), indent=1), encoding="utf-8")
    except OSError as error:
        raise SuperResolutionError(
            _(
                "The folder {folder} cannot be written ({reason}): choose another folder for the runs."
            ).format(folder=path, reason=error.strerror),
            "environment",
        ) from error
