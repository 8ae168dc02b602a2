"""BIDS: the raw images of a study, and the derivative dataset that holds their outputs.

Names and fields follow BIDS 1.10, "BIDS Derivatives" (bids-specification.readthedocs.io).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ... import __version__
from ..errors import SuperResolutionError
from ..provenance import NOTICE, has_output_grid, provenance_path
from .atomic import translate_os_errors, write_bytes, write_json
from .discovery import FoundVolume
from .formats import strip_extension

BIDS_VERSION = "1.10.0"
SOFTWARE = "MRISuperRes"
CODE_URL = "https://github.com/MRISuperRes/SlicerMRISuperRes"
DATATYPES = ("anat", "func", "dwi")
IMAGE_NAME = re.compile(r"sub-[0-9A-Za-z+]+(_[a-z]+-[0-9A-Za-z+]+)*_[0-9A-Za-z]+\.nii(\.gz)?")
DERIVED = frozenset(("space", "atlas", "seg", "res", "den", "label", "desc"))
"""Entities that raw images do not have."""
MASKS = frozenset(("defacemask", "mask", "dseg", "probseg"))
IGNORED = "*.nii.json\n*.nii.gz.json\nreport*.csv\n*_desc-SR_dwi.bval\n*_desc-SR_dwi.bvec\n"
"""Content of .bidsignore: files that BIDS does not define; it gives gradients no res entity."""
README = f"""\
The images of this dataset were upsampled by {SOFTWARE}: {NOTICE}.

