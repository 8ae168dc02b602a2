"""Comparison of methods on a volume node: the strategy of its task."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import slicer

from ...core.options import ComparisonOptions
from ...core.progress import Progress
from ...core.volume import Volume
from ..nodes import volumeFromNode
from .builder import createComparison
from .nodes import ComparisonNodes


class VolumeComparison:
    """Strategy that compares methods on a volume node; see `scene.strategy.Strategy`.

    Args:
        options: The options.
    """

    part = ""

    def __init__(self, options: ComparisonOptions) -> None:
        self._options = options
        self._comparison: ComparisonNodes | None = None

    @property
    def result(self) -> ComparisonNodes | None:
        """The comparison."""
        isPresent = self._comparison is not None and self._comparison.isPresent
        return self._comparison if isPresent else None

    def begin(self, inputNode: slicer.vtkMRMLNode | None) -> Volume:
        """Return the input volume."""
        return volumeFromNode(inputNode)

    def request(self, folder: str) -> dict[str, Any]:
        """Return the request to compare."""
        return {"request": "compare", "options": self._options.to_dict(), "output": folder}

    def accept(
        self,
        event: dict[str, Any],
        inputNode: slicer.vtkMRMLScalarVolumeNode,
        parentTransformNode: slicer.vtkMRMLTransformNode | None,
    ) -> None:
        """Add the nodes of the comparison to the scene."""

        def load(file: str) -> np.ndarray:
            return np.load(os.path.join(event["output"], file), allow_pickle=False)

        self._comparison = createComparison(
            inputNode, self._options, event, load, parentTransformNode
        )

    def progress(self, progress: Progress) -> Progress:
        """Return the progress of the volume."""
        return progress

    def end(self) -> None:
        """Release nothing."""
