"""From volume files to normalized slices, once for all runs: what can't be learnt from is named, with the reason."""

import contextlib
import dataclasses
import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MRISuperResLib.core import geometry, intensity, resampling, slice_axis
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io import read_volume

from . import cache
from .source import Source, one_use_per_subject

VERSION = 1  # of what _write_slices makes of a file: files of another version are made anew

LEAST_CONTRAST = 0.05
"""Standard deviation of a slice's normalized intensities: those with less show air, or a corner of the body."""

MOST_EQUAL = 0.5
"""Part of the neighboring voxels, outside the background, that may have the same value: MRI stays below 0.3, also in 8 bits."""

DETACHED = (".mhd", ".nhdr")
"""Headers whose voxels are in another file."""

SAMPLE = 2**22
"""Voxels: of larger volumes every n-th slice is enough to tell a label map."""


@dataclass(frozen=True)
class PreparedVolume:
    """The slices of one volume.

    sha256: of the content of its file. file: of the slices, in the cache. pixel: (height, width) of their pixels, distance:
    from slice to slice, mm. kept: the numbers of the slices that are used; left_out: of the others, each with the reason.
    messages: sentences for the user.
    """

    source: Source
    sha256: str
    file: Path
    pixel: tuple
    distance: float
    kept: tuple
    left_out: dict
    messages: tuple

    @functools.cached_property
    def slices(self):
        """(n, h, w) float32, all of them by their number, about 0–1, mapped from the file: nothing is read before it is used."""
        return np.asarray(
            np.load(self.file, mmap_mode="r")
        )  # a plain view: cutting patches from it is faster


def prepare(sources, settings, cache=None, progress=None):
    """([PreparedVolume], [(path, sentence)] of what can't be learnt from), in the order of the sources; those for "test" are not among them.

    sources: source.Source. settings: DataSettings. cache: a folder, by default cache.default_folder(). progress(done, total).
    Raises SuperResolutionError: a subject on both sides (kind "settings"), a cache that can't be written ("environment").
    """
    sources = one_use_per_subject(sources)
    folder = Path(cache or cache.default_folder())
    volumes, unsuitable, known = [], [], {}
    for source in sources:
        if source.use == "test":
            with contextlib.suppress(SuperResolutionError):
                known[content_hash(source.path)] = source.path
    wanted = [source for source in sources if source.use != "test"]
    for done, source in enumerate(wanted):
        if progress:
            progress(done, len(wanted))
        try:
            sha256 = content_hash(source.path)
            if (first := known.setdefault(sha256, source.path)) != source.path:
                raise SuperResolutionError(f"It has the same content as {first}.")
            volumes.append(_prepared(source, sha256, settings, folder))
        except SuperResolutionError as e:
            if e.kind == "environment":
                raise
            unsuitable.append((source.path, str(e)))
    if progress:
        progress(len(wanted), len(wanted))
    return volumes, unsuitable


