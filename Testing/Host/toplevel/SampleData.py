"""Stand-in for the SampleData module: checks registered sources, downloads from a fake network."""

import hashlib
import re
from pathlib import Path

sources = []  # the keyword arguments of every registration
served = {}  # {url: bytes}: the files of the fake network


def _list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


class SampleDataLogic:
    def __init__(self, logMessage=None):
        pass

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileType=None,
        loadFiles=None,
        loadFileProperties=None,
        checksums=None,
    ):
        if not sampleName:
            raise ValueError("a sample needs a name")
        if customDownloader is None and not uris:
            raise ValueError(f"{sampleName}: neither uris nor a customDownloader")
        if thumbnailFileName is not None and not Path(thumbnailFileName).is_file():
            raise ValueError(f"{sampleName}: the thumbnail does not exist: {thumbnailFileName}")
        if uris:
            counts = {
                len(_list(v)) for v in (uris, fileNames, nodeNames, checksums) if v is not None
            }
            if len(counts) > 1:
                raise ValueError(
                    f"{sampleName}: uris, fileNames, nodeNames and checksums differ in number"
                )
            if checksums is None or not all(
                re.fullmatch(r"SHA256:[0-9a-fA-F]{64}", c) for c in _list(checksums)
            ):
                raise ValueError(
                    f"{sampleName}: every uri needs a checksum 'SHA256:<64 hex digits>'"
                )
        source = dict(
            category=category,
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            thumbnailFileName=thumbnailFileName,
            checksums=checksums,
            customDownloader=customDownloader,
            loadFileType=loadFileType,
            loadFiles=loadFiles,
            loadFileProperties=loadFileProperties,
        )
        if source not in sources:
            sources.append(source)

    def downloadSamples(self, sampleName):
        """Download a sample as Slicer does.

        Returns:
            The nodes, or the paths of files with a wrong checksum. The list is empty if the sample
            is unknown or cannot be downloaded.
        """
        import slicer

        source = next((source for source in sources if source["sampleName"] == sampleName), None)
        nodes, paths = [], []
        for url, name, nodeName, checksum in (
            zip(*(_list(source[key]) for key in ("uris", "fileNames", "nodeNames", "checksums")))
            if source
            else ()
        ):
            if url not in served:
                continue
            paths.append(str(Path(slicer.app.temporaryPath, name)))
            if hashlib.sha256(served[url]).hexdigest() == checksum.removeprefix("SHA256:"):
                Path(paths[-1]).write_bytes(served[url])
                nodes.append(slicer.util.loadVolume(paths[-1], {"name": nodeName}))
        return nodes or paths
