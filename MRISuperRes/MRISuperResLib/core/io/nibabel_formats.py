"""FreeSurfer (MGH), MINC, Philips PAR/REC and AFNI files, by nibabel.

The voxel indices (i, j, k) are those of nibabel. Voxels are checked for completeness.
"""

from __future__ import annotations

import importlib
import io
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.brikhead import AFNIHeader, parse_AFNI_header
from nibabel.externals.netcdf import netcdf_file
from nibabel.freesurfer.mghformat import DATA_OFFSET, MGHHeader
from nibabel.minc1 import Minc1File, MincError
from nibabel.minc2 import Minc2File
from nibabel.parrec import PARRECError, PARRECHeader
from nibabel.spatialimages import ImageDataError

from ..errors import SuperResolutionError
from ..messages import Message, info, warning
from ..volume import Volume
from .checks import (
    check_grid,
    choose_frame,
    find_partner,
    not_scalar,
    out_of_memory,
    unknown_orientation,
)
from .inflate import damage, open_file, open_voxels, verify_checksum
from .nifti import DAMAGED_HEADER, is_exact_in_single, read_last

DAMAGED = (*DAMAGED_HEADER, PARRECError, MincError, ImageDataError, AssertionError, AttributeError)
"""Exceptions that nibabel raises for damaged headers of these formats."""
MGH_HEADER_SIZE = 90
MGH_SCAN_PARAMETERS = 20  # bytes between voxels and tags
MGH_COLOR_TABLE = 1
MGH_TAGS_WITHOUT_LENGTH = (2, 20)
PAR_OF_A_VOLUME = (
    *("echo number", "dynamic scan number", "cardiac phase number", "image_type_mr"),
    *("scanning sequence", "echo_time", "image_flip_angle", "diffusion_b_factor"),
    *("diffusion b value number", "gradient orientation number", "label type"),
)
"""Columns of a PAR file that all slices of a volume share."""
PAR_OF_ALL = ("slice orientation", "recon resolution", "pixel spacing", "image angulation")
"""Columns that all images of a regular stack share."""
AFNI_LABELS = frozenset(("INT_CMAP", "VALUE_LABEL_DTABLE", "ATLAS_LABEL_TABLE"))
"""Attributes of AFNI files with regions instead of intensities."""
AFNI_NOT_SCALAR = frozenset((5, 6, 7))
"""Voxel types of AFNI for complex numbers and colors."""
POSITION_TOLERANCE = 0.1
"""Difference of slice positions within a PAR file, which has two decimals: mm and fraction."""


@dataclass
class _Image:
    """Header of a file, and the way to its voxels.

    Attributes:
        ijk_to_ras: Voxel indices to patient coordinates, (4, 4), mm.
        size: Voxel counts (ni, nj, nk).
        frames: Number of volumes.
        dtype: Type that holds the values of all volumes.
        read: Returns the values (i, j, k) of a volume.
        messages: Messages about the header.
        labels: Description of each volume; empty if there is none.
        is_labels: True for a label map.
    """

    ijk_to_ras: np.ndarray
    size: tuple[int, ...]
    frames: int
    dtype: np.dtype
    read: Callable[[int], np.ndarray]
    messages: list[Message] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    is_labels: bool = False


