"""Random headers, by nibabel, SimpleITK and pydicom: position, values and type are right."""

import gzip
import unittest

import nibabel
import numpy as np
import pydicom
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from MRISuperResLib.core import geometry
from MRISuperResLib.core.io.formats import read_volume, write_volume
from MRISuperResLib.core.volume import Volume

from made_dicom import write_mr_series
from made_files import FORMATS, TYPES, FolderTest, array, corners, extent, grid

GRIDS = st.builds(
    grid,
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.05, 20)] * 3),
    order=st.permutations((0, 1, 2)),
    signs=st.tuples(*[st.sampled_from((-1, 1))] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
)
SYNTAXES = (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless)
RIGHT_HANDED = st.builds(
    grid,
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.05, 20)] * 3),
    order=st.sampled_from(((0, 1, 2), (1, 2, 0), (2, 0, 1))),
)
"""Slices in the order of the patient axis that their normal points along."""
SHAPES = st.tuples(*[st.integers(1, 6)] * 3)
"""(k, j, i)."""
INTENTS = st.sampled_from((0, 2, 3, 4, 5, 6, 22, 24, 1001, 1011))
"""Statistics, estimates and others with one value per voxel."""
SCALINGS = st.sampled_from(((0, 0), (1, 0), (0.5, 0), (2, -1024), (7.1098, 3.25), (-1, 10)))
NIFTI = (
    (nibabel.Nifti1Image, "a.nii"),
    (nibabel.Nifti1Image, "a.nii.gz"),
    (nibabel.Nifti2Image, "a.nii"),
    (nibabel.Nifti2Image, "a.nii.gz"),
    (nibabel.Nifti1Pair, "a.hdr"),
    (nibabel.Nifti1Pair, "a.img.gz"),
)
SPACES = {
    "right-anterior-superior": (1, 1),
    "left-anterior-superior": (-1, 1),
    "left-posterior-superior": (-1, -1),
}
MANY = settings(max_examples=50, deadline=None)


