"""The files of a comparison's folder, but for the picture."""

import csv
import json

from ..core.comparison import maps
from ..core.io import write_volume


def write_tables(folder, comparison, job, source):
    """comparison.csv: a line per method; slices.csv: per method and slice; dots.csv: per method and dot; comparison.json: how
    all was made.

    source: what the provenance tells of the input file.
    """
    _write(folder / "comparison.csv", comparison.table.csv())
    _write(folder / "slices.csv", comparison.table.slice_csv())
    with open(folder / "dots.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("method", "diameter", "word", "height", "brightness", "peak"))
        for dot in comparison.dots:
            writer.writerow(
                (
                    dot.method,
                    dot.diameter,
                    dot.word,
                    *(f"{value:.6f}" for value in (dot.height, dot.brightness, dot.peak)),
                )
            )
    methods = [
        {
            **output.provenance["model"],
            "device": output.provenance["device"],
            "precision": output.provenance["precision"],
        }
        for output in comparison.outputs
    ]
    record = {
        **_common(comparison, source),
        "job": job.to_dict(),
        "methods": methods,
        "messages": comparison.messages,
    }
    _write(folder / "comparison.json", json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def write_volumes(folder, comparison, source):
    """volumes/METHOD.nii.gz; of a comparison with a reference also reference.nii.gz and low.nii.gz, what the methods were given."""
    volumes = folder / "volumes"
    volumes.mkdir()
    for output in comparison.outputs:
        provenance = output.provenance | {"input": output.provenance["input"] | source}
        write_volume(
            volumes / f"{output.name}.nii.gz", output.volume, comparison.ijk_to_ras, provenance
        )
    if comparison.reference is not None:
        common = _common(comparison, source)
        write_volume(
            folder / "reference.nii.gz",
            comparison.reference,
            comparison.ijk_to_ras,
            common | {"notice": "the input, in the part that was compared"},
        )
        write_volume(
            folder / "low.nii.gz",
            comparison.low,
            comparison.low_ijk_to_ras,
            common | {"notice": "the input, made smaller"},
        )


def write_maps(folder, comparison, job, pairs):
    """METHOD-inconsistency.nii.gz, METHOD-error.nii.gz (with a reference) and PAIR-gan-psnr.nii.gz (where both were compared).

    float32, in the intensities of the input. pairs: {name: (PSNR card, GAN card)}, see models.ModelStore.
    """
    folder.mkdir()
    volumes = {output.name: output.volume for output in comparison.outputs}
    common = _common(comparison, {})

    def write(name, array, matrix, notice):
        write_volume(
            folder / f"{name}.nii.gz",
            array,
            matrix,
            {"notice": f"a map, {notice}", "software": common["software"], "date": common["date"]},
        )

    for name, volume in volumes.items():
        inconsistency = maps.consistency_map(
            volume, comparison.low, comparison.axis, job.scale, job.degradation
        )
        write(
            f"{name}-inconsistency",
            inconsistency,
            comparison.low_ijk_to_ras,
            "|output, made smaller, - what was enlarged|",
        )
        if comparison.reference is not None:
            write(
                f"{name}-error",
                maps.difference_map(volume, comparison.reference),
                comparison.ijk_to_ras,
                "|output - reference|",
            )
    for pair, (psnr, gan) in pairs.items():
        if psnr.name in volumes and gan.name in volumes:
            write(
                f"{pair}-gan-psnr",
                maps.difference_map(volumes[gan.name], volumes[psnr.name]),
                comparison.ijk_to_ras,
                "|GAN model - PSNR model|",
            )


def _common(comparison, source):
    """What the provenance of all outputs has in common."""
    provenance = {
        key: value
        for key, value in comparison.outputs[0].provenance.items()
        if key not in ("model", "device", "precision", "job")
    }
    return provenance | {"input": provenance["input"] | source}


def _write(path, text):
    path.write_text(text, encoding="utf-8", newline="")
