"""A training run on disk: run.json says what it was made of."""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from MRISuperResLib.core.errors import MRISuperResError
from MRISuperResLib.core.provenance import versions


def write_description(run, recipe, scale, data, used, start_from):
    """run.json: recipe, scale, the training files that are used (hash, pixel size), versions, the run it starts from.

    used: dataset.SlicePairs; data: the folder that their paths start from.
    """
    files = [{"path": v.source.path, "sha256": hashlib.sha256((Path(data) / v.source.path).read_bytes()).hexdigest(),
              "slices": len(v.high), "pixel": list(v.pixel)} for v in used]
    description = {"recipe": asdict(recipe), "scale": scale, "start_from": Path(start_from).name if start_from else None,
                   "data": files, "versions": versions()}
    Path(run).mkdir(parents=True, exist_ok=True)
    write_whole(Path(run) / "run.json", json.dumps(description, indent=1, ensure_ascii=False).encode())


def write_whole(path, content):
    """Writes bytes to a file that appears whole or not at all."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def read_description(run):
    """Raises MRISuperResError (kind "settings") where the folder holds no run."""
    try:
        return json.loads((Path(run) / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise MRISuperResError(f"{run} is not the folder of a training run ({e}): name one that “train” made.", "settings") from e