class RandomHeadersTest(FolderTest):
    def empty(self):
        for path in self.folder.iterdir():
            path.unlink()

    def assert_position(self, volume, matrix, tolerance=1e-3):
        """Compare the corners of two grids in mm, to single precision if that is coarser."""
        expected = geometry.corners(np.asarray(matrix), volume.size)
        np.testing.assert_allclose(
            corners(volume), expected, rtol=0, atol=tolerance + 1e-6 * np.abs(expected).max()
        )

    def assert_survives(self, volume, is_nifti=False):
        """Write the volume in every format, and compare what is read again."""
        for extension in FORMATS:
            path = self.folder / f"out{extension.replace('.', '-')}{extension}"
            write_volume(path, volume)
            again = read_volume(path)
            self.assertEqual(again.array.dtype, volume.array.dtype)
            np.testing.assert_array_equal(again.array, volume.array)
            self.assert_position(again, volume.ijk_to_ras)
            if is_nifti and extension.startswith(".nii"):
                self.assertEqual(
                    {key: again.header[key] for key in volume.header}, dict(volume.header)
                )

    def save_nifti(self, kind, name, endianness, voxels, matrix, **fields):
        """Save voxels (k, j, i), and set header fields without the checks of nibabel."""
        image = kind(voxels.T, matrix, kind.header_class(endianness=endianness))
        image.set_data_dtype(voxels.dtype)
        image.set_sform(matrix, 1)
        image.set_qform(matrix, 1)
        nibabel.save(image, self.folder / name)
        path = self.folder / name.replace(".img", ".hdr")
        data = path.read_bytes()
        is_packed = path.suffix == ".gz"
        data = bytearray(gzip.decompress(data) if is_packed else data)
        dtype = kind.header_class.template_dtype.newbyteorder(endianness)
        header = np.frombuffer(data, dtype, count=1)[0]
        for key, value in fields.items():
            header[key] = value
        path.write_bytes(gzip.compress(data) if is_packed else data)
        return self.folder / name

    @MANY
    @given(
        st.sampled_from(NIFTI),
        st.sampled_from("<>"),
        st.sampled_from(TYPES),
        SHAPES,
        GRIDS,
        SCALINGS,
        st.fixed_dictionaries(
            {
                "sform_code": st.integers(0, 5),
                "qform_code": st.integers(0, 5),
                "intent_code": INTENTS,
                "intent_p1": st.floats(-9, 9, width=32),
                "intent_name": st.sampled_from((b"", b"T test")),
                "cal_min": st.floats(-99, 0, width=32),
                "cal_max": st.floats(0, 1e4, width=32),
                "descrip": st.sampled_from((b"", b"TE=98", b"x" * 79)),
                "toffset": st.floats(0, 99, width=32),
                "xyzt_units": st.sampled_from((2, 10, 18, 26)),
            }
        ),
    )
    def test_nifti_is_read_as_by_nibabel(
        self, kind_and_name, endianness, dtype, shape, matrix, scaling, fields
    ):
        self.empty()
        slope, intercept = scaling if "64" not in dtype else (0, 0)  # ±2^53 may be exceeded
        path = self.save_nifti(
            *kind_and_name,
            endianness,
            array(dtype, shape),
            matrix,
            scl_slope=slope,
            scl_inter=intercept,
            **fields,
        )
        volume, reference = read_volume(path), nibabel.load(path)
        expected = array(dtype, shape).astype(float) * (slope or 1) + intercept * bool(slope)
        step = abs(slope or 1) * 0.01
        np.testing.assert_allclose(volume.array, expected, rtol=1e-6, atol=step)
        if slope in (0, 1) and not intercept:
            self.assertEqual(volume.array.dtype, np.dtype(dtype))
        has_position = fields["sform_code"] or fields["qform_code"]
        if has_position:
            rounding = 1e-3 if fields["sform_code"] else 1e-5 * extent(matrix, shape)
            self.assert_position(volume, reference.affine, 1e-3 + rounding)
        else:
            self.assertEqual(volume.messages[0].code, "orientation")
        self.assert_survives(volume, is_nifti=True)

    @MANY
    @given(
        st.sampled_from(("a.nrrd", "a.nhdr", "a.mha", "a.mhd")),
        st.booleans(),
        st.sampled_from(TYPES),
        SHAPES,
        GRIDS,
    )
    def test_nrrd_and_metaimage_are_read_as_by_itk(self, name, is_packed, dtype, shape, matrix):
        self.empty()
        image = Volume(array(dtype, shape), matrix).to_sitk()
        image.SetMetaData("EchoTime", "80")
        sitk.WriteImage(image, str(self.folder / name), is_packed)
        volume = read_volume(self.folder / name)
        self.assertEqual(volume.array.dtype, np.dtype(dtype))
        np.testing.assert_array_equal(volume.array, array(dtype, shape))
        self.assert_position(volume, matrix)
        self.assertEqual(volume.header["EchoTime"], "80")
        self.assert_survives(volume)

    @MANY
    @given(
        st.sampled_from(sorted(SPACES)),
        st.sampled_from(("raw", "gzip")),
        st.sampled_from(("little", "big")),
        st.sampled_from(TYPES),
        SHAPES,
        GRIDS,
        st.booleans(),
    )
    def test_nrrd_of_any_space_and_byte_order_is_read(
        self, space, encoding, endian, dtype, shape, matrix, is_detached
    ):
        self.empty()
        voxels = array(dtype, shape)
        axes = np.diag([*SPACES[space], 1, 1]) @ matrix
        columns = [",".join(map(repr, axes[:3, n].tolist())) for n in range(4)]
        data = voxels.astype(voxels.dtype.newbyteorder("<" if endian == "little" else ">"))
        data = gzip.compress(data.tobytes()) if encoding == "gzip" else data.tobytes()
        names = {"float32": "float", "float64": "double"}
        lines = [
            *("NRRD0005", f"type: {names.get(dtype, dtype)}", "dimension: 3", f"space: {space}"),
            *(f"sizes: {' '.join(map(str, shape[::-1]))}", f"endian: {endian}"),
            f"space directions: ({columns[0]}) ({columns[1]}) ({columns[2]})",
            *(f"space origin: ({columns[3]})", f"encoding: {encoding}"),
            *(["data file: a.raw"] if is_detached else []),
        ]
        head = "\n".join([*lines, "", ""]).encode()
        if is_detached:
            (self.folder / "a.raw").write_bytes(data)
        path = self.folder / ("a.nhdr" if is_detached else "a.nrrd")
        path.write_bytes(head if is_detached else head + data)
        volume = read_volume(path)
        self.assertEqual(volume.array.dtype, np.dtype(dtype))
        np.testing.assert_array_equal(volume.array, voxels)
        self.assert_position(volume, matrix)

    @settings(max_examples=40, deadline=None)
    @given(
        st.sampled_from((None, *SYNTAXES)),
        st.sampled_from((10, 12, 16)),  # pydicom compresses 8 of 16 bits wrongly
        st.booleans(),
        st.tuples(st.integers(2, 5), st.integers(4, 8), st.integers(4, 8)),
        RIGHT_HANDED,
        st.sampled_from(((1, 0), (2, -1024), (0.5, 3), (7.25, 0))),
        st.booleans(),
    )
    def test_dicom_is_read_as_written(
        self, syntax, bits, is_signed, shape, matrix, scaling, is_inverted
    ):
        self.empty()
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
        stored = np.random.default_rng(3).integers(low, high, shape, endpoint=True)
        slope, intercept = scaling
        write_mr_series(
            self.folder,
            stored.astype(np.int16 if is_signed else np.uint16),
            matrix,
            BitsStored=bits,
            HighBit=bits - 1,
            RescaleSlope=slope,
            RescaleIntercept=intercept,
            PhotometricInterpretation=f"MONOCHROME{1 if is_inverted else 2}",
        )
        for path in self.folder.iterdir() if syntax else ():
            dataset = pydicom.dcmread(path)
            if syntax == RLELossless:
                dataset.compress(syntax)
            dataset.file_meta.TransferSyntaxUID = syntax
            dataset.save_as(path)
        volume = read_volume(self.folder)
        values = low + high - stored if is_inverted else stored
        np.testing.assert_allclose(volume.array, values * slope + intercept, rtol=1e-6)
        self.assert_position(volume, matrix)


if __name__ == "__main__":
    unittest.main()
