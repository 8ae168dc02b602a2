"""NIfTI-1 and NIfTI-2, after the header definitions nifti1.h and nifti2.h of the NIfTI Data Format Working Group.

Not left to ITK, which knows no NIfTI-2, fills a file that was cut short with zeros, reads NAME.nii where NAME.nii.gz was
asked for and both exist, and turns a sheared grid into a straight one, all without a word.
"""

import gzip
import json
import zlib
from pathlib import Path

import numpy as np

from . import geometry
from .errors import MRISuperResError
from .volume_checks import LPS_TO_RAS, check_grid, choose_frame, not_scalar, out_of_memory, segmentation

_VERSIONS = {
    348: {  # NIfTI-1
        "sizeof_hdr": (0, "i4"), "dim": (40, "8i2"), "intent_code": (68, "i2"), "datatype": (70, "i2"), "bitpix": (72, "i2"),
        "pixdim": (76, "8f4"), "vox_offset": (108, "f4"), "scl_slope": (112, "f4"), "scl_inter": (116, "f4"),
        "xyzt_units": (123, "u1"), "descrip": (148, "S80"), "qform_code": (252, "i2"), "sform_code": (254, "i2"),
        "quatern": (256, "3f4"), "qoffset": (268, "3f4"), "srow": (280, "(3,4)f4"), "magic": (344, "S4")},
    540: {  # NIfTI-2
        "sizeof_hdr": (0, "i4"), "magic": (4, "S8"), "datatype": (12, "i2"), "bitpix": (14, "i2"), "dim": (16, "8i8"),
        "pixdim": (104, "8f8"), "vox_offset": (168, "i8"), "scl_slope": (176, "f8"), "scl_inter": (184, "f8"),
        "descrip": (240, "S80"), "qform_code": (344, "i4"), "sform_code": (348, "i4"), "quatern": (352, "3f8"),
        "qoffset": (376, "3f8"), "srow": (400, "(3,4)f8"), "xyzt_units": (500, "i4"), "intent_code": (504, "i4")},
}
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_NOT_SCALAR = {128: 3, 2304: 4, 32: "complex", 1792: "complex", 2048: "complex"}
_INTENT_LABEL = 1002
_SPATIAL_UNIT = {1: 1000.0, 3: 0.001}
"""mm; 2 is mm, 0 (unknown) is taken as mm."""
_COMMENT = 6
"""The header extension that holds text."""
_MAX_SIZE = 32767


def is_nifti(head):
    """head: the first bytes of a file, unpacked."""
    return _layout(head) is not None


@np.errstate(all="ignore")  # NaN and infinities of a damaged header are found by comparison
def read_nifti(path, frame=None):
    """(array (k, j, i), ijk_to_ras (4, 4), messages) of a .nii, .nii.gz or .hdr file; frame: of a 4D file.

    Raises MRISuperResError (kind "input").
    """
    path, name = Path(path), Path(path).name
    try:
        with _open(path) as file:
            header = _header(file.read(540), name)
            sizes, frames = _sizes(header, name)
            dtype = _dtype(header, name)
            ijk_to_ras, messages = _matrix(header, name)
            check_grid(name, ijk_to_ras)
            start = _offset(header, name) + choose_frame(name, frames, frame) * int(np.prod(sizes)) * dtype.itemsize
            if header["magic"].startswith(b"n+"):
                array = _voxels(file, start, sizes, dtype, name)
            else:
                with _open(_data_file(path)) as data:
                    array = _voxels(data, start, sizes, dtype, name)
    except (EOFError, gzip.BadGzipFile, zlib.error) as e:
        raise MRISuperResError(f"{name} is damaged or cut short ({e}): copy or export it again.") from e
    return _scaled(array, header), ijk_to_ras, messages


def _open(path):
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else open(path, "rb")


def _layout(head):
    """(header dtype in its byte order) or None."""
    for order in "<>":
        size = int.from_bytes(head[:4], "little" if order == "<" else "big")
        if size in _VERSIONS and len(head) >= size:
            return np.dtype({"names": list(_VERSIONS[size]), "offsets": [o for o, _ in _VERSIONS[size].values()],
                             "formats": [t for _, t in _VERSIONS[size].values()], "itemsize": size}).newbyteorder(order)
    return None


