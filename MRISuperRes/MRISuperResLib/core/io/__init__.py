"""Volume files: NIfTI, NRRD, MetaImage and DICOM to arrays, arrays to NIfTI, NRRD and MetaImage. Nothing here needs Slicer."""

from .folder import new_folder
from .formats import Volume, read_volume
from .writing import check_output, write_volume

__all__ = ["Volume", "check_output", "new_folder", "read_volume", "write_volume"]
