"""The worker without a process of its own, for many requests or doubles inside the core."""

import io
import json
from unittest import mock

from MRISuperResLib.worker.child import Events, Worker

STOP = b'{"request": "stop"}'


def answers(lines, **doubles):
    """Return the events for lines of bytes, ready first; raise what ended the reading thread."""
    stream, deaths = io.BytesIO(), []
    worker = Worker(
        io.BytesIO(b"\n".join([*lines, STOP, b""])),
        Events(stream),
        leave=lambda code: None,
        **doubles,
    )

    def die(arguments):
        deaths.append(arguments.exc_value)
        worker._queue.put(None)

    with mock.patch("threading.excepthook", die):
        worker.run()
    for death in deaths:
        raise death
    return [json.loads(line) for line in stream.getvalue().splitlines()]
