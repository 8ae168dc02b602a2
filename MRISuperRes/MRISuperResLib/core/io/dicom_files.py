"""Files of a folder that may belong to a DICOM series, by their content and name."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import SuperResolutionError

OTHER_FILES = re.compile(
    r"(?i).*\.(txt|md|rst|log|json|ya?ml|xml|html?|csv|tsv|pdf|rtf|docx?|xlsx?|pptx?|png|jpe?g|gif|"
    r"bmp|tiff?|svg|nii|nii\.gz|nrrd|nhdr|mha|mhd|raw|img|hdr|mgz|mat|npy|bvals?|bvecs?|py|m|sh|bat|"
    r"exe|dll|jar|ini|inf|cfg|toml|db|sqlite|lock|md5|sha\d+|zip|tar|tar\.gz|tgz|7z)|thumbs\.db"
)
"""Names of files that may lie beside a series."""
IMAGE_NAME = re.compile(r"(?i).*\.(dcm|ima|dicom|dcm30)")
SHORT_TYPES = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT OB OF OW PN SH SL SQ SS ST TM UI UL UN US UT".split()
)
"""Value representations of an element, PS3.5 section 7.1.2."""
LONGEST_FIRST = 1 << 16
"""Bytes that a first element can have: it is short in every DICOM object."""
_HEAD = 1024


def may_be_dicom(path: Path) -> bool:
    """Return True for a DICOM file, False for a file of another kind.

    Raises:
        SuperResolutionError: The file is empty or damaged and may have been an image.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    if head[128:132] == b"DICM" or _begins_with_element(head):
        return True
    if OTHER_FILES.fullmatch(path.name):
        return False
    if not head:
        raise SuperResolutionError(
            f"{path.name} is empty and may be a slice of the series. Copy or export it again, or "
            "delete it."
        )
    if _is_text(head) and not IMAGE_NAME.fullmatch(path.name):
        return False
    raise SuperResolutionError(
        f"{path.name} is not a DICOM file, or its beginning is damaged. Copy or export it again, "
        "or move it out of the folder."
    )


def _begins_with_element(head: bytes) -> bool:
    """Return True if the first bytes are an element of group 2 or 8, as without a preamble."""
    for order, groups in (("little", (b"\x02\0", b"\x08\0")), ("big", (b"\0\x02", b"\0\x08"))):
        if len(head) < 8 or head[:2] not in groups:
            continue
        element = int.from_bytes(head[2:4], "little" if order == "little" else "big")
        is_explicit = head[4:6] in SHORT_TYPES
        length = int.from_bytes(head[4:8], "little" if order == "little" else "big")
        if element < 0x3000 and (is_explicit or length < LONGEST_FIRST):
            return True
    return False


def _is_text(head: bytes) -> bool:
    """Return True for text in ASCII or UTF-8."""
    try:
        text = head[: head.rfind(b"\n") + 1 or None].decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)
