"""Puts the result of a comparison into the scene: all of it, or nothing."""

import json
import uuid

import slicer
from slicer.i18n import tr as _
from vtk.util.numpy_support import get_vtk_array_type

from ...core.method_names import MethodName
from ...core.models.store import ModelStore
from ..output_nodes import fillVolume, itemBeside, record, removeNode, subjectHierarchy
from . import nodes as nodes
from . import tables as tables
from .nodes import ComparisonNodes


def createComparison(inputNode, job, result, load, parentTransformNode=None, store=None):
    """The ComparisonNodes of a result. Where it fails, the scene is as it was.

    job: ComparisonOptions. result: the result event of the worker. load(name of a file): its array. parentTransformNode: the
    transform above the input when its geometry was read. store: ModelStore, default the installed models.
    """
    comparison = ComparisonNodes(_hub(inputNode, job, result))
    try:
        builder = _Builder(comparison, inputNode, parentTransformNode)
        builder.addVolumes(result, load, store or ModelStore())
        builder.addTables()
    except Exception:
        comparison.remove()
        raise
    return comparison


def _hub(inputNode, job, result):
    hub = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", nodes.HUB_MODULE)
    hub.SetHideFromEditors(True)
    hub.SetAttribute("ModuleName", nodes.HUB_MODULE)
    hub.SetAttribute(nodes.FOLDER, uuid.uuid4().hex)
    hub.SetAttribute(
        nodes.KNOWN,
        json.dumps(
            {
                "title": slicer.mrmlScene.GenerateUniqueName(
                    _("Comparison of {name} x{scale}").format(
                        name=inputNode.GetName(), scale=job.scale
                    )
                ),
                "job": job.to_dict(),
                "axis": {
                    "axis": result["axis"]["axis"],
                    "plane": result["axis"]["plane"],
                    "reason": "",
                },
                "table": result["table"],
                "dots": result["dots"],
                "messages": list(result["messages"]),
            }
        ),
    )
    return hub


class _Builder:
    def __init__(self, comparison, inputNode, parentTransformNode):
        self._comparison, self._inputNode, self._transform = (
            comparison,
            inputNode,
            parentTransformNode,
        )
        hierarchy = subjectHierarchy()
        if hierarchy is not None:
            comparison.makeFolder(itemBeside(hierarchy, inputNode))

    def addVolumes(self, result, load, store):
        job, name = self._comparison.job, self._inputNode.GetName()
        inputType = self._inputNode.GetImageData().GetScalarType()
        if result["reference"]:
            self._volume(
                nodes.REFERENCE,
                _("{name} reference").format(name=name),
                load(result["reference"]),
                result["ijkToRAS"],
                inputType,
            )
        low = load(result["low"])
        lowName = _("{name} degraded x{scale}") if job.reference else _("{name} input")
        self._volume(
            nodes.LOW,
            lowName.format(name=name, scale=job.scale),
            low,
            result["lowIJKToRAS"],
            get_vtk_array_type(low.dtype) if job.reference else inputType,
        )
        partners = _partners(job, store)
        pattern = (
            _("{name} rebuilt x{scale} {method}")
            if job.reference
            else _("{name} SR x{scale} {method}")
        )
        for output in result["outputs"]:
            method, provenance = output["name"], output["provenance"]
            node = self._volume(
                nodes.OUTPUT,
                pattern.format(name=name, scale=job.scale, method=method),
                load(output["file"]),
                result["ijkToRAS"],
                inputType,
            )
            record(node, self._inputNode, provenance)
            node.SetAttribute(nodes.PARTNER, partners.get(method))
            node.SetDescription(
                _("“{input}” x{scale} with {method}, for comparison: {notice}.").format(
                    input=name, scale=job.scale, method=method, notice=provenance["notice"]
                )
            )

    def _volume(self, role, name, array, ijkToRAS, scalarType):
        node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLScalarVolumeNode", slicer.mrmlScene.GenerateUniqueName(name)
        )
        try:
            fillVolume(node, self._inputNode, array, ijkToRAS, self._transform, scalarType)
            return self._comparison.add(role, node)
        except Exception:
            removeNode(node)
            raise

    def addTables(self):
        comparison = self._comparison
        tables.fillTable(
            self._add("vtkMRMLTableNode", nodes.TABLE, comparison.title), *comparison.table.rows()
        )
        if comparison.dots:
            tables.fillTable(
                self._add(
                    "vtkMRMLTableNode",
                    nodes.DOTS_TABLE,
                    _("{title}, planted dots").format(title=comparison.title),
                ),
                *tables.dotRows(comparison.dots),
            )
        sliceTable = self._add(
            "vtkMRMLTableNode",
            nodes.SLICE_TABLE,
            _("{title}, slice by slice").format(title=comparison.title),
        )
        tables.fillSliceTable(sliceTable, comparison.table)
        chart = self._add(
            "vtkMRMLPlotChartNode", nodes.CHART, _("{title}, plot").format(title=comparison.title)
        )
        series = [
            self._add("vtkMRMLPlotSeriesNode", nodes.SERIES, method, chart)
            for method in comparison.table.methods
        ]
        for number, (node, method) in enumerate(zip(series, comparison.table.methods)):
            tables.fillSeries(node, sliceTable, method, number)
        tables.fillChart(chart, series, comparison.axis)
        comparison.showMetric(comparison.table.metrics[0].key)

    def _add(self, className, role, name, under=None):
        return self._comparison.add(
            role,
            slicer.mrmlScene.AddNewNodeByClass(
                className, slicer.mrmlScene.GenerateUniqueName(name)
            ),
            under,
        )


def _partners(job, store):
    """{method: the PSNR model from which a GAN model or a blend departs}, where both are compared."""
    partners = {}
    for pair, (psnr, gan) in store.pairs(job.scale).items():
        for method in job.methods:
            name = MethodName.parse(method)
            if psnr.name in job.methods and (
                name.base == gan.name or (name.base == pair and name.alpha)
            ):
                partners[method] = psnr.name
    return partners
