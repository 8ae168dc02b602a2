"""A volume that can be learnt from, and whose it is."""

from dataclasses import dataclass

from ..settings.checked import Checked, Rule, one_of, setting, text

USES = ("auto", "train", "validation", "test")
UNSPECIFIED = "unspecified"


def _name():
    return Rule(lambda v: isinstance(v, str) and bool(v.strip()), "a text that is not empty")


@dataclass(frozen=True)
class Source(Checked):
    """path: a volume file or a folder of one DICOM series. subject: everything of one person has the same, so that nobody is on both sides.

    anatomy: samples are shared out among anatomies evenly. licence, source: for the model card.
    use: "train"; "validation", watched during the training; "test", not touched by it; "auto": split.py decides.
    """

    path: str = setting(_name())
    subject: str = setting(_name())
    anatomy: str = setting(_name(), UNSPECIFIED)
    licence: str = setting(text(), "")
    source: str = setting(text(), "")
    use: str = setting(one_of(*USES), "auto")
