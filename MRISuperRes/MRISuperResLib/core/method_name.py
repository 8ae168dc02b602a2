"""Names of methods: models, interpolations, blends and back-projections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from .validation import invalid

METHOD_NAME = re.compile(
    r"(?P<base>[A-Za-z0-9][A-Za-z0-9._-]*)(@(?P<alpha>[0-9]*\.?[0-9]+))?(?P<back_projected>\+bp)?"
)
"""Grammar of method names: NAME[@ALPHA][+bp]."""


@dataclass(frozen=True)
class MethodName:
    """The name of a method, parsed once.

    Attributes:
        base: An interpolation, a model, or a pair of models if alpha is given.
        alpha: Blend of a pair, from 0 (weights of the PSNR model) to 1 (weights of the GAN model);
            None: no blend.
        back_projected: True if the result is back-projected to be consistent with the input.
    """

    base: str
    alpha: float | None = None
    back_projected: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a name such as "fast-x2@0.5+bp".

        Raises:
            SuperResolutionError: The text is not a method name (kind "settings").
        """
        match = METHOD_NAME.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise invalid(
                f"“{text}” is not a method name. Use NAME, PAIR@ALPHA, NAME+bp or PAIR@ALPHA+bp, "
                "for example bicubic+bp."
            )
        alpha = None if match["alpha"] is None else float(match["alpha"])
        if alpha is not None and alpha > 1:
            raise invalid(
                f"The blend of “{text}” must be between 0 (PSNR model) and 1 (GAN model)."
            )
        return cls(match["base"], alpha, match["back_projected"] is not None)

    @property
    def without_back_projection(self) -> str:
        """The name of the method that is back-projected."""
        return str(MethodName(self.base, self.alpha))

    def __str__(self) -> str:
        alpha = "" if self.alpha is None else f"@{self.alpha:g}"
        return self.base + alpha + ("+bp" if self.back_projected else "")
