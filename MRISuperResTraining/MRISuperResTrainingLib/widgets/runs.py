"""Runs of a folder: start, resume, stop, delete, evaluate, and export to MRISuperRes."""

from __future__ import annotations

import csv
import datetime
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.models.card import is_model_name
from MRISuperResLib.core.models.store import user_models_folder

from ..data.sources import COLUMNS, Skipped, Source, read_sources
from ..options.presets import PRESETS, preset
from ..options.settings import Settings
from ..runs import lock
from ..runs.record import REQUEST, RunRecord, RunState, runs_in
from ..scene import dataset
from . import run_tasks
from .run_tasks import CommandLine, RunTask, RunTaskKind

FOLDER_SETTING = "MRISuperResTraining/RunsFolder"
VOLUMES, VOLUMES_LIST, EVALUATION_FOLDER = "volumes", "volumes.tsv", "evaluation"
"""In the folder of a run: voxels of nodes without a file, the list of volumes, the evaluation."""

Run = RunRecord | str | os.PathLike
"""A run: its record, its name, or the path of its folder."""
TrainingSettings = Settings | str | Mapping[str, Any]
"""Settings, the name of a preset, or JSON values of settings."""
TrainingVolume = slicer.vtkMRMLScalarVolumeNode | Source | str | os.PathLike
"""A volume node, a source, or a path: volume file, folder, BIDS tree, list or recipe."""


def defaultFolder() -> str:
    """Return the default folder of the runs, beside Slicer's settings."""
    return os.path.join(
        os.path.dirname(slicer.app.userSettings().fileName()), "MRISuperResTraining"
    )


