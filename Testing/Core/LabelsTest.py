"""Label maps on the grid of an upsampled volume."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import MRISuperResLib as sr
import nibabel
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.geometry import corners, upsampled_ijk_to_ras

OBLIQUE = np.array(
    [[0.8, -0.6, 0, 10], [0.6, 0.8, 0, -20], [0, 0, -3, 30], [0, 0, 0, 1]]  # left-handed
)


def upsampled(volume, scale, slice_axis="k"):
    return sr.upsample(volume, model="bicubic", scale=scale, slice_axis=slice_axis)


class LabelsTest(unittest.TestCase):
    def labels_of(self, array, scale=4, slice_axis="k", interpolation="smooth"):
        labels = sr.Volume(array, OBLIQUE)
        like = upsampled(sr.Volume(array.astype(np.int16), OBLIQUE), scale, slice_axis)
        result = sr.upsample_labels(labels, like, interpolation=interpolation)
        self.assertTrue(result.is_aligned_with(like))
        self.assertEqual(result.array.dtype, array.dtype)
        return result

    @settings(max_examples=25, deadline=None)
    @given(
        arrays.arrays(np.uint8, (2, 5, 6), elements=st.sampled_from((0, 1, 2, 5, 200))),
        st.sampled_from((2, 4, 8)),
        st.sampled_from("ijk"),
        st.sampled_from(("nearest", "smooth")),
    )
    def test_every_voxel_keeps_its_label_and_no_label_is_added(
        self, array, scale, slice_axis, interpolation
    ):
        result = self.labels_of(array, scale, slice_axis, interpolation).array
        self.assertEqual(set(np.unique(result)), set(np.unique(array)))
        factors = [large // small for large, small in zip(result.shape, array.shape)]
        repeated = array
        for axis, factor in enumerate(factors):
            repeated = repeated.repeat(factor, axis)
        if interpolation == "nearest":
            np.testing.assert_array_equal(result, repeated)
        shape = [side for pair in zip(array.shape, factors) for side in pair]
        self.assertTrue((result == repeated).reshape(shape).any(axis=(1, 3, 5)).all())

    @settings(max_examples=40, deadline=None)
    @given(
        arrays.arrays(np.uint8, (3, 4, 5), elements=st.sampled_from((0, 1, 2, 5, 200))),
        st.tuples(*[st.integers(1, 17)] * 3),
        st.sampled_from(("nearest", "smooth")),
    )
    def test_any_grid_in_the_same_space_keeps_the_labels_at_its_voxels(
        self, array, size, interpolation
    ):
        labels = sr.Volume(array, OBLIQUE)
        factors = np.divide(size, labels.size)
        like = sr.Volume(np.zeros(size[::-1]), upsampled_ijk_to_ras(OBLIQUE, factors))
        result = sr.upsample_labels(labels, like, interpolation=interpolation)
        self.assertTrue(result.is_aligned_with(like))
        centers = np.moveaxis(np.indices(size), 0, -1) @ like.ijk_to_ras[:3, :3].T
        centers = (centers + like.ijk_to_ras[:3, 3] - OBLIQUE[:3, 3]) @ np.linalg.inv(
            OBLIQUE[:3, :3]
        ).T
        i, j, k = np.moveaxis(np.floor(centers + 0.5 + 1e-9).astype(int), -1, 0)
        nearest = array[k, j, i].transpose()
        if interpolation == "nearest":
            np.testing.assert_array_equal(result.array, nearest)
        self.assertLessEqual(set(np.unique(result.array)), set(np.unique(array)))
        voxels = np.ravel_multi_index((k, j, i), array.shape).transpose()
        kept = result.array == nearest
        self.assertEqual(set(voxels[kept]), set(np.unique(voxels)))

    def test_smoothing_between_slices_rounds_a_ball_and_keeps_planes(self):
        array = np.zeros((6, 8, 8), np.uint8)
        array[2:4, 3:5, 3:5] = 1
        labels = sr.Volume(array, np.diag([1.0, 1, 3, 1]))
        factors = (2, 2, 6)
        like = sr.Volume(np.zeros((36, 16, 16)), upsampled_ijk_to_ras(labels.ijk_to_ras, factors))
        result = sr.upsample_labels(labels, like, interpolation="smooth").array
        self.assertFalse(result[12, 6, 6])
        self.assertTrue(result[13, 8, 8] and result[18, 6, 8])
        for axis in range(3):
            np.testing.assert_array_equal(result, np.flip(result, axis))
        array[:] = (np.arange(6) // 2)[:, None, None]
        result = sr.upsample_labels(labels, like, interpolation="smooth").array
        np.testing.assert_array_equal(
            result, np.broadcast_to(array.repeat(6, 0)[:, :1, :1], result.shape)
        )

    def test_smoothing_rounds_corners_and_keeps_straight_borders(self):
        array = np.zeros((1, 12, 12), np.int16)
        array[:, 4:8, 4:8] = 3
        result = self.labels_of(array).array[0] == 3
        self.assertFalse(result[16, 16])
        self.assertTrue(result[16, 24] and not result[15, 24])
        np.testing.assert_array_equal(result, result.T)
        np.testing.assert_array_equal(result, result[::-1, ::-1])

    def test_outer_corners_of_the_volume_stay_in_place(self):
        array = np.ones((3, 5, 7), np.uint8)
        labels, result = sr.Volume(array, OBLIQUE), self.labels_of(array)
        np.testing.assert_allclose(
            corners(result.ijk_to_ras, result.size),
            corners(labels.ijk_to_ras, labels.size),
            atol=1e-9,
        )

    def test_images_and_label_maps_of_other_volumes_are_refused(self):
        volume = sr.Volume(np.zeros((2, 4, 4), np.int16), OBLIQUE)
        like = upsampled(volume, 2)
        for labels, message in (
            (sr.Volume(np.full((2, 4, 4), 0.5), OBLIQUE), "not whole numbers"),
            (sr.Volume(np.zeros((2, 4, 5), np.uint8), OBLIQUE), "do not lie on one voxel grid"),
            (sr.Volume(np.zeros((2, 4, 4), np.uint8), np.eye(4)), "do not lie on one voxel grid"),
        ):
            with self.subTest(message), self.assertRaisesRegex(SuperResolutionError, message):
                sr.upsample_labels(labels, like)


class LabelFilesTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.array = np.zeros((2, 6, 6), np.uint8)
        self.array[:, 2:4, 2:4] = 1
        self.like = upsampled(sr.Volume(self.array.astype(np.int16), np.eye(4)), 2)

    def test_an_unknown_interpolation_is_refused_with_the_known_ones(self):
        labels = sr.Volume(self.array, np.eye(4))
        with self.assertRaisesRegex(SuperResolutionError, "“linear”.*nearest or smooth"):
            sr.upsample_labels(labels, self.like, interpolation="linear")

    def test_a_nifti_label_map_stays_one(self):
        image = nibabel.Nifti1Image(self.array.T, np.eye(4))
        image.header.set_intent("label")
        nibabel.save(image, self.folder / "a.nii.gz")
        with self.assertRaisesRegex(SuperResolutionError, "segmentation or label map"):
            sr.Volume.read(self.folder / "a.nii.gz")
        for name in ("b.nii.gz", "c.nii"):
            result = sr.upsample_labels(self.folder / "a.nii.gz", self.like)
            result.save(self.folder / name)
            written = nibabel.load(self.folder / name)
            self.assertEqual(written.header.get_intent()[0], "label")
            np.testing.assert_array_equal(written.dataobj, result.array.T)

    def test_a_segmentation_of_slicer_keeps_its_segments_on_the_larger_grid(self):
        path = self.folder / "a.seg.nrrd"
        self.write_segmentation(path, "3", "6 6 2", "", self.array)
        result = sr.upsample_labels(path, self.like)
        self.assertEqual(result.header["Segment0_Name"], "Lesion")
        self.assertEqual(result.header["Segment0_Extent"], "0 11 0 11 0 1")
        result.save(self.folder / "b.seg.nrrd")
        again = sr.Volume.read(self.folder / "b.seg.nrrd", labels=True)
        self.assertTrue(again.is_labels)
        self.assertEqual(again.header["Segment0_Name"], "Lesion")

    def test_overlapping_segments_are_refused(self):
        path = self.folder / "a.seg.nrrd"
        layers = np.stack([self.array, self.array], axis=-1)
        self.write_segmentation(path, "4", "2 6 6 2", "none ", layers, "list ")
        with self.assertRaisesRegex(SuperResolutionError, "segments overlap"):
            sr.upsample_labels(path, self.like)

    def write_segmentation(self, path, dimension, sizes, first_direction, array, kind=""):
        header = (
            f"NRRD0004\ntype: uint8\ndimension: {dimension}\nsizes: {sizes}\nspace: RAS\n"
            f"space directions: {first_direction}(1,0,0) (0,1,0) (0,0,1)\n"
            f"kinds: {kind}domain domain domain\nendian: little\nencoding: raw\n"
            "space origin: (0,0,0)\nSegment0_ID:=Segment_1\nSegment0_Name:=Lesion\n"
            "Segment0_Extent:=2 3 2 3 0 1\n\n"
        )
        path.write_bytes(header.encode() + array.tobytes())


if __name__ == "__main__":
    unittest.main()