def content_hash(path):
    """SHA-256 of a file, in hexadecimal digits; of a folder, of its files and their names; of a header whose voxels lie elsewhere, of these too."""
    path = Path(path)
    digest = hashlib.sha256()
    try:
        if path.is_dir():
            for file in sorted(file for file in path.rglob("*") if file.is_file()):
                digest.update(
                    f"{file.relative_to(path).as_posix()}\0{content_hash(file)}\0".encode()
                )
        elif path.suffix.lower() in DETACHED:
            volume = read_volume(path)
            for array in (volume.array, volume.ijk_to_ras):
                digest.update(f"{array.dtype.str}{array.shape}\0".encode() + array.tobytes())
        else:
            with open(path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        raise SuperResolutionError(
            f"{path} can't be read ({e.strerror or e}): check that it is there and that you may open it."
        ) from e
    return digest.hexdigest()


def _prepared(source, sha256, settings, folder):
    side = settings.patch if settings.patches == "resample" else None
    key = hashlib.sha256(json.dumps([VERSION, settings.axis, side]).encode()).hexdigest()[:16]
    file = folder / f"{sha256}-{key}.npy"
    stored = cache.read(file)
    if stored is None:
        _write_slices(source.path, settings.axis, side, file)
        stored = cache.read(file)
    if stored is None:
        raise SuperResolutionError(
            f"{file} was written, but reads otherwise: check the disk, or choose another folder for the cache.",
            "environment",
        )
    stack, description = stored
    _check_size(stack.shape, settings.patch)
    left_out = _left_out(description["contrast"]) if settings.pre_check else {}
    if len(left_out) == len(stack):
        raise SuperResolutionError(
            f"None of its {len(stack)} slices shows anything to learn from (the best: {max(description['contrast']):.2f}, "
            f"needed: contrast {LEAST_CONTRAST}): look at the volume, or switch the pre-check off."
        )
    kept = tuple(number for number in range(len(stack)) if number not in left_out)
    return PreparedVolume(
        source,
        sha256,
        file,
        tuple(description["pixel"]),
        description["distance"],
        kept,
        left_out,
        tuple(description["messages"]),
    )


def _write_slices(path, wanted_axis, side, file):
    """side: of the shorter side of the slices, to which they are shrunk; None leaves them as they are."""
    volume = read_volume(path)
    voxels, mask = intensity.mask_non_finite(volume.array)
    axis = slice_axis.choose_slice_axis(volume.ijk_to_ras, wanted_axis)
    stack = np.moveaxis(voxels, axis.numpy_axis, 0)
    _check_content(stack)
    messages = [*volume.messages, f"Taken: {axis}."]
    if mask is not None:
        messages.append(
            f"{mask.sum()} of {mask.size} voxels are NaN or infinite: they count as dark."
        )
    height, width = stack.shape[1:]
    if side is not None:
        _check_size(stack.shape, side)
        height, width = (round(pixels * side / min(stack.shape[1:])) for pixels in stack.shape[1:])
    spacing = np.delete(geometry.spacing(volume.ijk_to_ras), axis.axis)[::-1]  # rows, columns
    scale = intensity.Intensity.of(voxels)
    contrast = []

    def images():
        for image in stack:
            image = scale.normalize(image)
            if side is not None:
                image = resampling.resize(image, (height, width))
            contrast.append(round(float(image.std()), 4))
            yield image

    def describe():
        return {
            "pixel": [
                float(mm * whole / size)
                for mm, whole, size in zip(spacing, stack.shape[1:], (height, width))
            ],
            "distance": float(geometry.spacing(volume.ijk_to_ras)[axis.axis]),
            "contrast": contrast,
            "messages": messages,
        }

    cache.write(file, (len(stack), height, width), images(), describe)


def _check_content(stack):
    """Raises SuperResolutionError for what is no image. stack: (n, h, w), finite."""
    values = stack.min(), stack.max()
    if values[0] == values[1]:
        raise SuperResolutionError(f"All of its voxels are {values[0]}: there is no image in it.")
    some = stack[:: max(1, stack.size // SAMPLE)]
    levels, counts = np.unique(some, return_counts=True)
    background = levels[np.argmax(counts)]
    left, right = some[..., :-1], some[..., 1:]
    inside = (left != background) | (right != background)
    equal = np.count_nonzero(inside & (left == right)) / max(np.count_nonzero(inside), 1)
    if equal > MOST_EQUAL:
        raise SuperResolutionError(
            f"{equal:.0%} of its neighboring voxels have the same value: it seems to be a label map, or an image that was "
            "enlarged without interpolation; give the acquired image."
        )


def _check_size(shape, patch):
    if min(shape[1:]) < patch:
        raise SuperResolutionError(
            f"Its slices have {shape[2]}×{shape[1]} pixels, less than a patch of {patch}×{patch}: choose a smaller patch, or another "
            "slice direction."
        )


def _left_out(contrast):
    return {
        number: f"empty: contrast {value:.2f} below {LEAST_CONTRAST}"
        for number, value in enumerate(contrast)
        if value < LEAST_CONTRAST
    }


def restricted(volume, kept, reasons):
    """The volume with fewer slices. kept: their numbers; reasons: of the others, as left_out."""
    return dataclasses.replace(volume, kept=tuple(kept), left_out=volume.left_out | reasons)
