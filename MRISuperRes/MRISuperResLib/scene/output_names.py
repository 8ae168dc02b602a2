"""Names and descriptions of outputs."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from ..core.provenance import describe_adaptation


def outputName(inputName: str, provenance: dict[str, Any]) -> str:
    """Return a unique name for an output, such as "T2 SR x2 MODEL" or "T2 0.5 mm (MODEL)"."""
    model, kind = provenance["model"]["name"], outputKind(provenance)
    name = (
        "{name} {kind} ({model})" if "factors" in provenance else "{name} SR {kind} {model}"
    ).format(name=inputName, kind=kind, model=model)
    return slicer.mrmlScene.GenerateUniqueName(name)


def outputKind(provenance: dict[str, Any]) -> str:
    """Return what was requested: "x2", "isotropic", "0.5 mm" or "1×1×0.5 mm"."""
    if "factors" not in provenance:
        return "x{}".format(provenance["scale"])
    requested = provenance["options"].get("spacing")
    if not requested:
        return _("isotropic")
    sides = [f"{side:.3g}" for side in requested]
    return "{} mm".format("×".join(sides[:1] if len(set(sides)) == 1 else sides))


def outputDescription(inputName: str, provenance: dict[str, Any]) -> str:
    """Return what an output is, and what the adaptation to its input gained, if there was one."""
    text = _("Super-resolution {kind} of “{input}” with {model}: {notice}.").format(
        kind=outputKind(provenance),
        input=inputName,
        model=provenance["model"]["name"],
        notice=provenance["notice"],
    )
    if "adaptation" not in provenance:
        return text
    return f"{text} {describe_adaptation(provenance['adaptation'])}"
