"""Finds the volumes below a folder, in a BIDS tree, in a list or a recipe. What can't be used is named, with the reason."""

import os
import re
from pathlib import Path

from MRISuperResLib.core.io.discovery import find_volumes, strip_extension

from ..options.checked import wrong
from ..options.recipe import Recipe
from . import bids, list_file
from .source import UNSPECIFIED, Source


def read_sources(paths, anatomy=UNSPECIFIED, data=None):
    """([Source], [(path, sentence)] of what was skipped), in the order of the paths, each file once.

    paths: folders, BIDS trees (with folders sub-…/anat), lists (.txt, .tsv, .csv, see list_file), recipes (.json) and
    volume files. anatomy: of what does not say it. data: the folder from which the paths in a recipe start; default: that of the recipe.
    Raises SuperResolutionError (kind "settings") for a path that is not there, a list or recipe that can't be understood.
    """
    sources, skipped = {}, []
    for path in map(Path, paths):
        if not path.exists():
            raise wrong(f"There is no file or folder {path}: check the name.")
        found, left = _read(path, anatomy, data)
        skipped += left
        for source in found:
            if source.path in sources:
                skipped.append((source.path, "it is named twice, and was taken once."))
            else:
                sources[source.path] = source
    return list(sources.values()), skipped


def from_folder(folder, anatomy):
    """As read_sources. A file below a sub-folder belongs to the subject of that name, one directly in the folder is a subject of its own;
    but a name with sub-… in it says by itself whose it is. Hidden files and folders are passed over."""
    root = Path(os.path.abspath(folder))
    return [Source(str(path), _subject(path, root), anatomy) for path in find_volumes(root)], []


def subject_of(path):
    """sub-… where the name of a file says so, else the name without its extensions."""
    name = Path(path).name
    entity = re.match(r"(sub-[A-Za-z0-9]+)(?=[_.])", name)
    return entity[1] if entity else strip_extension(name)


def _subject(path, root):
    inner = path.relative_to(root).parts
    return inner[0] if len(inner) > 1 and not path.name.startswith("sub-") else subject_of(path)


def _read(path, anatomy, data):
    if path.is_dir():
        return bids.from_bids(path, anatomy) if bids.is_bids(path) else from_folder(path, anatomy)
    if path.suffix.lower() == ".json":
        return list_file.from_list(
            path.parent / Recipe.read(path).sources, anatomy, subject_of, data
        )
    if path.suffix.lower() in list_file.DELIMITERS:
        return list_file.from_list(path, anatomy, subject_of)
    return [Source(os.path.abspath(path), subject_of(path), anatomy)], []
