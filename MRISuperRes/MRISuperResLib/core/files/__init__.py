"""Volume files: NIfTI, NRRD, MetaImage and DICOM to arrays, arrays to NIfTI, NRRD and MetaImage. Nothing here needs Slicer."""

from .reading import Volume, read_volume
from .writing import check_output, write_volume

__all__ = ["Volume", "check_output", "read_volume", "write_volume"]
