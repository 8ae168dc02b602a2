"""An evaluation as a picture: every metric by scale, a line per method with its interval."""

from MRISuperResLib.core.comparison.figure import import_matplotlib

PANEL = 3.2, 2.6  # inches
RESOLUTION = 150  # dots per inch
SPREAD = 0.06  # part of the distance between two scales by which methods stand beside each other
KEYS = ("psnr", "ssim_wang", "rmse")


def draw(evaluation, path):
    """Writes a PNG file: a row per anatomy, a column per metric of the thesis's tables.

    Raises SuperResolutionError (kind "environment") where matplotlib is missing.
    """
    figure_class, _ = import_matplotlib()
    metrics = [metric for metric in evaluation.metrics() if metric.key in KEYS]
    anatomies = evaluation.anatomies
    figure = figure_class(
        figsize=(PANEL[0] * len(metrics), PANEL[1] * len(anatomies) + 0.6),
        dpi=RESOLUTION,
        layout="constrained",
    )
    axes = figure.subplots(len(anatomies), len(metrics), squeeze=False)
    colors = {}
    for anatomy, row in zip(anatomies, axes):
        for metric, panel in zip(metrics, row):
            _panel(evaluation, anatomy, metric, panel, colors)
    handles = {
        label: handle
        for panel in axes.flat
        for handle, label in zip(*panel.get_legend_handles_labels())
    }
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=4,
        fontsize=7,
        frameon=False,
    )
    figure.savefig(path, format="png")


def _panel(evaluation, anatomy, metric, panel, colors):
    scales = evaluation.scales(anatomy)
    methods = list(
        dict.fromkeys(method for scale in scales for method in evaluation.methods(anatomy, scale))
    )
    for n, method in enumerate(methods):
        points = [
            (x, evaluation.summary(anatomy, scale, method, metric.key))
            for x, scale in enumerate(scales)
            if method in evaluation.methods(anatomy, scale)
        ]
        points = [
            (x + SPREAD * (n - (len(methods) - 1) / 2), summary) for x, summary in points if summary
        ]
        errors = [
            [
                abs(summary.mean - end)
                for _, summary in points
                for end in [(summary.interval or (summary.mean,) * 2)[side]]
            ]
            for side in (0, 1)
        ]
        bars = panel.errorbar(
            [x for x, _ in points],
            [summary.mean for _, summary in points],
            errors,
            fmt="o-",
            ms=3,
            lw=0.8,
            capsize=2,
            label=method,
            color=colors.get(method),
        )
        colors.setdefault(method, bars.lines[0].get_color())
    panel.set_xticks(range(len(scales)), [f"×{scale}" for scale in scales])
    panel.set_title(f"{anatomy}: {metric.heading}", fontsize=8)
    panel.tick_params(labelsize=7)
    panel.grid(axis="y", lw=0.3)