def read_by_nibabel(path: Path, format_name: str, frame: int | None, data: Path | None) -> Volume:
    """Read an MGH, MINC, PAR/REC or AFNI file.

    Args:
        path: The file with the header.
        format_name: A key of `READERS`.
        frame: Index of the volume in a file with several, counted from 0.
        data: The file with the voxels, where they are separate; None: the one beside the header.

    Raises:
        SuperResolutionError: The file does not hold one complete scalar volume; (kind "memory") it
            does not fit into memory; (kind "packages") a package is missing.
    """
    name = path.name
    with damage(name, *DAMAGED), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy and nibabel warn about damaged headers
        image = READERS[format_name](path, data)
        if min(image.size) < 1 or image.frames < 1 or len(image.size) != 3:
            raise ValueError(f"size {'×'.join(map(str, image.size))}")
        check_grid(name, image.ijk_to_ras)
        chosen = choose_frame(name, image.frames, frame)
        try:
            array = image.read(chosen).astype(image.dtype.newbyteorder("="), copy=False)
        except MemoryError as e:
            raise out_of_memory(name, image.size, 8) from e
        if image.frames > 1 and len(image.labels) == image.frames:
            label = f"Frame {chosen} of {image.frames}: {image.labels[chosen]}."
            image.messages.append(info("series", label))
    place, messages = image.ijk_to_ras, tuple(image.messages)
    return Volume(np.ascontiguousarray(array.T), place, messages, is_labels=image.is_labels)


def _value_type(stored: np.dtype, slopes: np.ndarray, intercepts: np.ndarray) -> np.dtype:
    """Return the smallest type that holds all scaled values, or the stored type if unscaled."""
    if not (np.isfinite(slopes).all() and np.isfinite(intercepts).all()):
        raise ValueError("its scaling is not a number")
    if (slopes == 1).all() and (intercepts == 0).all():
        return stored
    steps, largest = np.abs(slopes[slopes != 0]), float(np.abs(intercepts).max())
    is_single = all(
        is_exact_in_single(stored, float(step), largest)
        for step in (steps.min(initial=1), steps.max(initial=1))
    )
    return np.dtype(np.float32 if is_single else np.float64)


def _mgh(path: Path, _: Path | None) -> _Image:
    with open_file(path) as file:
        head = file.read(MGH_HEADER_SIZE)
    if len(head) < MGH_HEADER_SIZE:
        raise EOFError("its header is incomplete")
    header = MGHHeader(head, check=False)
    *size, frames = (int(n) for n in header["dims"])
    dtype = header.get_data_dtype()
    messages = []
    if not any(head[28:30]):  # nibabel has replaced the flag
        messages.append(unknown_orientation(path.name, "goodRASFlag is 0"))

    def read(frame: int) -> np.ndarray:
        with open_file(path) as file:
            shape = (*size, frames)
            proxy = ArrayProxy(file, (shape, dtype, DATA_OFFSET), mmap=False)
            array = read_last(proxy, frame, path.name)
            file.seek(DATA_OFFSET + dtype.itemsize * int(np.prod(shape)))
            image.is_labels = _has_color_table(file.read(2**20))
            verify_checksum(file)
        return array

    image = _Image(header.get_affine(), (*size,), frames, dtype, read, messages=messages)
    return image


def _has_color_table(footer: bytes) -> bool:
    """Return True for the tags of a label map; raise EOFError if voxels are missing."""
    position = MGH_SCAN_PARAMETERS
    if len(footer) % 4 and len(footer) < position:
        raise EOFError("voxels are missing")
    while position + 12 <= len(footer):
        tag, length = struct.unpack_from(">iq", footer, position)
        if tag in (MGH_COLOR_TABLE, *MGH_TAGS_WITHOUT_LENGTH):
            return bool(tag == MGH_COLOR_TABLE)
        position += 12 + max(length, 0)
    return False


def _minc1(path: Path, _: Path | None) -> _Image:
    with open_file(path) as file:
        content = io.BytesIO(file.read())
    try:
        dataset = netcdf_file(content)
    except ValueError as e:  # also that of numpy for missing voxels
        raise EOFError("its header or its voxels are incomplete") from e
    if "vector_dimension" in dataset.variables["image"].dimensions:
        raise not_scalar(path.name, "several")
    return _minc(path.name, Minc1File(dataset))


