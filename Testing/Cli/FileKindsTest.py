"""Kinds of NIfTI, NRRD and MetaImage files that scanners, archives and laboratories hand over."""

import gzip
import unittest
import zlib
from unittest import mock

import nibabel
import numpy as np
import SimpleITK as sitk

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io import inflate
from MRISuperResLib.core.io.formats import read_volume

from made_files import GRIDS, FolderTest, array, grid

NRRD = (
    "NRRD0005\ntype: short\ndimension: {}\nsizes: {}\nencoding: {}\nendian: little\n"
    "space: left-posterior-superior\nspace directions: (2,0,0) (0,2,0) (0,0,3){}\n"
    "space origin: (1,2,3)\nkinds: domain domain domain{}\n\n"
)
META = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
    "CompressedData = True\n{}ElementSpacing = 2 2 3\nDimSize = 30 20 9\n"
    "ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
)
VOXELS = array("int16", (9, 20, 30))


def bit_errors(data, start=0, count=60):
    """Yield copies of the data with one wrong bit, at places spread from `start` to the end."""
    for n, place in enumerate(np.linspace(start, len(data) - 1, count).astype(int)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << n % 8
        yield bytes(damaged)


class FileKindsTest(FolderTest):
    def assert_refused(self, path, pattern, **choice):
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            read_volume(path, **choice)
        self.assertNotIn("\n", str(caught.exception))


class NiftiKindsTest(FileKindsTest):
    def save(self, voxels=None, matrix=grid(), name="a.nii", **fields):
        image = nibabel.Nifti1Image((VOXELS if voxels is None else voxels).T, matrix)
        image.set_sform(matrix, 1)
        image.set_qform(matrix, 1)
        data = bytearray(image.to_bytes())
        header = np.frombuffer(data, nibabel.Nifti1Header.template_dtype, count=1)[0]
        for key, value in fields.items():
            header[key] = value
        path = self.folder / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    def test_a_good_sform_is_used_whatever_qform_and_pixdim_say(self):
        good = [1, *np.linalg.norm(grid()[:3, :3], axis=0)]
        for fields in (
            dict(pixdim=[0, *good[1:], 1, 1, 1, 1]),
            dict(pixdim=[1, -good[1], *good[2:], 1, 1, 1, 1]),
            dict(pixdim=[np.nan] * 8),
            dict(pixdim=[0] * 8),
            dict(quatern_b=0, quatern_c=0.707107, quatern_d=0.707107),
            dict(quatern_b=2),
            dict(qoffset_x=np.nan),
        ):
            with self.subTest(**fields):
                volume = read_volume(self.save(**fields))
                np.testing.assert_allclose(volume.ijk_to_ras, grid(), atol=1e-5)
                np.testing.assert_array_equal(volume.array, VOXELS)

    def test_a_damaged_qform_beside_a_good_sform_is_a_warning(self):
        volume = read_volume(self.save(quatern_b=2))
        (message,) = volume.messages
        self.assertTrue(message.is_warning)
        self.assertRegex(message.text, "qform of a.nii is damaged. The sform is used")

    def test_a_rounded_quaternion_alone_is_normalized(self):
        path = self.save(sform_code=0, quatern_b=0, quatern_c=0.707107, quatern_d=0.707107)
        rotation = read_volume(path).ijk_to_ras[:3, :3] / read_volume(path).spacing
        np.testing.assert_allclose(rotation, [[-1, 0, 0], [0, 0, 1], [0, 1, 0]], atol=1e-5)

    def test_a_qfac_of_zero_counts_as_one(self):
        sizes = np.linalg.norm(grid()[:3, :3], axis=0)
        path = self.save(sform_code=0, pixdim=[0, *sizes, 1, 1, 1, 1])
        np.testing.assert_allclose(read_volume(path).ijk_to_ras, grid(), atol=1e-4)

    def test_the_qform_replaces_a_damaged_sform_with_a_warning(self):
        for name, matrix in GRIDS.items():
            for row in ([0] * 4, [np.nan] * 4):
                with self.subTest(name, row=row):
                    path = self.save(matrix=matrix, srow_x=row, srow_y=row, srow_z=row)
                    volume = read_volume(path)
                    np.testing.assert_allclose(volume.ijk_to_ras, matrix, atol=1e-4)
                    self.assertRegex(volume.messages[0].text, "sform of a.nii is damaged")

    def test_contradicting_voxel_sizes_are_a_warning_and_unit_vectors_take_those_of_pixdim(self):
        pixdim = [1, 0.8657, 0.8657, 0.796, 1, 1, 1, 1]
        unit = grid(spacing=(1, 1, 1), angles=(12, -33, 71))
        volume = read_volume(self.save(matrix=unit, qform_code=0, pixdim=pixdim))
        np.testing.assert_allclose(volume.spacing, pixdim[1:4], atol=1e-5)
        np.testing.assert_allclose(volume.ijk_to_ras[:3, 3], unit[:3, 3], atol=1e-5)
        self.assertRegex(volume.messages[0].text, "two voxel sizes.*pixdim is used")
        volume = read_volume(self.save(qform_code=0, pixdim=pixdim))
        np.testing.assert_allclose(volume.ijk_to_ras, grid(), atol=1e-5)
        self.assertRegex(volume.messages[0].text, "two voxel sizes.*sform is used")
        self.assertEqual(read_volume(self.save()).messages, ())

    def test_a_slope_is_applied_if_the_intercept_is_not_a_number(self):
        for intercept in (np.nan, np.inf):
            volume = read_volume(self.save(scl_slope=2, scl_inter=intercept))
            np.testing.assert_array_equal(volume.array, VOXELS * 2.0)
            self.assertRegex(volume.messages[0].text, "not a number. Zero is used")

    def test_a_large_intercept_or_slope_is_computed_in_double_precision(self):
        for dtype in ("int8", "uint8", "int16", "uint16", "float32"):
            for slope, intercept in ((0.01, 1e6), (-0.01, -1e6), (1e-6, 1)):
                with self.subTest(dtype, slope=slope, intercept=intercept):
                    voxels = array(dtype)
                    volume = read_volume(self.save(voxels, scl_slope=slope, scl_inter=intercept))
                    exact = voxels.astype(float) * float(np.float32(slope)) + float(
                        np.float32(intercept)
                    )
                    self.assertLess(np.abs(volume.array - exact).max(), abs(slope) / 50)
        self.assert_refused(self.save(scl_slope=3e38), "")

    def test_a_series_in_a_later_dimension_has_frames(self):
        frames = np.stack([VOXELS, VOXELS // 2, VOXELS // 3])
        for between in (1, 2, 3):
            for name in ("a.nii", "a.nii.gz"):
                path = self.save(frames.reshape(3, *[1] * between, *VOXELS.shape), name=name)
                self.assert_refused(path, "3 values per voxel .*Choose one")
                self.assert_refused(path, "no frame 3", frame=3)
                for n in range(3):
                    np.testing.assert_array_equal(read_volume(path, n).array, frames[n])

    def test_vectors_and_a_series_of_vectors_are_no_series(self):
        vectors = np.zeros((3, 1, 4, 5, 6), np.float32)
        for intent in (1005, 1006, 1007, 2003):
            self.assert_refused(self.save(vectors, intent_code=intent), "3 values", frame=0)
        series = np.zeros((3, 2, 4, 5, 6), np.float32)
        self.assert_refused(self.save(series), "3 values", frame=0)

    def test_bytes_after_the_gzip_member_are_ignored_with_a_warning(self):
        path = self.save(name="a.nii.gz")
        whole = path.read_bytes()
        for rest, has_warning in ((b"rubbish" * 9, True), (b"x", True), (bytes(512), False)):
            path.write_bytes(whole + rest)
            volume = read_volume(path)
            np.testing.assert_array_equal(volume.array, VOXELS)
            self.assertEqual(any(m.code == "file" for m in volume.messages), has_warning)

    def test_several_gzip_members_are_one_file(self):
        data = self.save().read_bytes()
        path = self.folder / "b.nii.gz"
        path.write_bytes(b"".join(gzip.compress(data[n : n + 999]) for n in range(0, 99999, 999)))
        np.testing.assert_array_equal(read_volume(path).array, VOXELS)

    def test_one_wrong_bit_in_a_gzip_stream_is_noticed_with_and_without_igzip(self):
        path = self.save(name="a.nii.gz")
        whole = path.read_bytes()
        for codec in {inflate.IGZIP, None}:
            with mock.patch.object(inflate, "IGZIP", codec):
                np.testing.assert_array_equal(read_volume(path).array, VOXELS)
                for damaged in bit_errors(whole, start=10):
                    path.write_bytes(damaged)
                    self.assert_refused(path, "damaged|cut short|not a volume")
                path.write_bytes(whole)


class NrrdKindsTest(FileKindsTest):
    def nrrd(self, data, encoding="gzip", frames=None, name="a.nrrd"):
        sizes, end = "30 20 9", ("", "")
        if frames:
            sizes, end = f"{sizes} {frames}", (" none", " time")
        text = NRRD.format(4 if frames else 3, sizes, encoding, *end)
        (self.folder / name).write_bytes(text.encode() + data)
        return self.folder / name, len(text)

    def test_one_wrong_bit_or_a_missing_end_in_a_gzip_stream_is_noticed(self):
        path, start = self.nrrd(gzip.compress(VOXELS.tobytes()))
        whole = path.read_bytes()
        np.testing.assert_array_equal(read_volume(path).array, VOXELS)
        for damaged in (*bit_errors(whole, start + 10), whole[:-1], whole[:-9], whole[:-999]):
            path.write_bytes(damaged)
            self.assert_refused(path, "damaged or cut short")

    def test_a_detached_gzip_stream_is_verified(self):
        image = sitk.GetImageFromArray(VOXELS)
        sitk.WriteImage(image, str(self.folder / "a.nhdr"), True)
        (data,) = self.folder.glob("a.raw*")
        np.testing.assert_array_equal(read_volume(self.folder / "a.nhdr").array, VOXELS)
        for damaged in bit_errors(data.read_bytes(), 10, 20):
            data.write_bytes(damaged)
            self.assert_refused(self.folder / "a.nhdr", "damaged or cut short")

    def test_time_as_the_last_axis_gives_frames(self):
        frames = np.stack([VOXELS, VOXELS // 2, VOXELS // 3])
        for encoding, data in (
            ("raw", frames.tobytes()),
            ("gzip", gzip.compress(frames.tobytes())),
        ):
            with self.subTest(encoding):
                path, _ = self.nrrd(data, encoding, frames=3)
                self.assert_refused(path, "holds 3 frames .*Choose one")
                for n in range(3):
                    volume = read_volume(path, n)
                    np.testing.assert_array_equal(volume.array, frames[n])
                    np.testing.assert_allclose(
                        volume.ijk_to_ras,
                        [[-2, 0, 0, -1], [0, -2, 0, -2], [0, 0, 3, 3], [0, 0, 0, 1]],
                    )
                path.write_bytes(path.read_bytes()[:-20])
                self.assert_refused(path, "damaged or cut short", frame=0)


class MetaImageKindsTest(FileKindsTest):
    def meta(self, data, size=None):
        text = META.format("" if size is None else f"CompressedDataSize = {size}\n")
        (self.folder / "a.mha").write_bytes(text.encode() + data)
        return self.folder / "a.mha", len(text)

    def test_a_missing_or_wrong_compressed_size_does_not_matter(self):
        data = zlib.compress(VOXELS.tobytes())
        for size in (None, 0, 10, len(data), 10 * len(data)):
            with self.subTest(size):
                volume = read_volume(self.meta(data, size)[0])
                np.testing.assert_array_equal(volume.array, VOXELS)
                np.testing.assert_allclose(volume.spacing, (2, 2, 3))

    def test_one_wrong_bit_or_a_missing_end_in_a_zlib_stream_is_noticed(self):
        data = zlib.compress(VOXELS.tobytes())
        path, start = self.meta(data, len(data))
        whole = path.read_bytes()
        for damaged in (*bit_errors(whole, start + 2), whole[:-1], whole[:-9], whole[:-999]):
            path.write_bytes(damaged)
            self.assert_refused(path, "damaged or cut short")

    def test_a_stream_of_another_length_is_refused(self):
        for voxels in (VOXELS[:-1], np.concatenate([VOXELS, VOXELS[:1]])):
            path, _ = self.meta(zlib.compress(voxels.tobytes()))
            self.assert_refused(path, "damaged or cut short")


if __name__ == "__main__":
    unittest.main()
