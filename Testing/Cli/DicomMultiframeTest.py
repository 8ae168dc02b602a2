"""Enhanced multi-frame images, Siemens mosaics and compressed DICOM files."""

import gzip
import shutil
import struct
import unittest
import warnings
from unittest import mock

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_fragments

from MRISuperResLib.core import geometry
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import read_frames, read_volume

from made_dicom import DerivedSeriesTest, decimals, stored, write_mr_series
from made_files import GRIDS, FolderTest, grid

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nibabel calls its DICOM reader experimental
    from nibabel.nicom import dicomwrappers

ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
OF_A_FRAME = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness")
"""Attributes of classic images that enhanced images have in functional groups."""
LOSSLESS = {"JPEG lossless": "1.2.840.10008.1.2.4.70", "JPEG 2000": "1.2.840.10008.1.2.4.90"}


def item(**values):
    """Return an item of a sequence."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def group(**groups):
    """Return functional groups, of which each has one item."""
    return item(**{f"{name}Sequence": [item(**values)] for name, values in groups.items()})


class MultiframeTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "a.dcm"

    def save(self, dataset, path=None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.save_as(path or self.path, enforce_file_format=True)

    def change(self, function, path=None):
        dataset = pydicom.dcmread(path or self.path)
        function(dataset)
        self.save(dataset, path)

    def assert_refused(self, pattern, path=None, kind="input", **choice):
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            read_volume(path or self.path, **choice)
        self.assertEqual(caught.exception.kind, kind)
        self.assertNotIn("\n", str(caught.exception))

    def assert_read(self, pixels, matrix=None, path=None, **choice):
        volume = read_volume(path or self.path, **choice)
        np.testing.assert_array_equal(volume.array, pixels)
        self.assertEqual(volume.array.dtype, np.asarray(pixels).dtype)
        if matrix is not None:
            np.testing.assert_allclose(volume.ijk_to_ras, matrix, atol=1e-9)
        return volume


class EnhancedTest(MultiframeTest):
    def write(self, frames, matrix=None, order=None, **shared):
        """Write an enhanced MR image.

        Args:
            frames: (pixels (j, i), k, functional groups) of each frame.
            matrix: IJKToRAS.
            order: Order of the frames in the file.
            shared: Shared functional groups.
        """
        matrix = grid() if matrix is None else matrix
        lps, spacing = np.diag([-1, -1, 1, 1]) @ matrix, geometry.spacing(matrix)
        made = self.folder / "made"
        made.mkdir()
        write_mr_series(made, frames[0][0][None], matrix)
        dataset = pydicom.dcmread(*made.iterdir())
        shutil.rmtree(made)
        for keyword in OF_A_FRAME:
            delattr(dataset, keyword)
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = ENHANCED_MR
        axes = (*lps[:3, 0] / spacing[0], *lps[:3, 1] / spacing[1])
        measures = dict(PixelSpacing=decimals(spacing[1::-1]), SliceThickness=spacing[2])
        dataset.SharedFunctionalGroupsSequence = [
            group(
                PixelMeasures=measures,
                PlaneOrientation=dict(ImageOrientationPatient=decimals(axes)),
                **shared,
            )
        ]
        frames = [frames[n] for n in (range(len(frames)) if order is None else order)]
        dataset.PerFrameFunctionalGroupsSequence = [
            group(
                PlanePosition=dict(ImagePositionPatient=decimals(lps[:3] @ (0, 0, k, 1))), **groups
            )
            for _, k, groups in frames
        ]
        dataset.NumberOfFrames = len(frames)
        dataset.PixelData = b"".join(pixels.tobytes() for pixels, _, _ in frames)
        self.save(dataset)

    def test_frames_are_read_as_slices_in_order_of_their_positions(self):
        for name, matrix in GRIDS.items():
            with self.subTest(name):
                expected = self.classic(stored(), matrix)
                frames = [(image, k, {}) for k, image in enumerate(stored())]
                self.write(frames, matrix, order=(2, 0, 3, 1))
                volume = self.assert_read(expected.array, expected.ijk_to_ras)
                self.assertEqual(volume.messages, ())

    def classic(self, pixels, matrix, **changes):
        """Return the volume of a classic series."""
        folder = self.folder / "classic"
        folder.mkdir()
        write_mr_series(folder, pixels, matrix, **changes)
        volume = read_volume(folder)
        shutil.rmtree(folder)
        return volume

    def test_a_file_in_a_folder_and_frames_in_several_files_are_one_series(self):
        frames = [(image, k, {}) for k, image in enumerate(stored())]
        self.write(frames)
        shutil.copy(self.path, self.folder / "copy.dcm")
        self.assert_read(stored(), path=self.folder)
        (self.folder / "copy.dcm").unlink()
        self.write(frames[::2])
        self.change(lambda dataset: setattr(dataset, "SOPInstanceUID", "1.2.3"))
        self.path.rename(self.folder / "b.dcm")
        self.write(frames[1::2])
        self.assert_read(stored(), path=self.folder)

    def test_each_frame_has_its_own_scaling(self):
        def scaled(k):
            return dict(PixelValueTransformation=dict(RescaleSlope=k + 1, RescaleIntercept=-k))

        self.write([(image, k, scaled(k)) for k, image in enumerate(stored())])
        k = np.arange(4).reshape(4, 1, 1)
        np.testing.assert_array_equal(read_volume(self.path).array, stored() * (k + 1.0) - k)
        self.write(
            [(image, k, {}) for k, image in enumerate(stored())],
            PixelValueTransformation=dict(RescaleSlope=0.5, RescaleIntercept=0),
        )
        self.assert_read(stored().astype(np.float32) / 2)

    def test_frames_at_the_same_positions_are_grouped_by_what_distinguishes_them(self):
        for words, groups in (
            ("echo time", lambda n: dict(MREcho=dict(EffectiveEchoTime=5.0 + 4 * n))),
            ("b-value", lambda n: dict(MRDiffusion=dict(DiffusionBValue=1000.0 * n))),
            ("diffusion direction", lambda n: dict(MRDiffusion=_diffusion(n))),
            ("temporal position", lambda n: dict(FrameContent=dict(TemporalPositionIndex=n + 1))),
            (
                "acquisition number",
                lambda n: dict(FrameContent=dict(FrameAcquisitionNumber=n + 1)),
            ),
            ("stack", lambda n: dict(FrameContent=dict(StackID=str(n + 1)))),
            ("flip angle", lambda n: dict(MRTimingAndRelatedParameters=dict(FlipAngle=9.0 + n))),
            ("inversion time", lambda n: dict(MRModifier=dict(InversionTimes=[100.0 + 90 * n]))),
            (
                "image type",
                lambda n: dict(MRImageFrameType=dict(FrameType=["ORIGINAL", "PRIMARY", f"A{n}"])),
            ),
        ):
            with self.subTest(words):
                frames = [
                    (image + 2000 * n, k, groups(n))
                    for k, image in enumerate(stored())
                    for n in (0, 1)
                ]
                self.write(frames, order=np.random.default_rng(3).permutation(8))
                self.assert_refused(rf"holds 2 frames \(0 to 1\), in order of {words}")
                for n in (0, 1):
                    volume = self.assert_read(stored() + 2000 * n, frame=n)
                    self.assertRegex(volume.messages[-1].text, f"Frame {n} of 2, .*{words}")

    def test_an_index_of_a_dimension_distinguishes_frames_that_nothing_else_does(self):
        frames = [
            (image + 2000 * n, k, dict(FrameContent=dict(DimensionIndexValues=[1, k + 1, n + 1])))
            for k, image in enumerate(stored())
            for n in (0, 1)
        ]
        self.write(frames, order=np.random.default_rng(3).permutation(8))
        self.assert_refused("holds 2 frames .* in order of dimension 3")
        opened = read_frames(self.path)
        for n in (0, 1, 1, 0):
            self.assert_read(stored() + 2000 * n, frame=n)
            np.testing.assert_array_equal(opened[n].array, stored() + 2000 * n)

    def test_mixed_frames_are_refused(self):
        frames = [
            (image, k, dict(MREcho=dict(EffectiveEchoTime=5.0 + 4 * n)))
            for k, image in enumerate(stored())
            for n in (0, 1)
        ]
        frames[4] = (*frames[4][:2], dict(MREcho=dict(EffectiveEchoTime=13.0)))
        self.write(frames)
        self.assert_refused(r"differ in their echo time \(a.dcm \(\d\): ", frame=0)
        self.write(frames[:-1])
        self.assert_refused("some positions hold 1 images, others 2", frame=0)

    def test_stacks_in_different_directions_or_at_different_places_are_refused(self):
        turned = dict(PlaneOrientation=dict(ImageOrientationPatient=decimals((1, 0, 0, 0, 0, -1))))
        frames = [(image, k, turned if k > 1 else {}) for k, image in enumerate(stored())]
        self.write(frames)
        self.assert_refused("differ in their direction .*localizer")
        stacks = [dict(FrameContent=dict(StackID=str(1 + k // 2))) for k in range(4)]
        self.write([(image, k, stacks[k]) for k, image in enumerate(stored())])
        self.assert_refused(r"differ in their stack .*\. Export each volume by itself, or convert")

    def test_a_frame_without_a_position_and_missing_descriptions_are_refused(self):
        def drop_position(n):
            return lambda dataset: delattr(
                dataset.PerFrameFunctionalGroupsSequence[n], "PlanePositionSequence"
            )

        def drop_frame(dataset):
            dataset.PerFrameFunctionalGroupsSequence.pop()

        def drop_all(dataset):
            del dataset.PerFrameFunctionalGroupsSequence

        def drop_pixels(dataset):
            dataset.PixelData = dataset.PixelData[:-2]

        for change, pattern in (
            (drop_position(2), r"a.dcm \(3\), of a.dcm, does not say where it lies"),
            (drop_position(0), "slice positions of a.dcm are missing"),
            (drop_frame, "describes 3 of its 4 frames"),
            (drop_all, "4 frames in one file without the position of each"),
            (drop_pixels, "cannot be decoded"),
        ):
            self.write([(image, k, {}) for k, image in enumerate(stored())])
            self.change(change)
            self.assert_refused(pattern)

    def test_other_kinds_of_multi_frame_files_are_refused_by_name(self):
        for changes, pattern in (
            (dict(Modality="SEG"), "a.dcm is a segmentation"),
            (dict(SamplesPerPixel=3), "colors"),
        ):
            self.write([(image, k, {}) for k, image in enumerate(stored())])
            self.change(lambda dataset: dataset.update(item(**changes)))
            self.change(lambda dataset: dataset.PerFrameFunctionalGroupsSequence.pop())
            self.assert_refused(pattern)

    def test_a_damaged_file_of_another_series_does_not_matter(self):
        self.write([(image, k, {}) for k, image in enumerate(stored())])
        self.change(lambda dataset: dataset.PerFrameFunctionalGroupsSequence.pop())
        self.change(lambda dataset: setattr(dataset, "SOPInstanceUID", "1.2.3"))
        self.change(lambda dataset: setattr(dataset, "SeriesInstanceUID", "1.2"))
        self.path.rename(self.folder / "b.dcm")
        self.write([(image, k, {}) for k, image in enumerate(stored())])
        series = pydicom.dcmread(self.path).SeriesInstanceUID
        self.assert_read(stored(), path=self.folder, series=series)
        self.assert_refused("describes 3 of its 4 frames", self.folder, series="1.2")

    def test_repeated_frames_of_a_single_slice_are_frames_of_a_thin_volume(self):
        frames = [
            (image, 0, dict(FrameContent=dict(TemporalPositionIndex=n + 1)))
            for n, image in enumerate(stored())
        ]
        self.write(frames)
        self.assert_refused("holds 4 frames")
        volume = self.assert_read(stored()[2:3], frame=2)
        np.testing.assert_allclose(volume.spacing, (1.125, 1.2, 3.3))

    def test_compressed_frames_hold_the_same_values(self):
        for signed in (False, True):
            pixels = stored("uint16") - (500 if signed else 0)
            pixels = pixels.astype(np.int16 if signed else np.uint16)
            for name, syntax in (*LOSSLESS.items(), ("RLE", "1.2.840.10008.1.2.5")):
                with self.subTest(name, signed=signed):
                    self.write(
                        [(image, k, {}) for k, image in enumerate(pixels)], order=(1, 0, 3, 2)
                    )
                    self.change(lambda dataset: self.pack(dataset, syntax))
                    self.assert_read(pixels)
                    data = self.path.read_bytes()
                    self.path.write_bytes(data[: -len(data) // 8])
                    self.assert_refused("cannot be decoded")

    def pack(self, dataset, syntax):
        """Compress the pixels of each frame."""
        if syntax.endswith(".5"):
            dataset.compress(syntax, generate_instance_uid=False)
            return
        single = self.folder / "single.dcm"
        frames = []
        for pixels in dataset.pixel_array:
            image = sitk.GetImageFromArray(pixels)
            writer = sitk.ImageFileWriter()
            writer.SetImageIO("GDCMImageIO")
            writer.UseCompressionOn()
            writer.SetCompressor("JPEG" if syntax.endswith("70") else "JPEG2000")
            writer.SetFileName(str(single))
            writer.Execute(image)
            written = pydicom.dcmread(single)
            self.assertEqual(written.file_meta.TransferSyntaxUID, syntax)
            frames.append(b"".join(generate_fragments(_without_offsets(written.PixelData))))
            single.unlink()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = encapsulate(frames)
        dataset["PixelData"].is_undefined_length = True


def _diffusion(n):
    direction = item(DiffusionGradientOrientation=[float(n), 1.0 - n, 0.0])
    return dict(DiffusionBValue=1000.0, DiffusionGradientDirectionSequence=[direction])


def _without_offsets(data):
    """Return encapsulated pixels without their table of offsets."""
    return data[8 + struct.unpack("<I", data[4:8])[0] :]


def csa_header(**values):
    """Return a CSA header of Siemens, version 2; values: lists of texts by name."""
    data = b"SV10\4\3\2\1" + struct.pack("<2I", len(values), 77)
    for name, texts in values.items():
        kind = b"SH" if name.endswith("Text") else b"US" if name.startswith("Number") else b"FD"
        data += struct.pack("<64si4siii", name.encode(), len(texts), kind, 3, 6, 77)
        for text in (*texts, *[None] * (6 - len(texts))):
            content = b"" if text is None else text.encode() + b"\0"
            data += struct.pack("<4i", 0, len(content), 77, 0)
            data += content + bytes(-len(content) % 4)
    return data


class MosaicTest(MultiframeTest):
    def write(self, pixels, matrix=None, path=None, **changes):
        """Write slices as tiles of one picture."""
        matrix = grid(angles=(12, -33, 71)) if matrix is None else matrix
        lps, spacing = np.diag([-1, -1, 1, 1]) @ matrix, geometry.spacing(matrix)
        count, rows, columns = pixels.shape
        across = int(np.ceil(np.sqrt(count)))
        picture = np.zeros((across * rows, across * columns), pixels.dtype)
        for n, image in enumerate(pixels):
            row, column = divmod(n, across)
            picture[row * rows : (row + 1) * rows, column * columns : (column + 1) * columns] = (
                image
            )
        # the file has the position of one large slice around the same center
        first = lps @ ((columns - across * columns) / 2, (rows - across * rows) / 2, 0, 1)
        header = csa_header(
            AcquisitionMatrixText=[f"{rows}*{columns}"],
            NumberOfImagesInMosaic=[str(count)],
            SliceNormalVector=[f"{x:.8f}" for x in lps[:3, 2] / spacing[2]],
        )
        made = self.folder / "made"
        made.mkdir()
        values = {
            "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"],
            "ImagePositionPatient": decimals(first[:3]),
            "SpacingBetweenSlices": spacing[2],
        } | changes
        write_mr_series(made, picture[None], matrix, **values)
        dataset = pydicom.dcmread(*made.iterdir())
        shutil.rmtree(made)
        dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", header)
        self.save(dataset, path)

    def test_the_slices_lie_where_nibabel_and_the_grid_say(self):
        for count in (1, 2, 4, 7):
            for name, matrix in GRIDS.items():
                with self.subTest(name, count=count):
                    pixels = stored(shape=(count, 8, 10))
                    self.write(pixels, matrix)
                    volume = read_volume(self.path)
                    if np.linalg.det(matrix[:3, :3]) > 0:  # k along row × column, in LPS and RAS
                        np.testing.assert_array_equal(volume.array, pixels)
                        np.testing.assert_allclose(volume.ijk_to_ras, matrix, atol=1e-6)
                    reference = dicomwrappers.wrapper_from_file(self.path)
                    self.assertIsInstance(reference, dicomwrappers.MosaicWrapper)
                    ras = np.diag([-1, -1, 1, 1]) @ reference.affine
                    voxels = reference.get_data().reshape(8, 10, count)
                    for k in range(count):  # nibabel's indices are row, column, slice
                        place = np.linalg.inv(volume.ijk_to_ras) @ ras @ (0, 0, k, 1)
                        np.testing.assert_allclose(place[:2], 0, atol=1e-5)
                        here = round(float(place[2]))
                        self.assertAlmostEqual(here, place[2], places=4)
                        np.testing.assert_array_equal(volume.array[here], voxels[..., k])

    def test_mosaics_of_a_series_are_frames(self):
        for n in range(3):
            self.write(
                stored() + 10 * n,
                path=self.folder / f"{(5 * n) % 7}.dcm",
                SOPInstanceUID=f"1.2.3.{n}",
                AcquisitionNumber=n + 1,
                InstanceNumber=n + 1,
            )
        self.assert_refused("holds 3 frames .*acquisition number", self.folder)
        opened = read_frames(self.folder)
        for n in (0, 1, 2, 1):
            self.assert_read(stored() + 10 * n, path=self.folder, frame=n)
            np.testing.assert_array_equal(opened[n].array, stored() + 10 * n)

    def test_a_mosaic_without_what_its_slices_need_is_refused(self):
        def drop_header(dataset):
            del dataset[0x0029, 0x1010]

        def cut_header(dataset):
            dataset[0x0029, 0x1010].value = dataset[0x0029, 0x1010].value[:120]

        def drop_spacing(dataset):
            del dataset.SpacingBetweenSlices
            del dataset.SliceThickness

        def drop_position(dataset):
            del dataset.ImagePositionPatient

        def turn(dataset):
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]

        def count(dataset):
            header = csa_header(NumberOfImagesInMosaic=["17"], SliceNormalVector=["0", "0", "1"])
            dataset[0x0029, 0x1010].value = header

        for change, pattern in (
            (drop_header, r"\(CSA\) is missing .*dcm2niix"),
            (cut_header, r"\(CSA\) is missing or damaged"),
            (drop_spacing, "without the position or the spacing"),
            (drop_position, "without the position or the spacing"),
            (turn, "two headers give different directions"),
            (count, "mosaic of 17 slices, .* cannot be divided"),
        ):
            with self.subTest(change.__name__):
                self.write(stored())
                self.change(change)
                self.assert_refused(pattern)

    def test_without_nibabel_the_missing_package_is_named(self):
        self.write(stored())
        with mock.patch.dict("sys.modules", {"nibabel.nicom": None}):
            self.assert_refused("is a mosaic, .* needs the Python package nibabel", kind="packages")


class DerivedTest(DerivedSeriesTest):
    def test_a_mosaic_gives_a_derived_series_of_its_slices(self):
        MosaicTest.write(self, stored(), path=self.source / "a.dcm")
        derived = self.derive(model="nearest")
        np.testing.assert_array_equal(derived.array[:, ::2, ::2], stored())

    save = MultiframeTest.save


class CompressedFilesTest(MultiframeTest):
    def pack(self, folder):
        for path in folder.iterdir():
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()

    def test_compressed_files_are_read_alone_and_in_a_folder(self):
        write_mr_series(self.folder, stored(), grid())
        expected = read_volume(self.folder)
        first = read_volume(min(self.folder.iterdir()))
        self.pack(self.folder)
        self.assert_read(expected.array, expected.ijk_to_ras, self.folder)
        self.assert_read(first.array, first.ijk_to_ras, min(self.folder.iterdir()))
        plain = min(self.folder.iterdir())
        plain.with_suffix("").write_bytes(gzip.decompress(plain.read_bytes()))
        plain.unlink()
        self.assert_read(expected.array, expected.ijk_to_ras, self.folder)

    def test_a_compressed_file_with_compressed_pixels_is_read(self):
        image = sitk.GetImageFromArray(stored("uint16")[:1])
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        writer.SetFileName(str(self.path))
        writer.Execute(image)
        self.pack(self.folder)
        self.assert_read(stored("uint16")[:1], path=self.folder / "a.dcm.gz")

    def test_damage_is_noticed(self):
        write_mr_series(self.folder, stored(), grid())
        self.pack(self.folder)
        path = min(self.folder.iterdir())
        whole = path.read_bytes()
        for place in np.linspace(10, len(whole) - 1, 40).astype(int):
            damaged = bytearray(whole)
            damaged[place] ^= 4
            for data in (bytes(damaged), whole[:place]):
                path.write_bytes(data)
                for source in (path, self.folder):
                    self.assert_refused(rf"{path.name} .*(damaged|cut short|empty)", source)


if __name__ == "__main__":
    unittest.main()
