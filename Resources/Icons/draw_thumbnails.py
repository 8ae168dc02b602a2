"""Draw thumbnails of the sample volumes: python Resources/Icons/draw_thumbnails.py FILE...

The files are the volumes of scene/sample_data.py, identified by their SHA-256.
"""

import ast
import hashlib
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from MRISuperResLib.core.io.formats import read_volume

MODULE = Path(__file__).resolve().parents[2] / "MRISuperRes"
SIZE = 260, 280  # as in Slicer's module template
CROPS = {"SampleFetusT2": (11, 80, 274, 108, 288), "SampleBrainT2": (22, 30, 360, 22, 328)}
"""Slice, first and last row, first and last column of each thumbnail."""


def samples():
    """Return {SHA-256: name of the thumbnail}.

    The names come from the source, because it cannot be imported without Slicer.
    """
    source = MODULE / "MRISuperResLib" / "scene" / "sample_data.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Sample"
    ]
    return {call.args[2].value: call.args[3].value.partition(".")[0] for call in calls}


def draw(path, name):
    number, top, bottom, left, right = CROPS[name]
    image = read_volume(path).array[number].astype(float)
    low, high = np.percentile(image, (0.5, 99.7))
    gray = np.clip((image - low) / (high - low) * 255, 0, 255).astype(np.uint8)[
        top:bottom, left:right
    ]
    picture = ImageOps.pad(Image.fromarray(gray), SIZE, Image.Resampling.LANCZOS)
    picture.save(MODULE / "Resources" / "Icons" / f"{name}.png", optimize=True)


if __name__ == "__main__":
    known = samples()
    for path in map(Path, sys.argv[1:]):
        draw(path, known[hashlib.sha256(path.read_bytes()).hexdigest()])
