"""An audit as text: CSV for machines, Markdown for people."""

from collections.abc import Sequence

from ..comparison.scores import csv_text
from ..models.card import AUDITED, audited_text
from ..options import AuditOptions
from .audit import CONTRAST
from .findings import Findings
from .sfrc import LIMIT, SIDE, THRESHOLD

Results = dict[int, dict[str, dict[str, Findings]]]
"""{scale: {name of a volume: {name of a method: Findings}}}"""

READING = f"""\
How to read it: slices are made smaller, every method rebuilds them, and what it has made is held against the truth, in patches of {SIDE} pixels of the input. The first two
methods learn nothing and cannot invent: they are the measure.

- **Unfaithful patches** show another structure than the truth, at frequencies that the input still had (their Fourier ring correlation falls below {THRESHOLD:g} before
  {LIMIT:g} of the input's Nyquist frequency). A model that has more of them than bicubic interpolation contradicts what was acquired: look at them in `audit.png` and `maps/`.
- **Agreement up to**: the frequency, a part of the Nyquist frequency of the truth, where that correlation falls, in the mean. The higher, the more true detail.
- **Invented detail**: what a method adds beyond the resolution of the input without a counterpart in the truth, in % of the energy that the truth has there. Of two
  methods that agree as far with the truth, the one with less is more honest.
- **Inconsistency**: the error that is left when the output is made smaller again and held against the input.
- **Lesions**: bright and dark discs of 2 to 5 pixels of the input, with a contrast of {CONTRAST:.0%} of the intensity range, planted into what the methods are given. *Lost*: less
  than a quarter of the contrast is left at the resolution of the input; *weakened*: less than three quarters; *exaggerated*: more than one and a quarter."""


def volumes_csv(results: Results) -> str:
    """A line per scale, volume and method."""
    return _csv(
        ("scale", "volume", "method"),
        {
            (scale, volume, method): found
            for scale, volumes in results.items()
            for volume, methods in volumes.items()
            for method, found in methods.items()
        },
    )


def summary_csv(results: Results) -> str:
    """A line per scale and method: means over the volumes, and all lesions."""
    return _csv(
        ("scale", "volumes", "method"),
        {
            (scale, len(volumes), method): found
            for scale, volumes in results.items()
            for method, found in together(volumes).items()
        },
    )


def lesions_csv(results: Results) -> str:
    """A line per lesion and method; slice, row and column: where it lies, in pixels of the input."""
    header = (
        "scale",
        "volume",
        "method",
        "slice",
        "row",
        "column",
        "diameter",
        "planted",
        "word",
        "contrast",
        "brightness",
        "peak",
    )
    return csv_text(
        header,
        [
            (
                scale,
                volume,
                method,
                lesion.number,
                lesion.dot.row,
                lesion.dot.column,
                lesion.dot.diameter,
                float(lesion.dot.height),
                lesion.score.word,
                lesion.score.height,
                lesion.score.brightness,
                lesion.score.peak,
            )
            for scale, volumes in results.items()
            for volume, methods in volumes.items()
            for method, found in methods.items()
            for lesion in found.lesions
        ],
    )


def together(volumes: dict[str, dict[str, Findings]]) -> dict[str, Findings]:
    """{name of a method: Findings of all volumes of a scale}"""
    return {
        method: Findings.together([methods[method] for methods in volumes.values()])
        for method in next(iter(volumes.values()))
    }


def markdown(results: Results, job: AuditOptions, skipped: Sequence[str] = ()) -> str:
    """job: an AuditOptions, any of those of the scales. skipped: sentences on the volumes that could not be audited."""
    noise = f", {job.noise:g} % of noise" if job.noise else ""
    chosen = (
        "all slices"
        if job.slices is None
        else f"at most {_count(job.slices, 'slice')} of every volume"
    )
    lines = [
        "# Audit",
        "",
        f"Made smaller by {job.degradation}{noise}; {chosen}; seed {job.seed}. Means over volumes; lesions of all volumes.",
        "",
    ]
    for scale, volumes in results.items():
        lines += [*_table(scale, volumes), ""]
    lines += [READING, ""]
    if skipped:
        lines += ["Left out:", "", *(f"- {sentence}" for sentence in skipped), ""]
    return "\n".join(lines)


def _table(scale, volumes):
    methods = together(volumes)
    first = next(iter(methods.values()))
    header = ["method", *(heading for heading, _ in AUDITED.values())]
    counts = (
        _count(len(volumes), "volume"),
        _count(first.slices, "slice"),
        _count(first.patches, "patch", "patches"),
        _count(len(first.lesions), "lesion"),
    )
    lines = [
        f"## ×{scale}: {', '.join(counts)}",
        "",
        "| " + " | ".join(header) + " |",
        "|---" + "|--:" * (len(header) - 1) + "|",
    ]
    for name, found in methods.items():
        figures = found.figures()
        lines.append(
            f"| `{name}` | " + " | ".join(audited_text(key, figures[key]) for key in AUDITED) + " |"
        )
    return lines


def _csv(keys, findings):
    header = next(iter(findings.values())).figures()
    return csv_text(
        (*keys, *header), [(*key, *found.figures().values()) for key, found in findings.items()]
    )


def _count(number, one, many=None):
    return f"{number} {one if number == 1 else many or one + 's'}"
