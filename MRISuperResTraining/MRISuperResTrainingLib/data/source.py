"""A volume that can be learnt from, and whose it is."""

import dataclasses
from dataclasses import dataclass

from ..options.checked import Checked, Rule, one_of, setting, text, wrong

USES = ("auto", "train", "validation", "test")
UNSPECIFIED = "unspecified"


def _name():
    return Rule(lambda v: isinstance(v, str) and bool(v.strip()), "a text that is not empty")


@dataclass(frozen=True)
class Source(Checked):
    """path: a volume file or a folder of one DICOM series. subject: everything of one person has the same, so that nobody is on both sides.

    anatomy: samples are shared out among anatomies evenly. contrast ("T1w", "T2w", …), license, source: for the model card.
    use: "train"; "validation", watched during the training; "test", not touched by it; "auto": split.py decides.
    """

    path: str = setting(_name())
    subject: str = setting(_name())
    anatomy: str = setting(_name(), UNSPECIFIED)
    contrast: str = setting(text(), "")
    license: str = setting(text(), "")
    source: str = setting(text(), "")
    use: str = setting(one_of(*USES), "auto")


def one_use_per_subject(sources):
    """The sources, where everything of a subject has its decided use, also what is "auto".

    Raises SuperResolutionError (kind "settings") where a subject has two: what is learnt from him would be tested on him.
    """
    decided = {}
    for source in sources:
        if source.use != "auto" and decided.setdefault(source.subject, source.use) != source.use:
            raise wrong(
                f"“{source.subject}” is used for “{decided[source.subject]}” and for “{source.use}”: give all volumes of a subject one use."
            )
    return [
        dataclasses.replace(source, use=decided.get(source.subject, "auto")) for source in sources
    ]
