"""Public functions: train, resume, evaluate, evaluate_uncertainty, export; for commands, too."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.messages import Message, warning
from MRISuperResLib.core.models.card import ModelCard
from MRISuperResLib.core.options import SCALES, ComparisonOptions
from MRISuperResLib.core.progress import CancelCheck, ProgressCallback
from MRISuperResLib.core.resampling import INTERPOLATIONS
from MRISuperResLib.core.validation import invalid

from .data.sources import UNSPECIFIED, Skipped, Source, read_sources
from .options.settings import Settings
from .runs.events import EventCallback, write_failure
from .runs.lock import RunUnavailableError

if TYPE_CHECKING:
    from MRISuperResLib.core.models.store import ModelStore

    from .evaluation.evaluate import Evaluation
    from .evaluation.uncertainty import UncertaintyScores
    from .runs.folder import RunFolder

Data = str | Path | Sequence[str | Path] | Sequence[Source]
"""Folders, BIDS trees, lists, recipes and volume files (see `read_sources`), or sources."""
MessageCallback = Callable[[Message], None]
UNCERTAINTY_SLICES = 20
"""Slices of a volume on which an uncertainty map is measured in-plane."""


def train(
    data: Data,
    run: str | Path,
    settings: Settings,
    *,
    anatomy: str = UNSPECIFIED,
    data_folder: str | Path | None = None,
    card: dict[str, str] | None = None,
    cache: str | Path | None = None,
    on_event: EventCallback | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> RunFolder:
    """Train a generator in two stages.

    Args:
        data: Training volumes.
        run: Folder of the run, to be created.
        settings: Settings, for example `preset("quick", scale=2)`.
        anatomy: Anatomy of volumes without one; "unspecified": guessed from names.
        data_folder: Folder to which the paths in the list of a recipe are relative.
        card: Fields of the model cards, for example `Recipe.card()`.
        cache: Folder of the prepared volumes; None: the user's cache.
        on_event: Called with every event, see `runs.events`.
        on_progress: Called with the number of steps of both stages.
        is_cancelled: Called between steps; a checkpoint is written before Cancelled is raised.

    Returns:
        The folder of the run; its attribute `models` is the folder of the models.

    Raises:
        SuperResolutionError: The run cannot start, or failed for a reason that the user can fix.
        Cancelled: A stop was requested.
    """
    with _logged_failure(run):
        sources, skipped = _sources(data, anatomy, data_folder)
        from .training import trainer  # loads torch

        return trainer.train(
            settings,
            sources,
            run,
            card,
            cache,
            on_event,
            on_progress,
            is_cancelled,
            skipped,
        )


def resume(
    run: str | Path,
    *,
    on_event: EventCallback | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> RunFolder:
    """Continue a run from its last checkpoint; see `train`.

    Raises:
        SuperResolutionError: The folder holds no run, or a volume has changed since its start.
        Cancelled: A stop was requested.
    """
    with _logged_failure(run):
        from .training import trainer  # loads torch

        return trainer.resume(run, on_event, on_progress, is_cancelled)


def evaluate(
    data: Data | None = None,
    *,
    run: str | Path | None = None,
    models: Sequence[str] = (),
    scales: Sequence[int] = (),
    options: ComparisonOptions | None = None,
    out: str | Path | None = None,
    hr_slices: bool = False,
    anatomy: str = UNSPECIFIED,
    data_folder: str | Path | None = None,
    on_message: MessageCallback | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> Evaluation:
    """Measure models on volumes of unseen subjects, beside the interpolations.

    Args:
        data: Volumes; None: those of the unseen subjects of `run`.
        run: Folder of a run whose best models are measured.
        models: Names of models, blends (PAIR@0.5) and back-projections (NAME+bp); by default
            those of `run`, or all installed ones that upsample in-plane. Models between slices are
            measured on nearly isotropic volumes, degraded to slices of 4 mm.
        scales: Scales in-plane; by default those of the models.
        options: Slice direction, device, precision, degradation, noise, seed and no-reference
            metric; methods, scale and thick slices are ignored. By default float32, so that
            figures do not depend on the computer.
        out: Folder to create, with tables and figures; None: nothing is written.
        hr_slices: Also upsample the middle slices themselves; needs `out`.
        anatomy: Anatomy of volumes without one; "unspecified": guessed from names.
        data_folder: Folder to which the paths in the list of a recipe are relative.
        on_message: Called with messages on volumes that were left out.
        on_progress: Called with the number of evaluated pairs of volume and scale.
        is_cancelled: Called between slices.

    Returns:
        The scores by anatomy, scale and method; the scale between slices is 1.

    Raises:
        SuperResolutionError: No volumes are given, a model is not installed, or, with `out`, no
            volume can be used.
        Cancelled: `is_cancelled` returned True.
    """
    from MRISuperResLib.core.io.atomic import new_folder
    from MRISuperResLib.core.methods.registry import MethodRegistry
    from MRISuperResLib.core.models.store import ModelStore

    from .evaluation.evaluate import evaluate as evaluate_sources
    from .evaluation.evaluate import perceptual_metrics
    from .evaluation.report import evaluate_into
    from .evaluation.scales import BETWEEN_SLICES, scales_of
    from .runs.folder import RunFolder

    folder = RunFolder(run) if run is not None else None
    registry = MethodRegistry(folder.store() if folder else ModelStore())
    names = list(models) or (folder.best_models() if folder else _in_plane(registry.store))
    of_models = scales_of(names, registry)
    if not scales:
        scales = sorted(set(of_models.values())) or SCALES
    elif BETWEEN_SLICES in of_models.values():
        scales = (BETWEEN_SLICES, *scales)
    names = [name for name in names if of_models[name] in scales]
    options = options or ComparisonOptions(INTERPOLATIONS, precision="float32")
    sources, skipped = _evaluated_sources(data, folder, anatomy, data_folder)
    for path, reason in skipped:
        if on_message:
            on_message(warning("data", f"{path}: {reason}"))
    metrics = perceptual_metrics()
    if out is None:
        evaluation = evaluate_sources(
            sources, names, scales, registry, options, metrics, on_progress, is_cancelled
        )
    else:
        with new_folder(out) as new:
            evaluation = evaluate_into(
                new,
                sources,
                names,
                scales,
                registry,
                options,
                metrics,
                hr_slices,
                on_progress,
                is_cancelled,
            )
    for sentence in evaluation.skipped:
        if on_message:
            on_message(warning("data", sentence))
    return evaluation


def evaluate_uncertainty(
    data: Data,
    models: Sequence[str],
    *,
    options: ComparisonOptions | None = None,
    slices: int | None = UNCERTAINTY_SLICES,
    out: str | Path | None = None,
    anatomy: str = UNSPECIFIED,
    data_folder: str | Path | None = None,
    on_message: MessageCallback | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> list[UncertaintyScores]:
    """Measure how uncertainty maps predict the error on volumes of unseen subjects.

    Args:
        data: Volumes of at least two subjects; the intervals are calibrated on the others.
        models: Names of models or blends.
        options: As in `evaluate`. With a slice spacing, the models are those between slices.
        slices: Slices per volume, evenly spaced; None: all. Between slices: all.
        out: Folder to create, with the tables; None: nothing is written.
        anatomy: As in `evaluate`.
        data_folder: As in `evaluate`.
        on_message: As in `evaluate`.
        on_progress: Called with the number of measured pairs of volume and model.
        is_cancelled: Called between batches.

    Returns:
        Scores by model and volume.

    Raises:
        SuperResolutionError: A model is not installed or has no spread, or, with `out`, no volume
            can be used.
        Cancelled: `is_cancelled` returned True.
    """
    from MRISuperResLib.core.io.atomic import new_folder
    from MRISuperResLib.core.methods.registry import MethodRegistry

    from .evaluation.uncertainty import evaluate_uncertainty as measure
    from .evaluation.uncertainty_report import write_report

    options = options or ComparisonOptions(INTERPOLATIONS, precision="float32")
    sources, unusable = _evaluated_sources(data, None, anatomy, data_folder)
    registry = MethodRegistry()
    with contextlib.nullcontext() if out is None else new_folder(out) as folder:
        scores, skipped = measure(
            sources, models, registry, options, slices, on_progress, is_cancelled
        )
        if folder is not None:
            write_report(folder, scores, skipped)
    for sentence in [*(f"{path}: {reason}" for path, reason in unusable), *skipped]:
        if on_message:
            on_message(warning("data", sentence))
    return scores


def export(
    run: str | Path,
    name: str,
    folder: str | Path,
    *,
    measure: bool = True,
    alpha: float = 1.0,
    on_message: MessageCallback | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> list[ModelCard]:
    """Write the best models of a finished run: NAME-psnr and NAME-gan.

    Args:
        run: Folder of the run.
        name: Name of the pair, or of a model between slices.
        folder: Folder of the models; created if needed.
        measure: Measure speed and quality for the cards, which takes minutes.
        alpha: Blend of the GAN model, above 0 and at most 1: 1 is the generator of stage 2 alone.
        on_message: Called with messages on volumes that cannot be measured.
        on_progress: Called with the number of measured volumes.
        is_cancelled: Called between slices.

    Returns:
        The model cards.

    Raises:
        SuperResolutionError: The run is not finished, or an argument is invalid.
        Cancelled: `is_cancelled` returned True.
    """
    from .runs.export import export as export_run

    cards, messages = export_run(run, name, folder, measure, alpha, on_progress, is_cancelled)
    for message in messages:
        if on_message:
            on_message(message)
    return cards


@contextlib.contextmanager
def _logged_failure(run: str | Path) -> Iterator[None]:
    """Write an exception into the events of a run; not a stop, nor a run that is unavailable."""
    try:
        yield
    except (Cancelled, RunUnavailableError):
        raise
    except Exception as error:
        log_failure(run, error)
        raise


def log_failure(run: str | Path, error: Exception) -> None:
    """Write an exception into the events of a run; only the first of several processes does."""
    ranks = (os.environ.get(name, "0") for name in ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK"))
    if all(rank == "0" for rank in ranks):
        write_failure(run, error)


def _sources(
    data: Data, anatomy: str, data_folder: str | Path | None
) -> tuple[list[Source], Skipped]:
    entries = [data] if isinstance(data, (str, Path)) else list(data)
    sources = [entry for entry in entries if isinstance(entry, Source)]
    paths = [entry for entry in entries if not isinstance(entry, Source)]
    found, skipped = read_sources(paths, anatomy, data_folder)
    return [*sources, *found], skipped


def _in_plane(store: ModelStore) -> list[str]:
    """Names of all models but those between slices."""
    return sorted(store.names() - {card.name for card in store.cards() if card.is_through_plane})


def _evaluated_sources(
    data: Data | None, run: RunFolder | None, anatomy: str, data_folder: str | Path | None
) -> tuple[list[Source], Skipped]:
    if data:
        sources, skipped = _sources(data, anatomy, data_folder)
        reason = "A training volume: its scores say nothing about unseen subjects."
        skipped += [(source.path, reason) for source in sources if source.use == "train"]
        return [source for source in sources if source.use != "train"], skipped
    if run is None:
        raise invalid("Name the volumes to evaluate, or a run.")
    if sources := run.unseen_sources():
        return sources, []
    split = run.description()["split"]
    if split["by_slices"]:
        reason = "trained on its only subject, of which it held out some slices"
    elif split["validation"]:
        reason = "held out volumes that no longer exist or cannot be used"
    else:
        reason = "held out no subject"
    raise SuperResolutionError(
        f"The run {run.path} {reason}. Name volumes of other subjects.", "settings"
    )