def _minc2(path: Path, _: Path | None) -> _Image:
    try:
        h5py: Any = importlib.import_module("h5py")
    except ImportError as e:
        raise SuperResolutionError(
            f"{path.name} is an HDF5 file, as MINC 2 is. Reading it needs the Python package h5py: "
            "install it, or convert the file to NIfTI with mnc2nii.",
            "packages",
        ) from e
    try:
        file = h5py.File(path, "r")
    except OSError as e:  # without errno
        raise EOFError("HDF5 cannot open it") from e
    if "vector_dimension" in str(file["minc-2.0"]["image"]["0"]["image"].attrs.get("dimorder")):
        raise not_scalar(path.name, "several")
    return _minc(path.name, Minc2File(file))


def _minc(name: str, file: Minc1File) -> _Image:
    """Return the image of a MINC file, whose axes may come in any order, time included."""
    names, shape = list(file._dim_names), file.get_data_shape()
    spatial = [axis for axis, label in enumerate(names) if label.endswith("space")]
    others = [axis for axis in range(len(names)) if axis not in spatial]
    if len(spatial) != 3:
        raise SuperResolutionError(
            f"{name} is an image with {len(spatial)} axes in space, but three are needed."
        )
    frames = int(np.prod([shape[axis] for axis in others]))
    if max([1, *(shape[axis] for axis in others)]) != frames:
        raise not_scalar(name, frames)
    messages = []
    if not all(hasattr(file._dims[axis], "step") for axis in spatial):
        text = f"{name} gives no voxel size along some axes; 1 mm is assumed."
        messages.append(warning("position", text))
    dtype = file.get_data_dtype()
    if dtype.kind != "f":
        low, high = file._get_valid_range()
        smallest, largest = (
            np.asarray(file._get_array(variable) if variable.shape else file._get_scalar(variable))
            for variable in (file._image_min, file._image_max)
        )
        slopes = np.asarray((largest - smallest.astype(float)) / (high - low))
        dtype = _value_type(dtype, slopes, smallest - low * slopes)

    def read(frame: int) -> np.ndarray:
        part: list[Any] = [slice(None)] * len(names)
        for axis in others:
            part[axis] = frame if shape[axis] > 1 else 0
        return np.asarray(file.get_scaled_data(tuple(part)))

    size = tuple(int(shape[axis]) for axis in spatial)
    return _Image(file.get_affine(), size, frames, dtype, read, messages)


def _par_rec(path: Path, data: Path | None) -> _Image:
    """Return the image of a PAR/REC pair: displayed values, as DICOM files of the scanner hold."""
    name = path.name
    try:
        text = io.StringIO(path.read_text("latin-1"))
        header = PARRECHeader.from_fileobj(text, strict_sort=True)
        order = np.asarray(header.get_sorted_slice_indices())
        size = tuple(int(n) for n in header.get_data_shape()[:3])
        images = header.image_defs[order].reshape(-1, size[2])
        _check_alike(name, images)
        ijk_to_ras = header.get_affine()
    except PARRECError as e:
        raise SuperResolutionError(
            f"{name} describes no complete volume ({str(e).splitlines()[0]}). Export it again."
        ) from e
    messages = _check_positions(name, images, ijk_to_ras)
    stored = header.get_data_dtype()
    slopes, intercepts = images["rescale slope"], images["rescale intercept"]
    dtype = _value_type(stored, slopes, intercepts)
    places = images["index in REC file"]
    if sorted(places.ravel()) != list(range(places.size)):
        raise ValueError("its images are not numbered as in the REC file")

    def read(frame: int) -> np.ndarray:
        array = np.empty(size, dtype)
        with _open_data(path, data, (".rec",), places.size * size[0] * size[1], stored) as file:
            proxy = ArrayProxy(file, ((*size[:2], places.size), stored, 0), mmap=False)
            for k, place in enumerate(places[frame]):
                values = read_last(proxy, int(place), name)
                array[..., k] = values * slopes[frame, k] + intercepts[frame, k]
        return array

    columns = [key for key in PAR_OF_A_VOLUME if key in (images.dtype.names or ())]
    varying = [key for key in columns if len(np.unique(images[key])) > 1]
    labels = [", ".join(f"{key} {volume[key][0]}" for key in varying) for volume in images]
    return _Image(ijk_to_ras, size, len(images), dtype, read, messages, labels)


