"""Damaged files of every format end in the right voxels or in one sentence, and never in a crash.

MRISUPERRES_FUZZ sets the number of damaged files. `python DamagedFilesTest.py COUNT [SEED]` runs
them without the test, and lists the outcomes.
"""

import collections
import os
import re
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import read_volume

import NibabelFormatsTest
from made_dicom import write_mr_series
from made_files import PATIENCE, array, grid, subprocess_arguments

COUNT = int(os.environ.get("MRISUPERRES_FUZZ", "120"))
SEED = 5
MEMORY = 3 * 2**30  # bytes of address space: several times what the libraries take
VOXELS = array("int16", (9, 20, 30))
HUGE = (0, -1, 7, 255, 2**15 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 10**30)


def nifti(folder, name, kind=nibabel.Nifti1Image, endianness="<"):
    image = kind(VOXELS.T, grid(), kind.header_class(endianness=endianness))
    image.set_data_dtype(np.int16)
    nibabel.save(image, folder / name)
    return folder / name


def itk(folder, name, packed):
    image = sitk.GetImageFromArray(VOXELS)
    image.SetSpacing((0.5, 0.75, 3))
    sitk.WriteImage(image, str(folder / name), packed)
    return folder / name


def dicom(folder, syntax=None):
    write_mr_series(folder, VOXELS, grid())
    for path in folder.iterdir() if syntax else ():
        dataset = pydicom.dcmread(path)
        if syntax == RLELossless:
            dataset.compress(syntax)
        else:
            dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path)
    return folder


