"""FreeSurfer, MINC, PAR/REC, AFNI and NIfTI pairs, compared with nibabel; damage is noticed."""

import gzip
import struct
import unittest
from unittest import mock

import nibabel
import numpy as np
from nibabel.externals.netcdf import netcdf_file

from MRISuperResLib.core import geometry
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io import formats
from MRISuperResLib.core.io.discovery import find_volumes
from MRISuperResLib.core.io.formats import read_frames, read_volume

from made_files import GRIDS, FolderTest, array, grid, run

VOXELS = array("int16", (4, 5, 6)).T
"""(i, j, k)."""
SERIES = np.stack([VOXELS, VOXELS // 2, VOXELS // 3], axis=-1)

PAR = """# === DATA DESCRIPTION FILE ===
#
# CLINICAL TRYOUT             Research image export tool     V4.2
#
# === GENERAL INFORMATION ===
#
.    Patient name                       :   phantom
.    Examination name                   :   test
.    Protocol name                      :   T2
.    Examination date/time              :   2014.02.14 / 09:00:57
.    Series Type                        :   Image   MRSERIES
.    Acquisition nr                     :   2
.    Reconstruction nr                  :   1
.    Scan Duration [sec]                :   14
.    Max. number of cardiac phases      :   1
.    Max. number of echoes              :   {echoes}
.    Max. number of slices/locations    :   {slices}
.    Max. number of dynamics            :   {dynamics}
.    Max. number of mixes               :   1
.    Patient position                   :   Head First Supine
.    Preparation direction              :   Anterior-Posterior
.    Technique                          :   TSE
.    Scan resolution  (x, y)            :   6  5
.    Scan mode                          :   MS
.    Repetition time [ms]               :   2000.000
.    FOV (ap,fh,rl) [mm]                :   10.000  14.000  12.000
.    Water Fat shift [pixels]           :   11.050
.    Angulation midslice(ap,fh,rl)[degr]:   {angles[0]} {angles[1]} {angles[2]}
.    Off Centre midslice(ap,fh,rl) [mm] :   2.508  30.339  -16.032
.    Flow compensation <0=no 1=yes> ?   :   0
.    Presaturation     <0=no 1=yes> ?   :   0
.    Phase encoding velocity [cm/sec]   :   0.000000  0.000000  0.000000
.    MTC               <0=no 1=yes> ?   :   0
.    SPIR              <0=no 1=yes> ?   :   1
.    EPI factor        <0,1=no EPI>     :   1
.    Dynamic scan      <0=no 1=yes> ?   :   1
.    Diffusion         <0=no 1=yes> ?   :   0
.    Diffusion echo time [ms]           :   0.0000
.    Max. number of diffusion values    :   1
.    Max. number of gradient orients    :   1
.    Number of label types   <0=no ASL> :   0
#
# === IMAGE INFORMATION ===
"""
PAR_LINE = (
    "{slice} {echo} {dynamic} 1 0 2 {index} 16 100 6 5 {intercept} {slope} 0.004 100 200 "
    "{angles[0]} {angles[1]} {angles[2]} {place[0]:.2f} {place[1]:.2f} {place[2]:.2f} 3 0.5 0 "
    "{orientation} 0 2 2.0 2.5 {echo_time} 0 0 0 1 90 0 0 0 1 0 1 1 8 0 0 0 0 1\n"
)
AFNI_TYPES = {"uint8": 0, "int16": 1, "float32": 3, "complex64": 5}


class NibabelFormatsTest(FolderTest):
    def assert_refused(self, path, pattern, kind="input", **choice):
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            read_volume(path, **choice)
        self.assertEqual(caught.exception.kind, kind)
        self.assertNotIn("\n", str(caught.exception))

    def assert_as_nibabel(self, path, dtype, frame=None, frame_axis=-1, **options):
        """Compare values, type and position with those by nibabel; return the volume."""
        volume, reference = read_volume(path, frame), nibabel.load(path, **options)
        values = np.asarray(reference.dataobj)
        if frame is not None and values.ndim == 4:
            values = np.take(values, frame, frame_axis)
        np.testing.assert_allclose(volume.array.T, values.reshape(volume.size), rtol=1e-6)
        np.testing.assert_allclose(volume.ijk_to_ras, reference.affine, atol=1e-5)
        self.assertEqual(volume.array.dtype, np.dtype(dtype))
        return volume

    def assert_damage_is_noticed(self, path):
        """Cut a file, and change single bits of its compressed part."""
        whole = path.read_bytes()
        damaged = [whole[:-1], whole[: len(whole) // 2], whole[:30]]
        if whole.startswith(b"\x1f\x8b"):
            for place in np.linspace(10, len(whole) - 1, 40).astype(int):
                damaged.append(bytearray(whole))
                damaged[-1][place] ^= 4
        for data in damaged:
            path.write_bytes(data)
            self.assert_refused(path, "damaged|cut short|cannot be read|not a volume|empty")
        path.write_bytes(whole)
        read_volume(path)


class MghTest(NibabelFormatsTest):
    def save(self, voxels=VOXELS, matrix=grid(), name="a.mgz"):
        nibabel.save(nibabel.MGHImage(voxels, matrix), self.folder / name)
        return self.folder / name

    def test_every_type_and_grid_is_read_as_by_nibabel(self):
        for dtype in ("uint8", "int16", "uint16", "int32", "float32"):
            for name in ("a.mgh", "a.mgz"):
                with self.subTest(dtype, name=name):
                    path = self.save(array(dtype, (4, 5, 6)).T, name=name)
                    self.assert_as_nibabel(path, dtype)
        for name, matrix in GRIDS.items():
            with self.subTest(name):
                volume = self.assert_as_nibabel(self.save(matrix=matrix), "int16")
                np.testing.assert_allclose(volume.ijk_to_ras, matrix, atol=1e-4)
                self.assertEqual(volume.messages, ())

    def test_frames_are_read_one_by_one(self):
        path = self.save(SERIES)
        self.assert_refused(path, r"holds 3 frames \(.*\)\. Choose one")
        opened = read_frames(path)
        self.assertEqual(len(opened), 3)
        for frame in (0, 1, 2, 0):
            volume = self.assert_as_nibabel(path, "int16", frame)
            np.testing.assert_array_equal(opened[frame].array, volume.array)

    def test_the_content_gives_the_format_and_not_the_name(self):
        path = self.save()
        path.rename(self.folder / "a.nii.gz")
        np.testing.assert_array_equal(read_volume(self.folder / "a.nii.gz").array.T, VOXELS)

    def test_a_missing_position_is_a_warning(self):
        path = self.save(name="a.mgh")
        data = bytearray(path.read_bytes())
        data[28:30] = bytes(2)
        path.write_bytes(data)
        self.assertRegex(read_volume(path).messages[0].text, "does not say how the patient lies")

    def test_a_file_with_a_color_table_is_a_label_map(self):
        path = self.save(name="a.mgh")
        whole = path.read_bytes()
        command = struct.pack(">iq", 3, 5) + b"hello"
        path.write_bytes(whole + command)
        read_volume(path)
        path.write_bytes(whole + command + struct.pack(">4i", 1, -2, 3, 4))
        self.assert_refused(path, "label map, not an image")

    def test_damage_is_noticed(self):
        data = self.save(name="a.mgh").read_bytes()[:-20]  # without the optional scan parameters
        for name, content in (("a.mgh", data), ("a.mgz", gzip.compress(data))):
            (self.folder / name).write_bytes(content)
            self.assert_damage_is_noticed(self.folder / name)


class MincTest(NibabelFormatsTest):
    def save(
        self, stored, ends=None, valid=None, name="a.mnc", axes=("zspace", "yspace", "xspace")
    ):
        """Write a MINC 1 file; ends: image-min and image-max per slice of the first axis."""
        path = self.folder / "a.mnc"
        with netcdf_file(path, "w") as file:
            for label, size in zip(axes, stored.shape, strict=True):
                file.createDimension(label, size)
                axis = file.createVariable(label, "i", ())
                axis.spacing, axis.step, axis.start = "regular__", -1.5 - len(label) % 2, 3.0
            file.variables["xspace"].direction_cosines = [0.8, 0.6, 0]
            file.variables["yspace"].direction_cosines = [-0.6, 0.8, 0]
            image = file.createVariable("image", stored.dtype.char, axes)
            image.signtype = "unsigned" if stored.dtype.kind == "u" else "signed__"
            image.valid_range = [0.0, 1000.0] if valid is None else valid
            image[:] = stored.astype(stored.dtype.newbyteorder(">"))
            for label, value in zip(("image-min", "image-max"), ends or (0.0, 1000.0), strict=True):
                variable = file.createVariable(label, "d", axes[: np.ndim(value)])
                variable[...] = value
        if name.endswith(".gz"):
            path = self.folder / name
            path.write_bytes(gzip.compress((self.folder / "a.mnc").read_bytes()))
        return path

    def test_unscaled_voxels_keep_their_type_and_scaled_ones_get_a_float(self):
        rng = np.random.default_rng(0)
        stored = rng.integers(0, 1000, (4, 5, 6)).astype(np.int16)
        volume = self.assert_as_nibabel(self.save(stored), "int16")
        np.testing.assert_array_equal(volume.array.T, stored)
        self.assert_as_nibabel(self.save(stored, (0.0, 25.0)), "float32")
        self.assert_as_nibabel(self.save(stored, (1e7, 1e7 + 1)), "float64")
        per_slice = (np.zeros(4), np.array([1.0, 2, 3, 4]))
        self.assert_as_nibabel(self.save(stored, per_slice), "float32")
        self.assert_as_nibabel(self.save(stored.astype(np.float32)), "float32")

    def test_a_time_axis_gives_frames_and_a_vector_axis_is_refused(self):
        stored = np.random.default_rng(0).integers(0, 999, (3, 4, 5, 6)).astype(np.int16)
        path = self.save(stored, axes=("time", "zspace", "yspace", "xspace"))
        self.assert_refused(path, r"holds 3 frames \(.*\)\. Choose one")
        for frame in range(3):
            self.assert_as_nibabel(path, "int16", frame, frame_axis=0)
        path = self.save(stored, axes=("vector_dimension", "zspace", "yspace", "xspace"))
        self.assert_refused(path, "several values per voxel")

    def test_damage_is_noticed(self):
        stored = np.random.default_rng(0).integers(0, 999, (4, 5, 6)).astype(np.int16)
        for name in ("a.mnc", "a.mnc.gz"):
            self.assert_damage_is_noticed(self.save(stored, name=name))

    def test_minc_2_without_h5py_says_what_is_missing(self):
        path = self.folder / "a.mnc"
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
        with mock.patch.dict("sys.modules", h5py=None):
            self.assert_refused(path, "as MINC 2 is. .* h5py: install it", kind="packages")

    def test_minc_2_is_read_by_h5py(self):
        stored = np.random.default_rng(0).integers(0, 999, (4, 5, 6)).astype(np.int16)
        axes = {f"{a}space": Hdf5Variable(0, step=n + 1.5, start=-3.0) for n, a in enumerate("zyx")}
        image = {
            "image": Hdf5Variable(stored, dimorder=b"zspace,yspace,xspace"),
            "image-min": Hdf5Variable(-(2.0**15)),
            "image-max": Hdf5Variable(2.0**15 - 1),
        }
        content = {"minc-2.0": {"image": {"0": image}, "dimensions": axes}}
        library = mock.Mock(File=lambda path, mode: content)
        path = self.folder / "a.mnc"
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
        with mock.patch.dict("sys.modules", h5py=library):
            volume = read_volume(path)
            np.testing.assert_array_equal(volume.array.T, stored)
            self.assertEqual(volume.array.dtype, np.int16)
            self.assertEqual(volume.spacing, (1.5, 2.5, 3.5))
            image["image"].attrs["dimorder"] = b"zspace,yspace,xspace,vector_dimension"
            self.assert_refused(path, "several values per voxel")
            content.clear()
            self.assert_refused(path, "damaged")


class Hdf5Variable(np.ndarray):
    """Stand-in for an HDF5 variable of the package h5py, with attributes."""

    def __new__(cls, values, **attributes):
        variable = np.asarray(values).view(cls)
        variable.attrs = attributes
        return variable


class ParRecTest(NibabelFormatsTest):
    def save(self, echoes=1, dynamics=1, change=None, shuffled=False, angles=(0, 0, 0), **fields):
        """Write a pair with 4 slices of 6×5 pixels; change: edits the list of lines."""
        values = dict(slope=1, intercept=0, orientation=1, angles=angles) | fields
        count = 4 * echoes * dynamics
        pixels = np.random.default_rng(0).integers(0, 4000, (count, 5, 6)).astype("<u2")
        head = PAR.format(echoes=echoes, slices=4, dynamics=dynamics, angles=angles)
        lines = [
            dict(slice=s, echo=e, dynamic=d, echo_time=10 * e, place=(0, 0, 0)) | values
            for d in range(1, dynamics + 1)
            for s in range(1, 5)
            for e in range(1, echoes + 1)
        ]
        for index, line in enumerate(lines):
            line["index"] = index
        if shuffled:
            lines = [lines[n] for n in np.random.default_rng(1).permutation(count)]
        text = head + "".join(PAR_LINE.format(**line) for line in lines)
        self.pixels, self.lines = pixels, lines
        path = self.folder / "a.PAR"
        path.write_text(text)
        pixels.tofile(self.folder / "a.REC")
        matrix = nibabel.load(path).affine  # the slices lie where this says
        for line in lines:
            ras = matrix[:3] @ (2.5, 2, line["slice"] - 1, 1)
            line["place"] = -ras[1], ras[2], -ras[0]
        if change:
            change(lines)
        path.write_text(head + "".join(PAR_LINE.format(**line) for line in lines))
        return path

    def test_every_orientation_is_read_as_by_nibabel_from_either_file(self):
        for orientation in (1, 2, 3):
            for angles in ((0, 0, 0), (10, -5, 20)):
                with self.subTest(orientation=orientation, angles=angles):
                    path = self.save(orientation=orientation, angles=angles)
                    volume = self.assert_as_nibabel(path, "uint16")
                    np.testing.assert_array_equal(volume.array, self.pixels)
                    self.assertEqual(volume.messages, ())
                    other = read_volume(self.folder / "a.REC")
                    np.testing.assert_array_equal(other.array, volume.array)

    def test_displayed_values_are_scaled_exactly(self):
        self.assert_as_nibabel(self.save(slope=0.25, intercept=-7), "float32")
        self.assert_as_nibabel(self.save(slope=0.25, intercept=1e6), "float64")
        scale = iter((1, 2, 3, 4))

        def change(lines):
            for line in lines:
                line["slope"] = next(scale)

        volume = self.assert_as_nibabel(self.save(change=change), "float32")
        np.testing.assert_allclose(volume.array[3], self.pixels[3] * 4.0)

    def test_echoes_and_dynamics_are_frames_whatever_the_order_of_the_lines(self):
        for shuffled in (False, True):
            path = self.save(echoes=2, dynamics=3, shuffled=shuffled)
            self.assert_refused(path, r"holds 6 frames \(.*\)\. Choose one")
            for frame in range(6):
                volume = read_volume(path, frame)
                dynamic, echo = divmod(frame, 2)
                expected = [self.pixels[8 * dynamic + 2 * k + echo] for k in range(4)]
                np.testing.assert_array_equal(volume.array, expected)
                self.assertRegex(
                    volume.messages[-1].text,
                    f"Frame {frame} of 6: echo number {echo + 1}, .*number {dynamic + 1}",
                )

    def test_volumes_that_cannot_be_told_apart_or_are_incomplete_are_refused(self):
        def mix(lines):
            lines[2]["echo_time"] = 99

        def stop_early(lines):
            del lines[-1]

        def repeat(lines):
            lines[3]["index"] = 2

        self.assert_refused(self.save(change=mix), "mixes volumes.* echo_time")
        self.assert_refused(self.save(change=stop_early), "no complete volume")
        self.assert_refused(self.save(change=repeat), "not numbered as in the REC file")

    def test_slices_elsewhere_than_the_general_information_says_are_refused_or_said(self):
        def turn(lines):
            lines[3]["orientation"] = 2

        def move(lines):
            for line in lines[2:]:
                line["place"] = (*line["place"][:1], line["place"][1] + 30, line["place"][2])

        def shift(lines):
            for line in lines:
                line["place"] = tuple(np.add(line["place"], 5))

        self.assert_refused(self.save(change=turn), "slice orientation, as in a localizer")
        self.assert_refused(self.save(change=move), "several stacks")
        volume = self.assert_as_nibabel(self.save(change=shift), "uint16")
        self.assertRegex(volume.messages[0].text, "two different positions")

    def test_damage_and_a_missing_file_are_noticed(self):
        path = self.save()
        rec = self.folder / "a.REC"
        whole = rec.read_bytes()
        for data in (whole[:-1], whole[:40], b"", whole + b"12"):
            rec.write_bytes(data)
            self.assert_refused(path, "cut short|more voxels")
        rec.unlink()
        self.assert_refused(path, "a.rec.* is not beside it")
        path.write_text(path.read_text()[:900])
        rec.write_bytes(whole)
        self.assert_refused(path, "damaged|no complete volume")


class AfniTest(NibabelFormatsTest):
    def save(self, voxels=VOXELS, matrix=grid(), factors=None, order="<", packed=False, **further):
        series = voxels[..., None] if voxels.ndim == 3 else voxels
        frames, dicom = series.shape[3], np.diag([-1, -1, 1, 1]) @ matrix
        values = {
            "DATASET_RANK": [3, frames],
            "DATASET_DIMENSIONS": [*series.shape[:3], 0, 0],
            "DELTA": geometry.spacing(matrix).tolist(),
            "BRICK_TYPES": [AFNI_TYPES[series.dtype.name]] * frames,
            "BRICK_FLOAT_FACS": factors or [0.0] * frames,
            "IJK_TO_DICOM_REAL": dicom[:3].ravel().tolist(),
            "BYTEORDER_STRING": "LSB_FIRST" if order == "<" else "MSB_FIRST",
        } | further
        text = ""
        for name, value in values.items():
            if isinstance(value, str):
                text += f"\ntype = string-attribute\nname = {name}\ncount = 9\n'{value}~\n"
            elif value is not None:
                kind = "float" if isinstance(value[0], float) else "integer"
                numbers = " ".join(map(repr, value))
                text += (
                    f"\ntype = {kind}-attribute\nname = {name}\ncount = {len(value)}\n {numbers}\n"
                )
        for path in self.folder.iterdir():
            path.unlink()
        (self.folder / "a+orig.HEAD").write_text(text)
        data = series.astype(series.dtype.newbyteorder(order)).tobytes(order="F")
        brick = self.folder / ("a+orig.BRIK.gz" if packed else "a+orig.BRIK")
        brick.write_bytes(gzip.compress(data) if packed else data)
        return self.folder / "a+orig.HEAD", brick

    def test_every_type_and_grid_is_read_as_by_nibabel_from_either_file(self):
        for dtype in ("uint8", "int16", "float32"):
            for order in "<>":
                for packed in (False, True):
                    with self.subTest(dtype, order=order, packed=packed):
                        paths = self.save(array(dtype, (4, 5, 6)).T, order=order, packed=packed)
                        for path in paths:
                            self.assert_as_nibabel(path, dtype)
        for name, matrix in GRIDS.items():
            with self.subTest(name):
                self.assert_as_nibabel(self.save(matrix=matrix)[0], "int16")

    def test_factors_scale_each_frame_and_all_frames_have_one_type(self):
        path, _ = self.save(SERIES, factors=[0.0, 0.5, 2.0])
        self.assert_refused(path, r"holds 3 frames \(.*\)\. Choose one")
        for frame in range(3):
            self.assert_as_nibabel(path, "float32", frame)
        path, _ = self.save(SERIES)
        for frame in range(3):
            self.assert_as_nibabel(path, "int16", frame)

    def test_labels_complex_numbers_and_mixed_types_are_refused(self):
        self.assert_refused(self.save(INT_CMAP=[1])[0], "label map, not an image")
        self.assert_refused(self.save(VOXELS.astype(np.complex64))[0], "several values per voxel")
        self.assert_refused(self.save(SERIES, BRICK_TYPES=[1, 1, 3])[0], "header .* damaged")

    def test_damage_and_a_missing_position_are_refused(self):
        head, brick = self.save(packed=True)
        whole = brick.read_bytes()
        for place in range(10, len(whole), 7):
            damaged = bytearray(whole)
            damaged[place] ^= 1
            brick.write_bytes(damaged)
            self.assert_refused(head, "damaged or cut short")
        for data in (brick.read_bytes()[:-3], b""):
            head, brick = self.save()
            brick.write_bytes(data)
            self.assert_refused(head, "cut short|more voxels")
        self.assert_refused(self.save(IJK_TO_DICOM_REAL=None)[0], "damaged .*IJK_TO_DICOM_REAL")
        self.assert_refused(self.save(BYTEORDER_STRING=None)[0], "damaged .*BYTEORDER_STRING")

    def test_two_files_with_voxels_are_ambiguous_unless_one_is_named(self):
        head, brick = self.save()
        packed = self.folder / "a+orig.BRIK.gz"
        packed.write_bytes(gzip.compress((VOXELS // 2).tobytes(order="F")))
        self.assert_refused(head, "a.orig.BRIK and a.orig.BRIK.gz both belong")
        np.testing.assert_array_equal(read_volume(brick).array.T, VOXELS)
        np.testing.assert_array_equal(read_volume(packed).array.T, VOXELS // 2)


class AnyDamageTest(NibabelFormatsTest):
    def test_any_damage_gives_a_volume_or_one_sentence(self):
        rng = np.random.default_rng(0)
        stored = rng.integers(0, 999, (4, 5, 6)).astype(np.int16)
        for test, write in (
            (MghTest, lambda test: test.save(name="a.mgh")),
            (MincTest, lambda test: test.save(stored)),
            (ParRecTest, lambda test: test.save(echoes=2)),
            (AfniTest, lambda test: test.save()[0]),
        ):
            made = test()
            made.folder = self.folder
            path = write(made)
            whole = path.read_bytes()
            for _ in range(100):
                data = bytearray(whole)
                place, length = rng.integers(len(data)), rng.integers(40)
                if rng.integers(2):
                    data[place : place + length] = b""
                for n in rng.integers(0, len(data), 2) if data else ():
                    data[n] = rng.integers(128)
                path.write_bytes(data)
                try:
                    self.assertEqual(read_volume(path, 0).ijk_to_ras.shape, (4, 4))
                except SuperResolutionError as e:
                    self.assertNotIn("\n", str(e))
                    self.assertNotRegex(str(e), "object|index|NoneType")


class PairTest(NibabelFormatsTest):
    def test_either_file_of_a_nifti_pair_may_be_given(self):
        for ending in ("", ".gz"):
            nibabel.save(nibabel.Nifti1Pair(VOXELS, grid()), self.folder / f"a.img{ending}")
            for name in ("a.img", "a.hdr"):
                volume = read_volume(self.folder / f"{name}{ending}")
                np.testing.assert_array_equal(volume.array.T, VOXELS)
                np.testing.assert_allclose(volume.ijk_to_ras, grid(), atol=1e-5)
            for path in self.folder.iterdir():
                path.rename(path.with_name(path.name.upper()))
            np.testing.assert_array_equal(
                read_volume(self.folder / f"A.IMG{ending.upper()}").array.T, VOXELS
            )
            for path in self.folder.iterdir():
                path.unlink()

    def test_an_analyze_pair_is_refused_by_name_from_either_file(self):
        nibabel.save(nibabel.AnalyzeImage(VOXELS, np.eye(4)), self.folder / "a.img")
        for name in ("a.img", "a.hdr"):
            self.assert_refused(
                self.folder / name, "a.hdr is an Analyze 7.5 image.*left from right"
            )

    def test_a_single_file_of_a_pair_is_refused(self):
        for name in ("a.img", "a.rec", "a+orig.BRIK", "a.BRIK.gz"):
            (self.folder / name).write_bytes(b"1234" * 99)
            self.assert_refused(self.folder / name, "is not beside it")

    def test_a_folder_names_the_header_of_each_pair_once(self):
        names = ("a.hdr", "b.PAR", "c+orig.HEAD", "d.mgz", "e.mnc", "f.mgh")
        for name in (*names, "a.img", "b.REC", "c+orig.BRIK.gz", "g.rec"):
            (self.folder / name).write_bytes(b"")
        found = find_volumes(self.folder)
        self.assertEqual([volume.path.name for volume in found.volumes], list(names))
        ((_, reason),) = found.left_out
        self.assertEqual(reason, "Not a volume that can be read: g.rec.")
        self.assertEqual(
            [formats.strip_extension(name) for name in names[:3]], ["a", "b", "c+orig"]
        )

    def test_formats_that_can_only_be_read_are_refused_as_an_output(self):
        nibabel.save(nibabel.MGHImage(VOXELS, grid()), self.folder / "in.mgz")
        for name in ("out.mgz", "out.mnc", "out.img", "out.PAR", "out.nhdr", "a+orig.BRIK.gz"):
            code, _, error = run("upsample", self.folder / "in.mgz", self.folder / name)
            self.assertEqual(code, 2)
            self.assertRegex(error, r"can be read, but not written. End the name in \.nii, ")
        self.assert_files("in.mgz")
        out = self.folder / "out.nii.gz"
        code, _, error = run("upsample", self.folder / "in.mgz", out, "--model", "bicubic")
        self.assertEqual(code, 0, error)
        volume = read_volume(out)
        self.assertEqual((volume.size, volume.array.dtype), ((12, 10, 4), np.int16))


if __name__ == "__main__":
    unittest.main()
