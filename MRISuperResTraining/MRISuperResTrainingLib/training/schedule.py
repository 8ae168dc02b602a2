"""How the learning rate goes down."""

import math

HALVINGS = (1 / 8, 1 / 4, 1 / 2, 3 / 4)
"""ESRGAN's: after 50, 100, 200 and 300 of 400 thousand steps."""
WARM_UP = 1 / 50


def share(schedule, step, steps):
    """The part of the peak learning rate that is taken in a step, counted from 0.

    schedule: "constant", as the thesis has it; "halving", ESRGAN's; "cosine": linear warm-up over the first 2 %, then half
    a cosine down to zero.
    """
    if schedule == "constant":
        return 1.0
    if schedule == "halving":
        return 0.5 ** sum(step >= part * steps for part in HALVINGS)
    warm_up = max(1, int(steps * WARM_UP))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))