def dicom_jpeg(folder, compressor):
    write_mr_series(folder, VOXELS.clip(0) // 8, grid())
    for path in folder.iterdir():
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.UseCompressionOn()
        writer.SetCompressor(compressor)
        writer.SetFileName(str(path))
        writer.Execute(sitk.ReadImage(str(path)))
    return folder


def by_nibabel(case, *words, **options):
    """Return a function that writes a file as a class of NibabelFormatsTest does."""

    def write(folder):
        test = getattr(NibabelFormatsTest, case)()
        test.folder = folder
        path = test.save(*words, **options)
        return path[0] if isinstance(path, tuple) else path

    return write


KINDS = {
    "nii": lambda folder: nifti(folder, "a.nii"),
    "nii.gz": lambda folder: nifti(folder, "a.nii.gz"),
    "nii, NIfTI-2, big endian": lambda folder: nifti(
        folder, "a.nii", nibabel.Nifti2Image, endianness=">"
    ),
    "hdr and img": lambda folder: nifti(folder, "a.hdr", nibabel.Nifti1Pair),
    "nrrd": lambda folder: itk(folder, "a.nrrd", False),
    "nrrd, gzip": lambda folder: itk(folder, "a.nrrd", True),
    "nhdr": lambda folder: itk(folder, "a.nhdr", False),
    "nhdr, gzip": lambda folder: itk(folder, "a.nhdr", True),
    "mha": lambda folder: itk(folder, "a.mha", False),
    "mha, zlib": lambda folder: itk(folder, "a.mha", True),
    "mhd": lambda folder: itk(folder, "a.mhd", False),
    "mhd, zlib": lambda folder: itk(folder, "a.mhd", True),
    "DICOM": dicom,
    "DICOM, implicit types": lambda folder: dicom(folder, ImplicitVRLittleEndian),
    "DICOM, deflated": lambda folder: dicom(folder, DeflatedExplicitVRLittleEndian),
    "DICOM, run lengths": lambda folder: dicom(folder, RLELossless),
    "DICOM, JPEG 2000": lambda folder: dicom_jpeg(folder, "JPEG2000"),
    "mgh": by_nibabel("MghTest", name="a.mgh"),
    "mgz": by_nibabel("MghTest"),
    "MINC": by_nibabel("MincTest", VOXELS),
    "PAR and REC": by_nibabel("ParRecTest"),
    "AFNI": by_nibabel("AfniTest"),
    "AFNI, gzip": by_nibabel("AfniTest", packed=True),
}


def covered(path):
    """Return the range of bytes of a file that a checksum covers."""
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        return 0, len(data)
    if b"encoding: gzip" in data and b"\n\n" in data:
        return data.index(b"\n\n") + 2, len(data)
    if path.suffix == ".zraw":
        return 0, len(data)
    if b"CompressedData = True" in data and b"LOCAL\n" in data:
        return data.index(b"LOCAL\n") + 6, len(data)
    return 0, 0


def damage(data, rng):
    """Return damaged bytes, and the name of the damage."""
    data = bytearray(data)
    near = min(len(data), 700)  # headers, most often
    end = near if rng.random() < 0.6 else len(data)
    place = int(rng.integers(end))
    kind = rng.choice(
        ("cut", "bit", "bits", "zeros", "ones", "swap", "number", "text", "repeat", "gone")
    )
    if kind == "cut":
        del data[place:]
    elif kind == "bit":
        data[place] ^= 1 << int(rng.integers(8))
    elif kind == "bits":
        for other in rng.integers(end, size=8):
            data[other] ^= 1 << int(rng.integers(8))
    elif kind in ("zeros", "ones"):
        length = int(rng.integers(1, 17))
        data[place : place + length] = (b"\0" if kind == "zeros" else b"\xff") * len(
            data[place : place + length]
        )
    elif kind == "swap":
        place, length = place // 4 * 4, int(rng.choice((2, 4, 8)))
        data[place : place + length] = data[place : place + length][::-1]
    elif kind == "number":
        value = int(rng.choice(np.array(HUGE, object))) % 2**64
        length = int(rng.choice((2, 4, 8)))
        order = "little" if rng.random() < 0.5 else "big"
        data[place : place + length] = (value % 256**length).to_bytes(length, order)
    elif kind == "text":  # another number in a text header
        numbers = list(re.finditer(rb"-?\d+(\.\d+)?", data[:near]))
        if numbers:
            start, stop = numbers[int(rng.integers(len(numbers)))].span()
            data[start:stop] = str(rng.choice(np.array(HUGE, object))).encode()
    elif kind == "repeat":
        data[place:place] = data[place : place + int(rng.integers(1, 99))]
    else:
        del data[place : place + int(rng.integers(1, 99))]
    return bytes(data), str(kind)


def run_case(number, seed):
    """Damage one file; return (kind of file, kind of damage, outcome)."""
    rng = np.random.default_rng((seed, number))
    name = list(KINDS)[number % len(KINDS)]
    with tempfile.TemporaryDirectory() as temporary:
        path = KINDS[name](Path(temporary))
        expected = read_volume(path)
        files = sorted(file for file in Path(temporary).iterdir())
        file = files[int(rng.integers(len(files)))]
        whole, (start, stop) = file.read_bytes(), covered(file)
        damaged, kind = damage(whole, rng)
        file.write_bytes(damaged)
        return name, kind, judge(path, expected, damaged[:start] == whole[:start] and start < stop)


def judge(path, expected, is_covered):
    """Return the outcome of reading a damaged file; one that begins with "wrong" is a fault."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            volume = read_volume(path)
    except SuperResolutionError as error:
        text = str(error)
        if error.kind not in ("input", "memory") or "\n" in text or not text.endswith("."):
            return f"wrong: {error.kind} {text!r}"
        return "out of memory" if error.kind == "memory" else "refused"
    except Exception as error:
        return f"wrong: {type(error).__name__}: {error}"
    if np.array_equal(volume.array, expected.array):
        return "read"
    if path.is_dir() and len(volume.array) != len(expected.array) and not volume.messages:
        return "wrong: slices vanished"
    return "wrong: other voxels in spite of a checksum" if is_covered else "read differently"


class DamagedFilesTest(unittest.TestCase):
    def test_damaged_files_are_read_right_or_refused_in_one_sentence(self):
        done = subprocess.run(
            [sys.executable, __file__, str(COUNT), str(SEED)],
            env=subprocess_arguments()["env"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout[-2000:])
        self.assertRegex(done.stdout, r"refused: \d+")


def main(count, seed=SEED):
    """Run the cases under a limit of memory, and print the outcomes."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    outcomes = collections.Counter()
    for number in range(count):
        name, kind, outcome = run_case(number, seed)
        outcomes[outcome.split(":")[0]] += 1
        if outcome.startswith("wrong"):
            print(f"{number} {name}, {kind}: {outcome}", file=sys.stderr, flush=True)
    print(", ".join(f"{outcome}: {number}" for outcome, number in sorted(outcomes.items())))


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        main(*map(int, sys.argv[1:]))
    else:
        unittest.main()
