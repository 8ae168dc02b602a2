"""Sample volumes, offered by Slicer's module Sample Data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import slicer
from slicer.i18n import tr as _

ICONS = Path(__file__).resolve().parents[2] / "Resources" / "Icons"
CATEGORY = "MRI Super Resolution"
_GITHUB = "https://raw.githubusercontent.com/"


@dataclass(frozen=True)
class Sample:
    """A public volume.

    Attributes:
        name: Name in the module Sample Data and for scripts.
        url: Address of the file, with a commit, so that its content never changes.
        sha256: Hash of the file.
        file: Name in Slicer's cache.
        credit: Source and license.
    """

    name: str
    url: str
    sha256: str
    file: str
    credit: str

    @property
    def nodeName(self) -> str:
        """Name of the volume node."""
        return self.file.partition(".")[0]

    @property
    def thumbnail(self) -> Path:
        """Image for the module Sample Data, made by Resources/Icons/draw_thumbnails.py."""
        return ICONS / f"{self.nodeName}.png"


FETUS = Sample(
    "MRI fetus T2",
    f"{_GITHUB}Medical-Image-Analysis-Laboratory/mialsuperresolutiontoolkit/"
    "ecd37d5f84189c33a76368d3653d9af588032b3c/data/sub-01/anat/sub-01_run-3_T2w.nii.gz",
    "7fa77748de4de73c481f4453f1e4b948742e3fa6962e6f516a4171b8fbbfd84e",
    "SampleFetusT2.nii.gz",
    "Medical Image Analysis Laboratory, CHUV and UNIL, Lausanne (CC0)",
)
"""A stack of thick slices of a pregnant woman. It is training data of the shipped models, so it
shows the workflow, not their quality."""

BRAIN = Sample(
    "MRI brain T2",
    f"{_GITHUB}muschellij2/open_ms_data/65704901f60650824565aa5a4818611aa89716f4/"
    "longitudinal/raw/patient03/study1_T2W.nii.gz",
    "dfeb4d8fcf0a2fb4bb9794ee143cf9696ae9bf881f8b713658912e28affdc159",
    "SampleBrainT2.nii.gz",
    "Ž. Lesjak et al., 2016, Laboratory of Imaging Technologies, Ljubljana (CC BY)",
)
"""A patient with multiple sclerosis: an unseen subject for every shipped model."""

SAMPLES = (FETUS, BRAIN)


def registerSamples() -> None:
    """Register the samples after the start of the application, if it has Sample Data."""
    try:
        import SampleData
    except ModuleNotFoundError:
        return
    for sample in SAMPLES:
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=sample.name,
            uris=sample.url,
            checksums=f"SHA256:{sample.sha256}",
            fileNames=sample.file,
            nodeNames=sample.nodeName,
            thumbnailFileName=str(sample.thumbnail),
        )


def loadSample(sample: Sample) -> slicer.vtkMRMLScalarVolumeNode:
    """Load a registered sample from the cache, or download it.

    Raises:
        RuntimeError: It cannot be loaded; the text is for the user.
    """
    try:
        import SampleData
    except ModuleNotFoundError as error:
        raise RuntimeError(
            _("This Slicer lacks the module Sample Data. Load a volume of your own.")
        ) from error
    loaded = SampleData.SampleDataLogic().downloadSamples(sample.name)
    # a failed download gives nothing, or the path of a file with other content
    if not (loaded and isinstance(loaded[0], slicer.vtkMRMLScalarVolumeNode)):
        raise RuntimeError(
            _("Download failed: {url}. Check the network, or load a volume of your own.").format(
                url=sample.url
            )
        )
    return loaded[0]