def _header(head, name):
    layout = _layout(head)
    if layout is None:
        raise MRISuperResError(f"{name} is damaged or cut short (its header is not complete): copy or export it again.")
    header = np.frombuffer(head, layout, count=1)[0]
    if header["magic"][:3] not in (b"n+1", b"ni1", b"n+2", b"ni2"):
        raise MRISuperResError(f"{name} is an Analyze 7.5 image, which does not say left from right: convert it to NIfTI first.")
    return header


def _data_file(path):
    for suffix in (".img", ".img.gz"):
        data = path.with_name(path.name.removesuffix(".gz").removesuffix(".hdr") + suffix)
        if data.exists():
            return data
    raise MRISuperResError(f"{path.name} is the header of a pair, but its voxels ({path.stem}.img) are not beside it: put both into one folder.")


def _sizes(header, name):
    """((ni, nj, nk), frames)"""
    rank = int(header["dim"][0])
    dim = [int(n) for n in header["dim"][1:rank + 1]] + [1] * (7 - rank)
    if not 1 <= rank <= 7 or min(dim) < 1:
        raise MRISuperResError(f"The header of {name} is damaged (it gives the size as {'×'.join(map(str, dim))}): export it again.")
    if max(dim[4:]) > 1:
        raise not_scalar(name, int(np.prod(dim[4:])))
    return dim[:3], dim[3]


def _dtype(header, name):
    code = int(header["datatype"])
    if code in _NOT_SCALAR:
        raise not_scalar(name, _NOT_SCALAR[code], is_colour=True)
    if int(header["intent_code"]) == _INTENT_LABEL:
        raise segmentation(name)
    if code not in _TYPES:
        raise MRISuperResError(f"{name} stores its voxels as NIfTI type {code}, which can't be read: save it as 16-bit integers or 32-bit floats.")
    return np.dtype(_TYPES[code]).newbyteorder(header.dtype["dim"].base.byteorder)


def _offset(header, name):
    """Where the voxels begin; some writers leave 0 where they follow the header."""
    offset = float(header["vox_offset"])
    if not 0 <= offset < 2**53:
        raise MRISuperResError(f"The header of {name} is damaged (its voxels begin at {offset}): export it again.")
    return max(int(offset), header.dtype.itemsize + 4) if header["magic"].startswith(b"n+") else int(offset)


def _size(header):
    """(si, sj, sk); 0, which is refused later, for whatever is no length."""
    size = header["pixdim"][1:4].astype(float)
    return np.where(np.isfinite(size) & (size > 0), size, 0)


def _voxels(file, start, sizes, dtype, name):
    """Native byte order, (k, j, i)."""
    try:
        array = np.empty(sizes[::-1], dtype)
    except (MemoryError, ValueError) as e:
        raise out_of_memory(name, sizes, dtype.itemsize) from e
    file.seek(start)
    buffer = memoryview(array).cast("B")
    done = 0
    while done < len(buffer):
        count = file.readinto(buffer[done:])
        if not count:
            raise MRISuperResError(f"{name} is cut short: {len(buffer) - done} of {len(buffer)} bytes of its voxels are missing; copy or export it again.")
        done += count
    if isinstance(file, gzip.GzipFile):
        while file.read(2**20):  # the check sum comes at the end
            pass
    return array.astype(dtype.newbyteorder("="), copy=False)


