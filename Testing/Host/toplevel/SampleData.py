"""Stand-in of the SampleData module: remembers the registered sources and checks what they say."""
import re
from pathlib import Path

sources = []  # the keyword arguments of every registration


def _list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


class SampleDataLogic:
    @staticmethod
    def registerCustomSampleDataSource(category="Custom", sampleName=None, uris=None, fileNames=None, nodeNames=None, customDownloader=None,
                                       thumbnailFileName=None, loadFileType=None, loadFiles=None, loadFileProperties=None, checksums=None):
        if not sampleName:
            raise ValueError("a sample needs a name")
        if customDownloader is None and not uris:
            raise ValueError(f"{sampleName}: neither uris nor a customDownloader")
        if thumbnailFileName is not None and not Path(thumbnailFileName).is_file():
            raise ValueError(f"{sampleName}: the thumbnail does not exist: {thumbnailFileName}")
        if uris:
            counts = {len(_list(v)) for v in (uris, fileNames, nodeNames, checksums) if v is not None}
            if len(counts) > 1:
                raise ValueError(f"{sampleName}: uris, fileNames, nodeNames and checksums differ in number")
            if checksums is None or not all(re.fullmatch(r"SHA256:[0-9a-fA-F]{64}", c) for c in _list(checksums)):
                raise ValueError(f"{sampleName}: every uri needs a checksum 'SHA256:<64 hex digits>'")
        sources.append(dict(category=category, sampleName=sampleName, uris=uris, fileNames=fileNames, nodeNames=nodeNames,
                            thumbnailFileName=thumbnailFileName, checksums=checksums, customDownloader=customDownloader,
                            loadFileType=loadFileType, loadFiles=loadFiles, loadFileProperties=loadFileProperties))
