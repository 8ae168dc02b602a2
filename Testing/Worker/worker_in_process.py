"""The worker without a process of its own, for tests that ask it very often, or put doubles into the core."""

import io
import json
from unittest import mock

from MRISuperResLib.worker.child import Events, Worker

STOP = b'{"request": "stop"}'


def answers(lines, **doubles):
    """The events, ready first, with which a worker answers lines of bytes; then it is told to stop. Raises what its reading thread has died of."""
    stream, deaths = io.BytesIO(), []
    worker = Worker(
        io.BytesIO(b"\n".join([*lines, STOP, b""])),
        Events(stream),
        leave=lambda code: None,
        **doubles,
    )

    def die(arguments):
        deaths.append(arguments.exc_value)
        worker._jobs.put(None)

    with mock.patch("threading.excepthook", die):
        worker.run()
    for death in deaths:
        raise death
    return [json.loads(line) for line in stream.getvalue().splitlines()]