def _scaled(array, header):
    """slope · stored + intercept; a slope of zero or NaN means that the stored numbers count."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite([slope, intercept]).all() or (slope, intercept) == (1, 0):
        return array
    exact_in_single = array.dtype.itemsize <= 2 or array.dtype == np.float32
    array = array.astype(np.float32 if exact_in_single else np.float64)
    array *= slope
    array += intercept
    return array


def _matrix(header, name):
    """IJKToRAS in mm: the sform where it is set, else the qform, else the bare grid as ITK and 3D Slicer take it."""
    messages = []
    sform, qform = _sform(header), _qform(header)
    if header["sform_code"] > 0:
        matrix = sform
        if header["qform_code"] > 0 and not _same_place(sform, qform, header["dim"][1:4]):
            messages.append(f"{name} gives two different positions: the sform was taken, but 3D Slicer may show the file where its qform says.")
    elif header["qform_code"] > 0:
        matrix = qform
    else:
        matrix = LPS_TO_RAS @ np.diag([*_size(header), 1.0])
        messages.append(f"{name} does not say how the patient lies (neither qform nor sform): the voxel grid was taken as it is, "
                        "names such as axial may be wrong.")
    matrix[:3] *= _SPATIAL_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    return matrix, messages


def _sform(header):
    return np.vstack([header["srow"].astype(float), [0, 0, 0, 1]])


def _qform(header):
    """Method 2 of nifti1.h: a unit quaternion (b, c, d, with a ≥ 0), voxel sizes, and pixdim[0] < 0 for a flipped k axis."""
    b, c, d = header["quatern"].astype(float)
    rest = 1 - b * b - c * c - d * d
    if rest < 1e-7:  # half a turn: what is left over is rounding
        b, c, d = np.array([b, c, d]) / np.sqrt(1 - rest)
    a = np.sqrt(max(0.0, rest)) if rest >= 1e-7 else 0.0
    rotation = np.array([[a*a + b*b - c*c - d*d, 2*(b*c - a*d), 2*(b*d + a*c)],
                         [2*(b*c + a*d), a*a + c*c - b*b - d*d, 2*(c*d - a*b)],
                         [2*(b*d - a*c), 2*(c*d + a*b), a*a + d*d - b*b - c*c]])
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * _size(header) * [1, 1, -1 if header["pixdim"][0] < 0 else 1]
    matrix[:3, 3] = header["qoffset"]
    return matrix


def _same_place(a, b, size):
    """Within a thousandth of the volume's extent: near half a turn a quaternion in single precision says no more."""
    corners = geometry.corners(a, size)
    return np.abs(corners - geometry.corners(b, size)).max() <= 1e-3 * np.linalg.norm(np.ptp(corners, axis=0))


def nifti_header(shape, dtype, ijk_to_ras, description, comment):
    """The bytes of a .nii file up to its voxels: NIfTI-1, little-endian, sform and qform, an extension with the comment.

    shape: (k, j, i); description: at most 79 characters of ASCII; comment: a dict of JSON values.
    Raises MRISuperResError where an axis is too long for NIfTI-1.
    """
    if max(shape) > _MAX_SIZE:
        raise MRISuperResError(f"NIfTI can't hold more than {_MAX_SIZE} voxels along an axis, the volume has {max(shape)}: write .nrrd or .mha.")
    text = json.dumps(comment).encode("ascii")
    extension_size = -(-(8 + len(text)) // 16) * 16
    extension = np.array([extension_size, _COMMENT], "<i4").tobytes() + text.ljust(extension_size - 8, b"\0")

    header = np.zeros((), _layout((348).to_bytes(4, "little") + bytes(344)))
    code = next(code for code, kind in _TYPES.items() if np.dtype(kind).name == dtype.name)
    size = geometry.spacing(ijk_to_ras)
    rotation = ijk_to_ras[:3, :3] / size
    handedness = 1 if np.linalg.det(rotation) > 0 else -1
    for field, value in {
            "sizeof_hdr": 348, "dim": [3, *shape[::-1], 1, 1, 1, 1], "datatype": code, "bitpix": 8 * dtype.itemsize,
            "pixdim": [handedness, *size, 0, 0, 0, 0], "vox_offset": 352 + len(extension), "scl_slope": 1, "xyzt_units": 2,
            "descrip": description.encode("ascii"), "qform_code": 1, "sform_code": 1,
            "quatern": _quaternion(rotation * [1, 1, handedness]), "qoffset": ijk_to_ras[:3, 3], "srow": ijk_to_ras[:3],
            "magic": b"n+1"}.items():
        header[field] = value
    return header.tobytes() + b"\1\0\0\0" + extension


def _quaternion(rotation):
    """(b, c, d) of the unit quaternion (a ≥ 0, b, c, d) of the rotation nearest to a matrix (Bar-Itzhack 2000)."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    k = np.array([[xx + yy + zz, zy - yz, xz - zx, yx - xy],
                  [zy - yz, xx - yy - zz, yx + xy, xz + zx],
                  [xz - zx, yx + xy, yy - xx - zz, zy + yz],
                  [yx - xy, xz + zx, zy + yz, zz - xx - yy]])
    q = np.linalg.eigh(k)[1][:, -1]
    return (q if q[0] >= 0 else -q)[1:]
