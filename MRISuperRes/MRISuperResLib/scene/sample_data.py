"""Volumes to try the extension with, offered by Slicer's module Sample Data, which fetches and keeps them."""

from dataclasses import dataclass
from pathlib import Path

import slicer
from slicer.i18n import tr as _

ICONS = Path(__file__).resolve().parents[2] / "Resources" / "Icons"
CATEGORY = "MRI Super Resolution"


@dataclass(frozen=True)
class Sample:
    """A public volume. name: in the module Sample Data, and for scripts; file: in Slicer's cache; credit: whose it is, and its license.

    The URL names a commit, so that it serves the same file for ever.
    """

    name: str
    url: str
    sha256: str
    file: str
    credit: str

    @property
    def nodeName(self) -> str:
        return self.file.partition(".")[0]

    @property
    def thumbnail(self) -> Path:
        """Drawn from the volume itself by Resources/Icons/draw_thumbnails.py."""
        return ICONS / f"{self.nodeName}.png"


FETUS = Sample(
    "MRI fetus T2",
    "https://raw.githubusercontent.com/Medical-Image-Analysis-Laboratory/mialsuperresolutiontoolkit/ecd37d5f84189c33a76368d3653d9af588032b3c/"
    "data/sub-01/anat/sub-01_run-3_T2w.nii.gz",
    "7fa77748de4de73c481f4453f1e4b948742e3fa6962e6f516a4171b8fbbfd84e",
    "SampleFetusT2.nii.gz",
    "Medical Image Analysis Laboratory, CHUV and UNIL, Lausanne (CC0)",
)
"""A stack of thick slices of a pregnant woman; the shipped models have learnt from it, so it shows the work, not what they are worth."""

BRAIN = Sample(
    "MRI brain T2",
    "https://raw.githubusercontent.com/muschellij2/open_ms_data/65704901f60650824565aa5a4818611aa89716f4/longitudinal/raw/patient03/study1_T2W.nii.gz",
    "dfeb4d8fcf0a2fb4bb9794ee143cf9696ae9bf881f8b713658912e28affdc159",
    "SampleBrainT2.nii.gz",
    "Ž. Lesjak et al., 2016, Laboratory of Imaging Technologies, Ljubljana (CC BY)",
)
"""Of a person with multiple sclerosis whom no shipped model has seen."""

SAMPLES = (FETUS, BRAIN)


def registerSamples():
    """Once the application has started. A build of Slicer without the module Sample Data offers no samples."""
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


def loadSample(sample):
    """The volume node of a registered sample, fetched where it is not in the cache. Raises RuntimeError with one sentence for the user."""
    try:
        import SampleData
    except ModuleNotFoundError as error:
        raise RuntimeError(
            _("This Slicer has no module Sample Data: load a volume of your own.")
        ) from error
    loaded = SampleData.SampleDataLogic().downloadSamples(sample.name)
    if not (
        loaded and isinstance(loaded[0], slicer.vtkMRMLScalarVolumeNode)
    ):  # else nothing, or the path of a file that is not what it should be
        raise RuntimeError(
            _(
                "The sample could not be fetched from {url}: look at the network connection, or load a volume of your own."
            ).format(url=sample.url)
        )
    return loaded[0]
