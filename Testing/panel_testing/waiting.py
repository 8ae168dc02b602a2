"""Event loop: let Qt work without sleeping."""

import time


def process_events(rounds=3):
    """Process queued signals and deletions."""
    import slicer

    for _ in range(rounds):
        slicer.app.processEvents()


def wait_until(condition, timeout=30.0, message="the condition did not become true"):
    """Process events until condition() is true.

    Args:
        condition: Function without arguments.
        timeout: Limit in seconds.
        message: Start of the error message.

    Returns:
        The value of condition().

    Raises:
        AssertionError: condition() is still false after `timeout` seconds.
    """
    import qt

    loop, timer = qt.QEventLoop(), qt.QTimer()
    # wakes the loop, so that the condition is also checked without other events
    timer.setInterval(10)
    timer.start()
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{message} within {timeout} s")
        loop.processEvents(qt.QEventLoop.WaitForMoreEvents)
    timer.stop()
    return value


def wait_for_signal(sender, signature, timeout=30.0):
    """Process events until the sender emits the signal."""
    came = []
    slot = lambda: came.append(True)  # noqa: E731
    sender.connect(signature, slot)
    try:
        wait_until(lambda: came, timeout, f"the signal {signature} did not come")
    finally:
        sender.disconnect(signature, slot)
