"""What a comparison says, as text for a terminal."""

from .columns import columns

TITLES = {"image": "WHOLE IMAGE", "foreground": "FOREGROUND", "": "NO REFERENCE"}


def report(comparison, job, width):
    """Lines of at most `width` characters, where that is possible: the tables by region, and what became of the planted dots."""
    table = comparison.table
    lines = [
        _heading(job),
        f"Mean ± standard deviation over {len(table.values(table.methods[0], 'consistency'))} slices, * the best.",
        "",
    ]
    _, rows = table.rows()
    for region, title in TITLES.items():
        chosen = [n for n, metric in enumerate(table.metrics, 1) if metric.region == region]
        if chosen:
            header = [
                title,
                *(table.metrics[n - 1].heading.removesuffix(", foreground") for n in chosen),
            ]
            lines += [
                *columns([header, *([row[0], *(row[n] for n in chosen)] for row in rows)], width),
                "",
            ]
    return lines + _dots(comparison, width)


def _heading(job):
    if not job.reference:
        return f"Enlarged ×{job.scale}."
    noise = f", noise {job.noise:g} %, seed {job.seed}" if job.noise else ""
    return f"Against the volume itself, made smaller ÷{job.scale} ({job.degradation}{noise}) and enlarged again."


def _dots(comparison, width):
    """A column per size of the dots."""
    sizes = sorted({dot.diameter for dot in comparison.dots})
    if not sizes:
        return []
    found = {(dot.method, dot.diameter): f"{dot.word} {dot.height:.0%}" for dot in comparison.dots}
    rows = [["PLANTED DOTS", *(f"{size} voxels" for size in sizes)]]
    rows += [
        [output.name, *(found[output.name, size] for size in sizes)]
        for output in comparison.outputs
    ]
    return [
        *columns(rows, width),
        "(of their height above what is around them, seen at the resolution of the input)",
        "",
    ]
