"""What is known of a run, in words."""

import datetime
import os

from slicer.i18n import tr as _

from MRISuperResLib.core.progress import format_duration

from ..runs.record import RunState


def stateText(record, isStarting=False, isStopping=False):
    if record.is_behind:
        return _("reading …")
    if isStarting and record.state is not RunState.RUNNING:
        return _("starting")
    if isStopping and record.state is RunState.RUNNING:
        return _("stopping")
    return {
        RunState.RUNNING: _("running"),
        RunState.STOPPED: _("stopped"),
        RunState.FINISHED: _("finished"),
        RunState.FAILED: _("failed"),
        RunState.INTERRUPTED: _("interrupted"),
    }[record.state]


def titleText(record):
    settings = record.settings
    return _("{name} – {preset}, ×{scale}").format(
        name=record.name,
        preset=settings.get("preset") or _("own settings"),
        scale=settings.get("scale", "?"),
    )


def progressText(record):
    """Where a run that goes on is, and how long the rest of the stage will take."""
    stage, step = record.position
    if stage is None:
        return _("Preparing the volumes …")
    text = _("{stage}: step {step} of {steps}").format(
        stage=_("Stage 1 (PSNR)") if stage == "psnr" else _("Stage 2 (GAN)"),
        step=step,
        steps=record.steps(stage),
    )
    rate, remaining = record.rate
    if record.state is RunState.RUNNING and rate:
        text += _(", {rate:.3g} steps/s").format(rate=rate)
        if remaining is not None:
            text += _(", {time} left").format(time=format_duration(remaining))
    best = record.best_psnr
    if best:
        text += "\n" + psnrText(best)
    return text


def psnrText(best):
    """best: RunRecord.best_psnr."""
    value, bicubic = best
    return _("Best validation PSNR {value:.2f} dB").format(value=value) + (
        _(", {gain:+.2f} dB against bicubic").format(gain=value - bicubic)
        if bicubic is not None
        else ""
    )


def dateText(seconds):
    return datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M") if seconds else ""


def detailsText(record):
    """Training volumes, held-out volumes, and what was left out with the reasons."""
    description, lines = record.description, []
    split = description.get("split") or {}
    lines += [f"⚠ {message['text']}" for message in split.get("messages", ())]
    for volume in description.get("volumes", ()):
        held = volume["subject"] in split.get("validation", ()) and not split.get("by_slices")
        left = volume.get("left_out", {})
        lines.append(
            _("{name}: {slices} slices {use}").format(
                name=os.path.basename(volume["path"]),
                slices=volume["slices"],
                use=_("held out") if held else _("for training"),
            )
            + (_(", {n} left out").format(n=len(left)) if left else "")
        )
        reasons = {}
        for number, reason in left.items():
            reasons.setdefault(reason, []).append(int(number))
        lines += [
            f"    {_exclusionText(reason)}: {_ranges(numbers)}"
            for reason, numbers in reasons.items()
        ]
        lines += [
            f"    {message['text']}"
            for message in volume.get("messages", ())
            if message["level"] == "warning"
        ]
    lines += [
        _("Left out: {path}: {reason}").format(path=os.path.basename(path), reason=reason)
        for path, reason in [*description.get("unusable", ()), *record.skipped]
    ]
    return "\n".join(lines)


def _exclusionText(reason):
    """reason: data.preparation.Exclusion."""
    return {
        "empty": _("little or no anatomy"),
        "gap": _("too near to held-out slices"),
        "validation": _("held out"),
        "training": _("for training"),
    }.get(reason, reason)


def _ranges(numbers):
    """1–4, 7, 9–12"""
    parts = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in parts)
