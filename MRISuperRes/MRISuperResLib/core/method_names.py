"""The text that names a way to enlarge slices, the same in the panel, in scripts and in every record: NAME[@ALPHA][+bp].

NAME: a baseline or an installed model; with @ALPHA a pair of models, PSNR and GAN, whose weights are blended.
+bp: back-projected, so that the result agrees with the input.
"""

import re
from dataclasses import dataclass
from typing import Self

from .errors import SuperResolutionError

GRAMMAR = re.compile(
    r"(?P<base>[A-Za-z0-9][A-Za-z0-9._-]*)(@(?P<alpha>[0-9]*\.?[0-9]+))?(?P<back_projected>\+bp)?"
)


@dataclass(frozen=True)
class MethodName:
    """alpha: 0 for the weights of the pair's PSNR model … 1 for those of its GAN model, None where nothing is blended."""

    base: str
    alpha: float | None = None
    back_projected: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises SuperResolutionError (kind "settings") for a text that names no method."""
        match = GRAMMAR.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise SuperResolutionError(
                f"“{text}” names no method: give NAME, PAIR@ALPHA, NAME+bp or PAIR@ALPHA+bp, for example "
                "bicubic+bp.",
                "settings",
            )
        alpha = None if match["alpha"] is None else float(match["alpha"])
        if alpha is not None and alpha > 1:
            raise SuperResolutionError(
                f"The blend of “{text}” must lie between 0 (PSNR model) and 1 (GAN model).",
                "settings",
            )
        return cls(match["base"], alpha, match["back_projected"] is not None)

    @property
    def without_back_projection(self) -> str:
        """The text that names what is back-projected."""
        return str(MethodName(self.base, self.alpha))

    def __str__(self) -> str:
        return (
            self.base
            + ("" if self.alpha is None else f"@{self.alpha:g}")
            + ("+bp" if self.back_projected else "")
        )