def _check_alike(name: str, images: np.ndarray) -> None:
    """Refuse volumes whose slices differ in what distinguishes volumes; images: (frames, nk)."""
    for key in PAR_OF_ALL:
        if np.ptp(images[key], axis=(0, 1)).max() > 0:
            raise SuperResolutionError(
                f"The slices of {name} differ in their {key}, as in a localizer. Export one stack."
            )
    for key in PAR_OF_A_VOLUME:
        if key in (images.dtype.names or ()) and (images[key] != images[key][:, :1]).any():
            raise SuperResolutionError(
                f"{name} mixes volumes: some of its slices differ in their {key}. Export one "
                "volume."
            )


def _check_positions(name: str, images: np.ndarray, ijk_to_ras: np.ndarray) -> list[Message]:
    """Compare the position of each image (ap, fh, rl; mm) with that of the grid."""
    middle = (images["recon resolution"][0, 0] - 1) / 2
    grid = np.array([ijk_to_ras[:3] @ (*middle, k, 1) for k in range(images.shape[1])])
    places = images["image offcentre"] @ np.array([[0, -1, 0], [0, 0, 1], [-1, 0, 0]])
    difference = places - grid
    tolerance = POSITION_TOLERANCE * (1 + np.linalg.norm(ijk_to_ras[:3, 2]))
    if np.abs(difference).max() <= tolerance:
        return []
    if np.ptp(places, axis=1).max() > 0 and np.ptp(difference, axis=(0, 1)).max() > tolerance:
        raise SuperResolutionError(
            f"The slices of {name} do not lie where its general information says, as in a file "
            "with several stacks. Export one stack."
        )
    text = f"{name} gives two different positions. That of its general information is used."
    return [warning("position", text)]


def _afni(path: Path, data: Path | None) -> _Image:
    name = path.name
    attributes = parse_AFNI_header(io.StringIO(path.read_text("latin-1").strip()))
    is_labels = bool(AFNI_LABELS & {key for key, value in attributes.items() if value})
    if AFNI_NOT_SCALAR & set(np.atleast_1d(attributes["BRICK_TYPES"]).tolist()):
        raise not_scalar(name, "several")
    header = AFNIHeader(attributes)
    stored = header.get_data_dtype()
    *size, frames = (int(n) for n in header.get_data_shape())
    factors = header.get_data_scaling()
    factors = np.ones(frames) if factors is None else factors
    if len(factors) != frames:
        raise ValueError("BRICK_FLOAT_FACS")
    dtype = _value_type(stored, factors, np.zeros(1))

    def read(frame: int) -> np.ndarray:
        shape = (*size, frames)
        with _open_data(path, data, (".brik", ".brik.gz"), int(np.prod(shape)), stored) as file:
            array = read_last(ArrayProxy(file, (shape, stored, 0), mmap=False), frame, name)
            verify_checksum(file)
        return array if dtype == stored else (array * factors[frame]).astype(dtype)

    place, labels = header.get_affine(), header.get_volume_labels() or []
    return _Image(place, (*size,), frames, dtype, read, labels=labels, is_labels=is_labels)


def _open_data(
    header: Path, data: Path | None, extensions: tuple[str, ...], count: int, dtype: np.dtype
) -> IO[bytes]:
    """Open the file with the voxels, whose length must be that of the header."""
    path = data or find_partner(header, extensions)
    file = open_voxels(path)
    if not path.name.lower().endswith(".gz") and path.stat().st_size > count * dtype.itemsize:
        file.close()
        raise SuperResolutionError(
            f"{path.name} holds more voxels than {header.name} says. Export both again."
        )
    return file


READERS = {"MGH": _mgh, "MINC 1": _minc1, "MINC 2": _minc2, "PAR/REC": _par_rec, "AFNI": _afni}
