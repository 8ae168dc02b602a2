"""A network between slices for tests, and volumes it can be adapted to."""

import os
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from MRISuperResLib.core.models.store import FOLDERS_VARIABLE

from scene_helpers import make_volume

sys.path.append(str(Path(__file__).resolve().parents[1] / "Core"))

NAME = "made-tp"
CPU_SPEED = {"seconds_per_megapixel": 3.0, "threads": 2, "processor": "AMD EPYC"}
THICK = np.diag([1.0, 1.0, 4.0, 1.0])


def install_network(test):
    """Install a tiny network between slices until the end of a test; return its folder."""
    from made_models import THROUGH_PLANE, write_model

    folder = test.enterContext(tempfile.TemporaryDirectory())
    write_model(
        folder, NAME, 8, architecture=THROUGH_PLANE, title="Thick slices", cpu_speed=CPU_SPEED
    )
    test.enterContext(mock.patch.dict(os.environ, {FOLDERS_VARIABLE: folder}))
    return Path(folder)


def make_thick_volume(name="T2"):
    """Return a volume with thick slices that are large enough for the adaptation."""
    return make_volume(ijk_to_ras=THICK, size=(32, 36, 6), name=name)
