"""The events of a run as lines for a person."""

import time

from MRISuperResLib.core.progress import format_duration

INTERVAL = 5.0
"""s between two lines on steps."""

SCORES = {
    "psnr": ("PSNR", 2, " dB"),
    "ssim": ("SSIM", 4, ""),
    "lpips": ("LPIPS", 4, ""),
    "vgg_distance": ("VGG distance", 4, ""),
    "contrast": ("contrast", 4, ""),
}
"""Title, digits, unit."""


class Report:
    """Called with every event, see loop.events."""

    def __init__(self, console, clock=time.monotonic):
        self._console, self._clock, self._told = console, clock, -INTERVAL

    def __call__(self, event):
        if event["event"] == "step":
            if self._clock() - self._told < INTERVAL and event["step"] < event["steps"]:
                return
            self._told = self._clock()
        text = getattr(self, f"_{event['event']}", lambda event: None)(event)
        if text:
            self._console.line(text)

    def _start(self, event):
        for message in event["messages"]:
            self._console.message(message)
        processes = f"{event['processes']} processes" if event["processes"] > 1 else "one process"
        begin = (
            f"going on from step {event['step']} of the stage {event['stage']}"
            if event["resumed"]
            else "beginning"
        )
        return f"{begin}, on {event['device']} with {processes}, {event['precision']}"

    def _step(self, event):
        losses = ", ".join(
            f"{name} {value:.4g}"
            for name, value in event["losses"].items()
            if not name.endswith("norm")
        )
        return f"{event['stage']} {event['step']}/{event['steps']}: {losses}; {event['rate']:.3g} steps/s, {format_duration(event['remaining'])} left"

    def _validation(self, event):
        parts = []
        for name, value in event["scores"].items():
            title, digits, unit = SCORES[name]
            parts.append(
                f"{title} {value:.{digits}f}{unit} (bicubic {event['bicubic'][name]:.{digits}f})"
            )
        return f"{event['stage']} {event['step']}: {', '.join(parts)}" + (
            f"; the best by {event['by']} until now" if event["best"] else ""
        )

    def _nan(self, event):
        return f"warning: {event['message']}"

    def _stopped(self, event):
        return f"{event['stage']} {event['step']}: checkpoint written"
