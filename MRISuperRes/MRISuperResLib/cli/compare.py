"""compare IN --out DIR"""

import shutil
import time
from pathlib import Path

from ..core.comparison import figure
from ..core.comparison.compare import compare
from ..core.errors import SuperResolutionError
from ..core.io import new_folder, read_volume
from ..core.methods.registry import INTERPOLATIONS, MethodRegistry, default_comparison_methods
from ..core.options import FLOOR, ComparisonOptions
from ..core.progress import format_duration
from .columns import WIDTH
from .comparison_files import write_maps, write_tables, write_volumes
from .comparison_report import report


def run(arguments, console, cancelled):
    """Returns the tables, and the line that tells what was written. Raises SuperResolutionError, Cancelled."""
    start = time.monotonic()
    cache = MethodRegistry()
    job = job_of(arguments, cache.store)
    figure.import_matplotlib()
    with new_folder(arguments.out) as folder:
        for name in job.methods:
            cache.get(job.upsampling_options(name))
        volume = read_volume(arguments.input, arguments.frame, arguments.series)
        for message in volume.messages:
            console.message(message)
        try:
            comparison = compare(
                volume.array,
                volume.ijk_to_ras,
                job,
                cache,
                progress=console.progress,
                cancelled=cancelled,
            )
        except MemoryError as e:
            raise SuperResolutionError(
                f"There is not enough memory for the outputs of {len(job.methods)} methods: compare fewer at a time, close other "
                "programs, crop the volume or choose a smaller scale.",
                "memory",
            ) from e
        for message in comparison.messages:
            console.message(message)
        source = {
            "file": Path(arguments.input).name,
            "frame": arguments.frame,
            "series": arguments.series,
        }
        area = (
            None
            if arguments.zoom is None
            else figure.area_around(comparison, job.scale, arguments.zoom)
        )
        figure.draw(
            comparison, job, folder / "comparison.png", f"{source['file']}, ×{job.scale}", area
        )
        write_tables(folder, comparison, job, source)
        write_volumes(folder, comparison, source)
        if arguments.maps:
            write_maps(folder / "maps", comparison, job, cache.store.pairs(job.scale))
    lines = report(comparison, job, shutil.get_terminal_size((WIDTH, 24)).columns)
    return "\n".join(
        [
            *lines,
            f"Written: {arguments.out}, with the volumes of {len(job.methods)} methods, tables and a picture, "
            f"{format_duration(time.monotonic() - start)}",
        ]
    )


def job_of(arguments, store):
    """The ComparisonOptions that was asked for. store: models.ModelStore."""
    names = arguments.methods or (
        [*INTERPOLATIONS, FLOOR, *arguments.models]
        if arguments.models
        else default_comparison_methods(arguments.scale, store)
    )
    blends = []
    if arguments.blend:
        pairs = store.pairs(arguments.scale)
        if not pairs:
            raise SuperResolutionError(
                f"There is nothing to blend: no pair of a PSNR and a GAN model for ×{arguments.scale} is installed; "
                "leave --blend out, or install a pair.",
                "model",
            )
        blends = [f"{pair}@{alpha}" for pair in pairs for alpha in arguments.blend]
    return ComparisonOptions(
        (*names, *blends),
        arguments.scale,
        not arguments.no_reference,
        arguments.axis,
        arguments.device,
        arguments.precision,
        arguments.degradation,
        arguments.noise,
        arguments.seed,
        arguments.perceptual,
    )
