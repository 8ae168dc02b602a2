"""Comparison of methods on a volume node: the strategy of its task, and the nodes it adds."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _
from vtk.util.numpy_support import get_vtk_array_type

from ...core.method_name import MethodName
from ...core.models.store import ModelStore
from ...core.options import ComparisonOptions
from ...core.progress import Progress
from ...core.volume import Volume
from ..nodes import (
    fillVolume,
    imageSteps,
    itemBeside,
    recordProvenance,
    removeNode,
    subjectHierarchy,
    volumeFromNode,
)
from ..steps import Steps
from . import nodes
from .nodes import ComparisonNodes


class VolumeComparison:
    """Strategy that compares methods on a volume node; see `scene.steps.Strategy`.

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
    ) -> Steps[None]:
        """Add the nodes of the comparison to the scene."""

        def load(file: str) -> np.ndarray:
            path = os.path.join(event["output"], file)
            return np.load(path, mmap_mode="r", allow_pickle=False)

        self._comparison = yield from createComparison(
            inputNode, self._options, event, load, parentTransformNode
        )

    def progress(self, progress: Progress) -> Progress:
        """Return the progress of the volume."""
        return progress

    def end(self) -> None:
        """Nothing to release."""


def createComparison(
    inputNode: slicer.vtkMRMLScalarVolumeNode,
    options: ComparisonOptions,
    result: dict[str, Any],
    load: Callable[[str], np.ndarray],
    parentTransformNode: slicer.vtkMRMLTransformNode | None = None,
    store: ModelStore | None = None,
) -> Steps[ComparisonNodes]:
    """Add the nodes of a comparison in steps; if that fails, the scene stays as it was.

    Args:
        inputNode: The volume that was compared.
        options: The options.
        result: The result event of the worker.
        load: Returns the array of a file that the event names.
        parentTransformNode: The transform above the input when its geometry was read.
        store: The models; None for the installed ones.
    """
    comparison = ComparisonNodes(_hub(inputNode, options, result))
    try:
        builder = _Builder(comparison, inputNode, parentTransformNode)
        yield from builder.addVolumes(result, load, store or ModelStore())
        yield from builder.addTables()
    except BaseException:  # also if the steps are not continued
        comparison.remove()
        raise
    # not before, or an incomplete comparison would be listed
    comparison.hub.SetAttribute("ModuleName", nodes.HUB_MODULE)
    return comparison


def _hub(
    inputNode: slicer.vtkMRMLScalarVolumeNode, options: ComparisonOptions, result: dict[str, Any]
) -> slicer.vtkMRMLScriptedModuleNode:
    hub = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", nodes.HUB_MODULE)
    hub.SetHideFromEditors(True)
    hub.SetAttribute(nodes.FOLDER, uuid.uuid4().hex)
    title = _("Comparison of {name} x{scale}").format(name=inputNode.GetName(), scale=options.scale)
    description = {
        "title": slicer.mrmlScene.GenerateUniqueName(title),
        "options": options.to_dict(),
        **{key: result[key] for key in ("axis", "table", "lesions", "messages")},
    }
    hub.SetAttribute(nodes.DESCRIPTION, json.dumps(description))
    return hub


class _Builder:
    def __init__(self, comparison, inputNode, parentTransformNode):
        self._comparison, self._inputNode = comparison, inputNode
        self._transform = parentTransformNode
        hierarchy = subjectHierarchy()
        if hierarchy is not None:
            comparison.makeFolder(itemBeside(hierarchy, inputNode))

    def addVolumes(self, result, load, store):
        """Add reference, low-resolution volume and outputs."""
        options, name = self._comparison.options, self._inputNode.GetName()
        inputType = self._inputNode.GetImageData().GetScalarType()
        if result["reference"]:
            yield from self._volume(
                nodes.REFERENCE,
                _("{name} reference").format(name=name),
                Volume(load(result["reference"]), result["ijkToRAS"]),
                inputType,
            )
        low = Volume(load(result["low"]), result["lowIJKToRAS"])
        lowName = _("{name} degraded x{scale}") if options.reference else _("{name} input")
        yield from self._volume(
            nodes.LOW,
            lowName.format(name=name, scale=options.scale),
            low,
            get_vtk_array_type(low.array.dtype) if options.reference else inputType,
        )
        partners = _partners(options, store)
        pattern = (
            _("{name} restored x{scale} {method}")
            if options.reference
            else _("{name} SR x{scale} {method}")
        )
        for output in result["outputs"]:
            method, provenance = output["name"], output["provenance"]
            node = yield from self._volume(
                nodes.OUTPUT,
                pattern.format(name=name, scale=options.scale, method=method),
                Volume(load(output["file"]), result["ijkToRAS"], provenance=provenance),
                inputType,
            )
            recordProvenance(node, self._inputNode, provenance)
            node.SetAttribute(nodes.PARTNER, partners.get(method))
            node.SetDescription(
                _("“{input}” x{scale} with {method}, for comparison: {notice}.").format(
                    input=name, scale=options.scale, method=method, notice=provenance["notice"]
                )
            )

    def _volume(self, role, name, volume, scalarType):
        image = yield from imageSteps(volume.array, scalarType)
        node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLScalarVolumeNode", slicer.mrmlScene.GenerateUniqueName(name)
        )
        try:
            fillVolume(node, self._inputNode, volume, self._transform, image)
            return self._comparison.add(role, node)
        except Exception:
            removeNode(node)
            raise

    def addTables(self):
        """Add the tables, and the plot of the metrics over the slices."""
        comparison = self._comparison
        nodes.fillTable(
            self._add("vtkMRMLTableNode", nodes.TABLE, comparison.title), *comparison.table.rows()
        )
        if comparison.lesions:
            nodes.fillTable(
                self._add(
                    "vtkMRMLTableNode",
                    nodes.LESION_TABLE,
                    _("{title}, synthetic lesions").format(title=comparison.title),
                ),
                *nodes.lesionRows(comparison.lesions),
            )
        sliceTable = self._add(
            "vtkMRMLTableNode",
            nodes.SLICE_TABLE,
            _("{title}, by slice").format(title=comparison.title),
        )
        nodes.fillSliceTable(sliceTable, comparison.table)
        yield
        chart = self._add(
            "vtkMRMLPlotChartNode", nodes.CHART, _("{title}, plot").format(title=comparison.title)
        )
        series = [
            self._add("vtkMRMLPlotSeriesNode", nodes.SERIES, method, chart)
            for method in comparison.table.methods
        ]
        for number, (node, method) in enumerate(zip(series, comparison.table.methods)):
            nodes.fillSeries(node, sliceTable, method, number)
        nodes.fillChart(chart, series, comparison.axis)
        comparison.showMetric(comparison.table.metrics[0].key)

    def _add(self, className, role, name, under=None):
        return self._comparison.add(
            role,
            slicer.mrmlScene.AddNewNodeByClass(
                className, slicer.mrmlScene.GenerateUniqueName(name)
            ),
            under,
        )


def _partners(options: ComparisonOptions, store: ModelStore) -> dict[str, str]:
    """Return {GAN model or blend: the PSNR model of its pair}, if both are compared."""
    partners = {}
    for pair, (psnr, gan) in store.pairs(options.scale).items():
        for method in options.methods:
            name = MethodName.parse(method)
            if psnr.name in options.methods and (
                name.base == gan.name or (name.base == pair and name.alpha)
            ):
                partners[method] = psnr.name
    return partners