The original images are in the dataset that DatasetLinks of dataset_description.json names.
IMAGE.json holds their metadata, IMAGE.nii.gz.json the model and options, report.csv the result of
each image.
"""
DESCRIPTION = "dataset_description.json"


class BidsStudy:
    """A raw BIDS dataset whose images are upsampled.

    Attributes:
        root: Folder of the dataset.
        out: Folder of the derivative dataset.
    """

    def __init__(self, inputs: Sequence[str | Path], out: str | Path | None) -> None:
        """Check the folders.

        Args:
            inputs: The root folder of the dataset.
            out: Folder of the derivative dataset; None: derivatives/mrisuperres below the root.

        Raises:
            SuperResolutionError: There is not exactly one folder, or the dataset or the outputs
                are those of another pipeline (kind "settings").
        """
        if len(inputs) != 1 or not Path(inputs[0]).is_dir():
            raise SuperResolutionError(
                "Give one folder: the root of the BIDS dataset, which holds its sub-… folders.",
                "settings",
            )
        self.root = Path(os.path.abspath(inputs[0]))
        self.out = Path(os.path.abspath(out or self.root / "derivatives" / "mrisuperres"))
        self._raw = _read_object(self.root / DESCRIPTION)
        if self._raw.get("DatasetType", "raw") != "raw":
            raise SuperResolutionError(
                f"{self.root} is a BIDS dataset of type {self._raw['DatasetType']}, not of raw "
                "images. Give the raw dataset.",
                "settings",
            )
        self._description = _read_object(self.out / DESCRIPTION)
        if self._description and SOFTWARE not in str(self._description.get("GeneratedBy")):
            raise SuperResolutionError(
                f"{self.out} holds the outputs of another pipeline. Choose another folder.",
                "settings",
            )

    def plan(
        self, resolution: str, extension: str
    ) -> tuple[list[tuple[FoundVolume, Path]], list[tuple[Path, str]]]:
        """Find the raw images of `DATATYPES`, and name their outputs.

        Args:
            resolution: Resolution of the outputs, such as "x2", "isotropic" or "0.5x0.5x1mm".
            extension: "nii" or "nii.gz".

        Returns:
            The images, each with its output path, and what is left out, each with the reason.

        Raises:
            SuperResolutionError: There is no image, or the format is not that of BIDS
                (kind "settings").
        """
        if extension not in ("nii", "nii.gz"):
            raise SuperResolutionError(
                f"BIDS images are NIfTI files, not {extension}. Choose nii or nii.gz.", "settings"
            )
        label = resolution.replace(".", "p")  # BIDS labels hold letters and digits only
        planned: list[tuple[FoundVolume, Path]] = []
        left_out: list[tuple[Path, str]] = []
        for path in self._images():
            place = path.relative_to(self.root)
            if not IMAGE_NAME.fullmatch(path.name) or DERIVED & set(entities(path)):
                left_out.append((path, "Its name is not that of a raw BIDS image."))
            elif suffix(path) in MASKS:
                left_out.append((path, "It is a mask, not an image."))
            else:
                stem = strip_extension(path.name).removesuffix(suffix(path))
                name = f"{stem}res-{label}_desc-SR_{suffix(path)}.{extension}"
                source = FoundVolume(path, place.with_name(strip_extension(path.name)))
                planned.append((source, self.out / place.with_name(name)))
        if not planned:
            raise SuperResolutionError(
                f"No raw image found in sub-*/anat, func or dwi of {self.root}. Give the root "
                "folder of a BIDS dataset.",
                "settings",
            )
        return planned, left_out

    def write_description(self) -> None:
        """Write README and dataset_description.json, and keep what was added to existing ones.

        Raises:
            SuperResolutionError: A file cannot be written (kind "environment").
        """
        doi = self._raw.get("DatasetDOI")
        source = {"URL": "bids:raw:"} | ({"DOI": doi} if doi else {})
        generated = {"Name": SOFTWARE, "Version": __version__, "CodeURL": CODE_URL}
        with translate_os_errors(self.out):
            self.out.mkdir(parents=True, exist_ok=True)
        write_json(
            self.out / DESCRIPTION,
            {
                "Name": f"{SOFTWARE} outputs of {self._raw.get('Name', self.root.name)}",
                "BIDSVersion": BIDS_VERSION,
                "DatasetType": "derivative",
                "SourceDatasets": [source],
                "DatasetLinks": {"raw": Path(os.path.relpath(self.root, self.out)).as_posix()},
                **self._description,
                "GeneratedBy": [generated],
            },
        )
        write_bytes(self.out / ".bidsignore", IGNORED.encode())
        if not (self.out / "README").exists():
            write_bytes(self.out / "README", README.encode())

    def metadata(self, source: Path) -> dict[str, Any]:
        """Return the metadata of a raw image by the inheritance principle.

        Raises:
            SuperResolutionError: A sidecar is damaged.
        """
        fields: dict[str, Any] = {}
        for path in self._inherited(source, ".json"):
            fields |= _read_object(path)
        return fields

    def write_sidecars(self, source: Path, target: Path, metadata: Mapping[str, Any]) -> None:
        """Write NAME.json of a complete output, and copy .bval and .bvec of a diffusion image.

        Args:
            source: The raw image.
            target: The output, which has a provenance file.
            metadata: Metadata of the raw image.

        Raises:
            SuperResolutionError: A file cannot be read or written.
        """
        record = _read_object(provenance_path(target))
        place = source.relative_to(self.root).as_posix()
        name = strip_extension(target.name)
        write_json(
            target.with_name(f"{name}.json"),
            {**corrected(metadata, record), "Sources": [f"bids:raw:{place}"]},
        )
        if suffix(source) == "dwi":
            for extension in (".bval", ".bvec"):
                for path in self._inherited(source, extension)[-1:]:
                    write_bytes(target.with_name(name + extension), path.read_bytes())

    def _images(self) -> list[Path]:
        places = [f"{level}{datatype}" for datatype in DATATYPES for level in ("", "ses-*/")]
        return sorted(
            path
            for place in places
            for path in self.root.glob(f"sub-*/{place}/*.nii*")
            if path.name.endswith((".nii", ".nii.gz")) and not path.name.startswith(".")
        )

    def _inherited(self, source: Path, extension: str) -> list[Path]:
        """Return the files with metadata of an image, the most specific one last."""
        wanted = entities(source).items()
        found = []
        for folder in reversed(source.relative_to(self.root).parents):
            files = [
                path
                for path in (self.root / folder).glob(f"*{suffix(source)}{extension}")
                if suffix(path) == suffix(source) and entities(path).items() <= wanted
            ]
            found += sorted(files, key=lambda path: len(entities(path)))
        return found


def entities(path: Path) -> dict[str, str]:
    """Return the entities of a BIDS name: {"sub": "01", "run": "1"}."""
    parts = path.name.split(".")[0].split("_")[:-1]
    return {key: label for key, _, label in (part.partition("-") for part in parts)}


def suffix(path: Path) -> str:
    """Return the suffix of a BIDS name, such as "T2w"."""
    return path.name.split(".")[0].split("_")[-1]


def corrected(metadata: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of an output: those of its source, with what upsampling changes.

    The echo spacing stays, but the readout time is that of the finer grid (BIDS: the spacing times
    the number of lines less one). If the number of slices changes, slice timing is dropped and the
    slice thickness is the new slice spacing.

    Args:
        metadata: Metadata of the raw image.
        record: Provenance of the output.
    """
    given = record["input"]
    scale, size, spacing = record["scale"], given["size"], given["spacing"]
    if has_output_grid(record):
        factors, how = dict(zip("ijk", record["factors"], strict=True)), "resampled"
    else:
        slices = record["slices"]["axis"]
        factors = {axis: 1 if axis == slices else scale for axis in "ijk"}
        how = f"upsampled ×{scale} in-plane"
    fields = {key: value for key, value in metadata.items() if key not in _VOXEL_FIELDS}
    phase = str(fields.get("PhaseEncodingDirection", fields.get("PhaseEncodingAxis", "")))[:1]
    factor = factors.get(phase)
    lines = dict(zip("ijk", size, strict=True)).get(phase, 1)
    ratios = {
        "TotalReadoutTime": (lines * factor - 1) / (lines - 1) if factor and lines > 1 else None,
        "ReconMatrixPE": factor,
        "BandwidthPerPixelPhaseEncode": 1 / factor if factor else None,
    }
    for key, ratio in ratios.items():
        value = fields.pop(key, None)
        if ratio is not None and isinstance(value, (int, float)):
            fields[key] = round(value * ratio) if key == "ReconMatrixPE" else value * ratio
    finer = {axis: side / factors[axis] for axis, side in zip("ijk", spacing, strict=True)}
    encoded = str(fields.get("SliceEncodingDirection", "k"))[:1]
    if factors.get(encoded) != 1:
        for key in ("SliceTiming", "SpacingBetweenSlices"):
            fields.pop(key, None)
        if "SliceThickness" in fields and encoded in finer:
            fields["SliceThickness"] = finer[encoded]
    if isinstance(fields.get("ImageType"), list):
        fields["ImageType"] = ["DERIVED", "SECONDARY", *fields["ImageType"][2:]]
    return fields | {
        "Description": f"Upsampled by {record['model']['name']} ({record['software']}): "
        f"{record['notice']}",
        "Resolution": f"{_sides([*finer.values()])} mm, {how} from {_sides(spacing)} mm",
        "SkullStripped": bool(fields.get("SkullStripped", False)),
    }


_VOXEL_FIELDS = ("AnatomicalLandmarkCoordinates", "AnatomicalLandmarkCoordinateUnits")
"""Fields in voxels of the raw image."""


def _sides(spacing: Sequence[float]) -> str:
    return "×".join(f"{side:.4g}" for side in spacing)


def _read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one if the file does not exist."""
    if not os.path.lexists(path):
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise SuperResolutionError(
            f"{path} cannot be read ({error}). Correct this JSON file."
        ) from error
    if not isinstance(values, dict):
        raise SuperResolutionError(f"{path} holds no JSON object. Correct this JSON file.")
    return values