class TrainingRuns:
    """Runs of a folder.

    Methods raise SuperResolutionError with one sentence for the user.

    Attributes:
        tasks: The running exports and evaluations.

    Args:
        command: Makes the command line of the training.
    """

    def __init__(self, command: CommandLine = run_tasks.trainingCommand) -> None:
        self.command = command
        self._records: list[RunRecord] = []
        self.tasks: list[RunTask] = []

    @property
    def folder(self) -> str:
        """Folder of the runs, kept in Slicer's settings."""
        return slicer.app.userSettings().value(FOLDER_SETTING) or defaultFolder()

    @folder.setter
    def folder(self, path: str | os.PathLike) -> None:
        slicer.app.userSettings().setValue(FOLDER_SETTING, str(path))

    def list(self, limit: int | None = None) -> list[RunRecord]:
        """Return the updated records of all runs, the newest first.

        Args:
            limit: As for `RunRecord.update`.
        """
        self._records = runs_in(self.folder, self._records, limit)
        return self._records

    def record(self, run: Run) -> RunRecord:
        """Return the updated record of a run."""
        path = run.path if isinstance(run, RunRecord) else Path(self.folder, run)
        if not RunRecord.is_run(path):
            raise SuperResolutionError(
                _("No run “{run}” in {folder}. Choose one from the list.").format(
                    run=path.name, folder=path.parent
                ),
                "settings",
            )
        record = next((known for known in self._records if known.path == path), None)
        if record is None:
            record = run if isinstance(run, RunRecord) else RunRecord(path)
            self._records.append(record)  # so that `list` returns the same object
        record.update()
        return record

    def isActive(self, record: RunRecord) -> bool:
        """Return True if a process works on a run, or is starting."""
        return record.state is RunState.RUNNING or self.isStarting(record)

    def isStarting(self, record: RunRecord) -> bool:
        """Return True if the process of a run has started but not locked the run yet."""
        started = run_tasks.trainingStartTime(record.path)
        return (
            started is not None
            and record.state is not RunState.RUNNING
            and not (record.events and record.events[-1]["time"] >= started)
        )

    def start(
        self,
        volumes: Iterable[TrainingVolume],
        settings: TrainingSettings = "quick",
        name: str | None = None,
        device: str = "auto",
    ) -> RunRecord:
        """Start a run in a separate process; see `MRISuperResTrainingLogic.start`."""
        settings = _settings(settings)
        path = self._newFolder(name or _defaultName(settings))
        try:
            sources, skipped = _sources(volumes, path / VOLUMES)
            if not sources:
                raise SuperResolutionError(
                    _("No training volumes. Choose volumes, or a folder that holds some."),
                    "settings",
                )
            _writeRequest(path, settings, sources)
            run_tasks.startTraining(path, _trainWords(path), device, self.command)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        record = self.record(path)
        record.skipped = skipped
        return record

    def resume(self, run: Run, device: str = "auto") -> RunRecord:
        """Continue a run from its last checkpoint, or start it again if there is none."""
        record = self.record(run)
        self._checkIsInactive(record, _("Wait for its end, or stop it."))
        if record.state is RunState.FINISHED:
            raise SuperResolutionError(
                _("The run “{run}” is finished. Start a new one.").format(run=record.name),
                "settings",
            )
        lock.clear_stop_request(record.path)
        words = ["resume", record.path] if record.has_begun else _trainWords(record.path)
        run_tasks.startTraining(record.path, words, device, self.command)
        return record

    def stop(self, run: Run) -> None:
        """Ask the process of a run to stop after its current step, with a checkpoint."""
        record = self.record(run)
        if self.isStarting(record):
            # it has done nothing yet, and clears earlier stop requests when it locks the run
            run_tasks.killTraining(record.path)
        lock.request_stop(record.path)

    def kill(self, run: Run) -> None:
        """Kill the process of a run; the steps since its last checkpoint are lost."""
        run_tasks.killTraining(self.record(run).path)

    def delete(self, run: Run) -> None:
        """Delete the folder of an inactive run."""
        record = self.record(run)
        self._checkIsInactive(record, _("Stop it first."))
        try:
            shutil.rmtree(record.path)
        except OSError as error:
            raise SuperResolutionError(
                _("Cannot delete {path} ({reason}). Close the programs that use it.").format(
                    path=record.path, reason=error.strerror
                ),
                "environment",
            ) from error

    def _checkIsInactive(self, record, action):
        if self.isActive(record):
            raise SuperResolutionError(
                _("The run “{run}” is active. {action}").format(run=record.name, action=action),
                "settings",
            )

    def startExport(
        self, run: Run, name: str | None = None, folder: str | os.PathLike | None = None
    ) -> RunTask:
        """Start to export the models of a run as the pair NAME-psnr, NAME-gan.

        Args:
            run: The run.
            name: Name of the pair; None: derived from that of the run.
            folder: Folder of the models; None: where MRISuperRes finds them.

        Returns:
            The task, which `takeEndedTasks` returns when it has ended.
        """
        record = self.record(run)
        name, folder = name or modelName(record.name), Path(folder or user_models_folder())
        if not is_model_name(name):
            raise SuperResolutionError(
                _("Invalid model name “{name}”. Use letters, digits and . _ -").format(name=name),
                "settings",
            )
        return self._startTask(
            RunTaskKind.EXPORT,
            record,
            folder,
            ["export", record.path, "--name", name, "--to", folder],
            name,
        )

    def startEvaluation(self, run: Run, device: str = "auto") -> RunTask:
        """Start to measure the best models of a run on held-out subjects, beside interpolations.

        The previous evaluation in the folder of the run is replaced. See `startExport`.
        """
        record = self.record(run)
        folder = record.path / EVALUATION_FOLDER
        if not self.hasTask(record, RunTaskKind.EVALUATION):
            shutil.rmtree(folder, ignore_errors=True)
        return self._startTask(
            RunTaskKind.EVALUATION,
            record,
            folder,
            ["evaluate", "--run", record.path, "--out", folder, "--device", device],
        )

    def hasTask(self, record: RunRecord, kind: RunTaskKind) -> bool:
        """Return True while a task of this kind uses a run."""
        return any(task.record is record and task.kind is kind for task in self.tasks)

    def takeEndedTasks(self) -> list[RunTask]:
        """Return the tasks that have ended since the last call."""
        ended = [task for task in self.tasks if not task.isRunning]
        self.tasks = [task for task in self.tasks if task not in ended]
        return ended

    def _startTask(self, kind, record, folder, words, name=""):
        if self.hasTask(record, kind):
            raise SuperResolutionError(
                _("This task is already running for “{run}”. Wait for its end.").format(
                    run=record.name
                ),
                "settings",
            )
        self.tasks.append(RunTask(kind, record, folder, self.command, words, name))
        return self.tasks[-1]

    def _newFolder(self, name):
        """A new folder; a number is appended to a name that exists."""
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
            raise _writeError(self.folder, error) from error


def modelName(runName: str) -> str:
    """Return a valid model name for the models of a run."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", runName).strip("-._") or "model"


def _trainWords(path):
    return ["train", path / VOLUMES_LIST, "--settings", path / REQUEST, "--run", path]


def _settings(settings: TrainingSettings) -> Settings:
    """The settings; their scale is that of the preset, else 2, if nothing states it."""
    if isinstance(settings, Settings):
        return settings
    if isinstance(settings, str):
        return _settings({"preset": settings})
    values = dict(settings)
    name = values.get("preset")
    if not name:
        return Settings.from_dict(values)
    scale = values.pop("scale", None) or PRESETS.get(name, {}).get("scale", 2)
    return preset(values.pop("preset"), scale, **values)


def _defaultName(settings):
    name = settings.preset or "run"
    if not settings.is_between_slices:
        name += f"-x{settings.scale}"
    return f"{name}-{datetime.datetime.now():%Y-%m-%d-%H%M}"


def _sources(volumes: Iterable[TrainingVolume], folder: Path) -> tuple[list[Source], Skipped]:
    """The sources of volumes, and what was skipped; voxels without a file go to `folder`."""
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
        raise _writeError(path, error) from error


def _writeError(folder, error):
    return SuperResolutionError(
        _("Cannot write to {folder} ({reason}). Choose another folder for the runs.").format(
            folder=folder, reason=error.strerror
        ),
        "environment",
    )
