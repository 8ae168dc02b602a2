"""Preparation of volumes: normalized slices, computed once for all runs and cached."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from MRISuperResLib.core import geometry, intensity, resampling
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.geometry import SliceAxis
from MRISuperResLib.core.io.checks import ChoiceError
from MRISuperResLib.core.io.formats import read_frames
from MRISuperResLib.core.masking import ImageVoxels
from MRISuperResLib.core.messages import Message, info
from MRISuperResLib.core.options import DEFAULT_SCALE
from MRISuperResLib.core.progress import CancelCheck, ProgressCallback, ProgressMeter
from MRISuperResLib.core.volume import Volume

from ..options.settings import DataSettings
from . import cache
from .pairs import check_settings, read_low
from .sources import Skipped, Source, one_use_per_subject

VERSION = 4
"""Version of the output of `_write_slices`; cached files of other versions are ignored."""

MIN_CONTRAST = 0.05
"""Smallest standard deviation of the normalized intensities of a slice with anatomy."""

MAX_EQUAL_NEIGHBORS = 0.5
"""Largest share of equal neighboring voxels outside the background.

MRI stays below 0.3, even in 8 bits. Label maps and images that were upsampled without interpolation
exceed the limit."""

DETACHED = (".mhd", ".nhdr", ".hdr", ".hdr.gz", ".par", ".head")
"""Extensions of headers whose voxels are in another file."""

SAMPLED_VOXELS = 2**22
"""Voxels that suffice to recognize a label map: of larger volumes, every n-th slice is checked."""

Exclusion = Literal["empty", "gap", "validation", "training"]
"""Reason to leave a slice out: little or no anatomy, too close to a held-out slice, held out,
used for training."""


@dataclass(frozen=True)
class PreparedVolume:
    """The slices of a volume.

    Attributes:
        source: The volume file.
        sha256: SHA-256 of its content.
        file: The slices in the cache.
        spacing: In-plane spacing (between rows, between columns), mm.
        slice_spacing: Slice spacing, mm.
        kept: Numbers of the slices that are used.
        left_out: Numbers of the other slices, each with the reason.
        messages: Messages about the volume.
        low_sha256: SHA-256 of the low-resolution file of an own pair, or empty.
        low_file: Its slices in the cache, or None.
        frames: Number of frames in the file.
    """

    source: Source
    sha256: str
    file: Path
    spacing: tuple[float, float]
    slice_spacing: float
    kept: tuple[int, ...]
    left_out: dict[int, Exclusion]
    messages: tuple[Message, ...]
    low_sha256: str = ""
    low_file: Path | None = None
    frames: int = 1

    @functools.cached_property
    def slices(self) -> np.ndarray:
        """All slices (n, h, w), float32, about 0 to 1, memory-mapped."""
        # a plain view, since patches are cut from it faster than from a memmap
        return np.asarray(np.load(self.file, mmap_mode="r"))

    @functools.cached_property
    def low_slices(self) -> np.ndarray | None:
        """All low-resolution slices (n, h/scale, w/scale) of an own pair, as `slices`; or None."""
        return np.asarray(np.load(self.low_file, mmap_mode="r")) if self.low_file else None

    def restricted(self, kept: Iterable[int], left_out: Mapping[int, Exclusion]) -> PreparedVolume:
        """Return the volume with fewer slices.

        Args:
            kept: Numbers of the slices to keep.
            left_out: Numbers of the other slices, each with the reason.
        """
        return dataclasses.replace(self, kept=tuple(kept), left_out=self.left_out | dict(left_out))


def prepare(
    sources: Iterable[Source],
    settings: DataSettings,
    folder: str | Path | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
    scale: int = DEFAULT_SCALE,
) -> tuple[list[PreparedVolume], Skipped]:
    """Prepare volumes for training.

    Args:
        sources: Volume files; those for "test" are not prepared.
        settings: Settings of the data.
        folder: Folder of the cache; None: `cache.default_folder()`.
        on_progress: Called with the number of prepared volumes.
        is_cancelled: Called between volumes.
        scale: Upsampling factor, which own pairs must have.

    Returns:
        The prepared volumes in the order of the sources, and the files that cannot be used.

    Raises:
        SuperResolutionError: A subject has two uses (kind "settings"), or the cache is not
            writable (kind "environment").
        Cancelled: `is_cancelled` returned True.
    """
    sources = one_use_per_subject(sources)
    folder = Path(folder or cache.default_folder())
    volumes: list[PreparedVolume] = []
    unusable: Skipped = []
    first: dict[tuple[str, str], str] = {}  # by content and series
    for source in sources:
        if source.use == "test":
            with contextlib.suppress(SuperResolutionError):
                first[content_hash(source.path), source.series] = source.label
    requested = [source for source in sources if source.use != "test"]
    meter = ProgressMeter()
    for done, source in enumerate(requested):
        if on_progress:
            on_progress(meter.update(done, len(requested)))
        if is_cancelled and is_cancelled():
            raise Cancelled
        try:
            sha256 = content_hash(source.path)
            if (same := first.setdefault((sha256, source.series), source.label)) != source.label:
                raise SuperResolutionError(f"Same content as {same}.")
            volume = _prepared(source, sha256, settings, folder, scale)
            further = sorted({volume.frames // 2, volume.frames - 1} - {0})
            volumes += [
                volume,
                *(_prepared(source, sha256, settings, folder, scale, frame) for frame in further),
            ]
        except SuperResolutionError as e:
            if e.kind == "environment":
                raise
            unusable.append((source.label, _reason(e)))
    if on_progress:
        on_progress(meter.update(len(requested), len(requested)))
    return volumes, unusable


def _reason(error: SuperResolutionError) -> str:
    if isinstance(error, ChoiceError) and error.choice == "series":
        return f"{error.state} Choose one in the column “series” of a list."
    return str(error)


def content_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file, of a folder with its file names, or of detached voxels.

    Raises:
        SuperResolutionError: The file cannot be read.
    """
    path = Path(path)
    digest = hashlib.sha256()
    try:
        if path.is_dir():
            for file in sorted(file for file in path.rglob("*") if file.is_file()):
                name = file.relative_to(path).as_posix()
                digest.update(f"{name}\0{content_hash(file)}\0".encode())
        elif path.name.lower().endswith(DETACHED):
            for volume in read_frames(path):
                for array in (volume.array, volume.ijk_to_ras):
                    digest.update(f"{array.dtype.str}{array.shape}\0".encode() + array.tobytes())
        else:
            with open(path, "rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as e:
        raise SuperResolutionError(
            f"Cannot read {path} ({e.strerror or e}): check that it exists and its permissions."
        ) from e
    return digest.hexdigest()


def _prepared(
    source: Source,
    sha256: str,
    settings: DataSettings,
    folder: Path,
    scale: int,
    frame: int = 0,
) -> PreparedVolume:
    side = settings.patch if settings.patches == "resample" else None
    if source.low:
        check_settings(settings)
    low_sha256 = content_hash(source.low) if source.low else ""
    pair = [low_sha256, scale] if source.low else []
    version = [VERSION, settings.slice_axis, side, source.series, frame, *pair]
    name = hashlib.sha256(json.dumps(version).encode()).hexdigest()[:16]
    file = folder / f"{sha256}-{name}.npy"
    low_file = folder / f"{sha256}-{name}-low.npy" if source.low else None
    stored = _read(file, low_file)
    if stored is None:
        _write_slices(source, frame, settings.slice_axis, side, scale, file, low_file)
        stored = _read(file, low_file)
    if stored is None:
        raise SuperResolutionError(
            f"{file} was written, but has another content when read: check the disk, or choose "
            "another cache folder.",
            "environment",
        )
    stack, description = stored
    _check_size(stack.shape, settings.patch)
    contrast = description["contrast"]
    left_out: dict[int, Exclusion] = {}
    if settings.pre_check:
        left_out = {n: "empty" for n, value in enumerate(contrast) if value < MIN_CONTRAST}
    if len(left_out) == len(stack):
        raise SuperResolutionError(
            f"None of its {len(stack)} slices shows anatomy (largest contrast "
            f"{max(contrast):.2f}, required {MIN_CONTRAST}): inspect the volume, or switch the "
            "pre-check off."
        )
    rows, columns = description["spacing"]
    return PreparedVolume(
        source,
        sha256,
        file,
        (rows, columns),
        description["slice_spacing"],
        tuple(number for number in range(len(stack)) if number not in left_out),
        left_out,
        tuple(Message.from_dict(values) for values in description["messages"]),
        low_sha256,
        low_file,
        description["frames"],
    )


def _read(file: Path, low_file: Path | None) -> tuple[np.ndarray, dict[str, Any]] | None:
    """Slices and description in the cache; None if they, or those of the pair, are not there."""
    return cache.read(file) if low_file is None or cache.read(low_file) else None


def _write_slices(
    source: Source,
    frame: int,
    requested_axis: str,
    side: int | None,
    scale: int,
    file: Path,
    low_file: Path | None,
) -> None:
    """Write the slices of a volume, the shorter side `side` pixels long; None: as acquired."""
    frames = read_frames(source.path, series=source.series or None)
    if source.low and len(frames) > 1:
        raise SuperResolutionError(
            f"It holds {len(frames)} frames, but the files of a pair must hold one each."
        )
    volume = frames[frame]
    low = read_low(source, volume, scale, requested_axis)
    axis = geometry.choose_slice_axis(volume.ijk_to_ras, requested_axis, volume.size)
    messages = [*volume.messages, info("slice-axis", f"{axis.description(volume.ijk_to_ras)}.")]
    if len(frames) > 1:
        text = f"Frame {frame} of {len(frames)}. Of a 4D file, up to three frames are used."
        messages.append(info("data", text))
    slices, warnings = _normalized(volume, axis, side)
    messages += warnings
    if low is not None and low_file is not None:
        low_slices, warnings = _normalized(low, axis)
        messages += [*low.messages, *warnings]
        cache.write(low_file, low_slices, {})
    spacing, size = geometry.spacing(volume.ijk_to_ras), np.delete(volume.size, axis.index)[::-1]
    in_plane = np.delete(spacing, axis.index)[::-1]  # rows, columns
    sides = zip(in_plane, size, slices.shape[1:])
    description: dict[str, Any] = {
        "frames": len(frames),
        "spacing": [float(mm * old / new) for mm, old, new in sides],
        "slice_spacing": float(spacing[axis.index]),
        "contrast": [round(float(image.std()), 4) for image in slices],
        "messages": [message.to_dict() for message in messages],
    }
    cache.write(file, slices, description)


def _normalized(
    volume: Volume, axis: SliceAxis, side: int | None = None
) -> tuple[np.ndarray, list[Message]]:
    """Slices (n, h, w), float32, normalized by the percentiles of the volume; and messages.

    Those of an own pair are normalized one by one, as the input is when a model is used: two
    acquisitions have different gains, which a common range would teach the network.
    """
    voxels = ImageVoxels.of(volume)
    stack = np.moveaxis(voxels.array, axis.numpy_axis, 0)
    _check_content(stack)
    size = height, width = stack.shape[1:]
    if side is not None:
        _check_size(stack.shape, side)
        height, width = (round(pixels * side / min(size)) for pixels in size)
    scale = intensity.Intensity.of(voxels.values)
    slices = np.empty((len(stack), height, width), np.float32)
    for number, voxels_of_slice in enumerate(stack):
        image = scale.normalize(voxels_of_slice)
        slices[number] = image if side is None else resampling.resize(image, (height, width))
    return slices, list(voxels.messages)


def _check_content(stack: np.ndarray) -> None:
    """Refuse constant volumes and label maps, (n, h, w)."""
    low = stack.min()
    if low == stack.max():
        raise SuperResolutionError(f"All its voxels are {low}: the volume contains no image.")
    some = stack[:: max(1, stack.size // SAMPLED_VOXELS)]
    levels, counts = np.unique(some, return_counts=True)
    background = levels[np.argmax(counts)]
    left, right = some[..., :-1], some[..., 1:]
    is_inside = (left != background) | (right != background)
    equal = np.count_nonzero(is_inside & (left == right)) / max(int(np.count_nonzero(is_inside)), 1)
    if equal > MAX_EQUAL_NEIGHBORS:
        raise SuperResolutionError(
            f"{equal:.0%} of its neighboring voxels are equal: it seems to be a label map, or an "
            "image upsampled without interpolation. Provide the acquired image."
        )


def _check_size(shape: tuple[int, ...], patch: int) -> None:
    if min(shape[1:]) < patch:
        raise SuperResolutionError(
            f"Its slices have {shape[2]}×{shape[1]} pixels, less than a patch of {patch}×{patch}: "
            "choose a smaller patch, or another slice direction."
        )
