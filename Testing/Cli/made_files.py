"""Shared by the tests: data folders, synthetic volumes and DICOM series, the command line."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

import MRISuperResLib
from MRISuperResLib.cli.main import main
from MRISuperResLib.core import geometry

PROJECT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MRISUPERRES_TEST_DATA", PROJECT.parent / "shared" / "data"))
EDGE = DATA / "edge"
NO_DATA = f"no folder {EDGE}: set MRISUPERRES_TEST_DATA to a folder that holds edge/"
PATIENCE = 300  # s, several times what a call takes on a busy machine
LIBRARY_FOLDER = Path(MRISuperResLib.__file__).resolve().parents[1]
TYPES = (
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
)
FORMATS = (".nii", ".nii.gz", ".nrrd", ".mha")


def grid(
    angles=(0, 0, 0),
    spacing=(1.125, 1.2, 3.3),
    order=(0, 1, 2),
    signs=(1, 1, 1),
    origin=(-87.3, 41.7, -13.9),
):
    """Return IJKToRAS; angles in degrees; order: patient axes of i, j, k; signs: of the axes."""
    matrix = np.eye(4)
    matrix[:3, :3] = (
        Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        @ np.eye(3)[:, order]
        @ np.diag(np.multiply(spacing, signs))
    )
    matrix[:3, 3] = origin
    return matrix


GRIDS = {
    "straight": grid(),
    "flipped": grid(signs=(-1, -1, 1)),
    "left-handed": grid(signs=(1, 1, -1)),
    "permuted": grid(order=(1, 2, 0)),
    "coronal, left-handed": grid(order=(0, 2, 1)),
    "oblique": grid(angles=(12, -33, 71)),
    "upside down and oblique": grid(angles=(180, 25, -3), signs=(-1, 1, 1)),
}


def array(dtype="int16", shape=(4, 5, 6)):
    """Return voxels up to both ends of the type (64-bit: ±2^53), or with all digits."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(7)
    if dtype.kind == "f":
        return (rng.normal(size=shape) * 1000 / 3).astype(dtype)
    low, high = max(np.iinfo(dtype).min, -(2**53)), min(np.iinfo(dtype).max, 2**53)
    values = rng.integers(low, high, shape, dtype, endpoint=True)
    values.flat[:2] = low, high
    return values


def corners(volume):
    return geometry.corners(volume.ijk_to_ras, volume.array.shape[::-1])


def extent(matrix, shape):
    return np.linalg.norm(geometry.spacing(matrix) * shape[::-1])


class FolderTest(unittest.TestCase):
    """Test with a temporary folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def assert_same_place(self, matrix, shape, other_matrix, other_shape):
        here, there = (
            geometry.corners(matrix, shape[::-1]),
            geometry.corners(other_matrix, other_shape[::-1]),
        )
        np.testing.assert_allclose(
            there, here, rtol=0, atol=1e-6 * max(extent(matrix, shape), np.abs(here).max())
        )

    def assert_files(self, *names):
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), sorted(names))

    def assert_reproducible(self, words, names):
        """Run a command with noise in new processes: the files depend on the seed alone."""
        runs = []
        for seed in (5, 5, 6):
            out = self.folder / f"{seed}-{len(runs)}"
            options = ("--out", out, "--noise", 3, "--seed", seed, "--device", "cpu")
            result = subprocess.run(
                **subprocess_arguments(*words, *options),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
            self.assertEqual(result.returncode, 0, result.stderr)
            runs.append([(out / name).read_bytes() for name in names])
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0][0], runs[2][0])


def run(*words, program=main):
    """Run a command line in this process; return exit code, standard output and error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = program([str(word) for word in words])
    return code, out.getvalue(), err.getvalue()


def subprocess_arguments(*words):
    """Return subprocess arguments for the command line of an installed extension."""
    return dict(
        args=[sys.executable, "-m", "MRISuperResLib", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(LIBRARY_FOLDER)},
    )


def run_with_full_disk(*words):
    """Run the command line in a process whose files cannot grow beyond 3000 bytes."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)); "
        "from MRISuperResLib.cli.main import main; "
        f"sys.exit(main({[str(word) for word in words]!r}))"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        env=subprocess_arguments()["env"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def write_dicom(path, pixels, **tags):
    """Write one MR image. pixels: (rows, columns); tags: values by names of TAGS."""
    image = sitk.GetImageFromArray(pixels[None])
    values = {
        "modality": "MR",
        "series": "1.2.3",
        "study": "1.2",
        "position": "0\\0\\0",
        "orientation": "1\\0\\0\\0\\1\\0",
        "description": "T2",
    } | tags
    image.SetSpacing(
        [*map(float, values.pop("spacing", (0.5, 0.75))), float(values.pop("thickness", 3))]
    )
    for name, value in values.items():
        image.SetMetaData(TAGS[name], str(value))
    if pixels.dtype == np.float32:  # stored as int16, with the slope
        for tag, value in (
            ("0028|0100", "16"),
            ("0028|0101", "16"),
            ("0028|0102", "15"),
            ("0028|0103", "1"),
        ):
            image.SetMetaData(tag, value)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.SetImageIO("GDCMImageIO")
    writer.Execute(image)


TAGS = {
    "modality": "0008|0060",
    "series": "0020|000e",
    "study": "0020|000d",
    "instance": "0008|0018",
    "number": "0020|0013",
    "position": "0020|0032",
    "orientation": "0020|0037",
    "description": "0008|103e",
    "image_type": "0008|0008",
    "slope": "0028|1053",
    "intercept": "0028|1052",
}


def write_series(
    folder, count=5, gap=3.0, series="1.2.3", along=(0, 0, 1), names=None, pixels=None, **tags
):
    """Write slices, gap mm apart along a direction, in files that are not named in order."""
    for n in range(count):
        position = "\\".join(f"{10 + n * gap * x:.6f}" for x in along)
        image = pixels[n] if pixels is not None else np.full((6, 4), 100 + n, np.int16)
        write_dicom(
            Path(folder) / (names[n] if names else f"{series}-{(n * 7) % 10}{n}.dcm"),
            image,
            series=series,
            instance=f"{series}.{n + 1}",
            number=n + 1,
            position=position,
            thickness=gap,
            **tags,
        )
