"""All that a run needs to go on as if it had never been stopped.

No state of a random generator is among it: after the networks are made nothing is drawn but by the sampler, from the seed and the
step. On the same machine, with as many threads, a resumed run therefore has the same weights, bit for bit.
"""

import torch

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.atomic import atomic_file


def save(path, state):
    """state: nested dicts of tensors and numbers."""
    with atomic_file(path) as temporary:
        torch.save(state, temporary)


def load(path):
    """The state, on the CPU; None where there is no checkpoint yet. Raises SuperResolutionError (kind "settings") for another file."""
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (
        Exception
    ) as e:  # the reader raises whatever it meets in a file that is not what it seems
        raise SuperResolutionError(
            f"The checkpoint {path} can't be read ({type(e).__name__}): start the run again in a new folder.",
            "settings",
        ) from e
