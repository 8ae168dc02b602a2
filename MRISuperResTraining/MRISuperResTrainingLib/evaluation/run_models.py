"""What an evaluation takes from a training run: its best models, and the volumes that they have not learnt from."""

import os

from MRISuperResLib.core.models.store import ModelStore

from ..runs.folder import RunFolder
from ..runs.held_out import never_seen

BEST = "psnr-best", "gan-best"


def run_store(run):
    """The ModelStore of a run's models, before the installed ones."""
    return ModelStore([RunFolder(run).models, *ModelStore().folders])


def best_models(run):
    """Names of the best models of the stages that a run has come to. Raises SuperResolutionError (kind "settings") for another folder."""
    folder = RunFolder(run)
    folder.description()
    return [name for name in BEST if os.path.exists(folder.models / f"{name}.safetensors")]


def unseen_sources(run):
    """[data.source.Source]. Raises SuperResolutionError (kind "settings") where the folder holds no run."""
    return never_seen(RunFolder(run).description())
