"""The two ways in which a job may end early, both meant for a person to read."""

KINDS = ("input", "model", "settings", "environment", "packages", "memory", "device")


class SuperResolutionError(Exception):
    """What is wrong and what to do about it, in one sentence for the user.

    kind: "input" (the volume), "model" (the model's files), "settings" (the job), "environment" (disks, what is not there), "packages" (of
    Python's, missing or broken), "memory", or "device" (a GPU has failed; the process that has used it can't use it any more).
    """

    def __init__(self, message: str, kind: str = "input"):
        super().__init__(message)
        if kind not in KINDS:
            raise ValueError(f"unknown kind of error: {kind!r}")
        self.kind = kind


class Cancelled(Exception):
    """The caller asked the job to stop; nothing was produced."""
