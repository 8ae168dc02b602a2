"""Volume files: NIfTI, NRRD, MetaImage and DICOM in and out."""
