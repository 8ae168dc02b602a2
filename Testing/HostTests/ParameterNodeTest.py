"""parameterNodeWrapper stores typed values in a real parameter node, as Slicer does."""

import enum
import pathlib
import unittest
from typing import Annotated, Optional

import numpy as np
import slicer
import vtk
from slicer import vtkMRMLNode, vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import (
    Choice,
    Default,
    Maximum,
    Minimum,
    WithinRange,
    isParameterNodeWrapper,
    parameterNodeWrapper,
)


class Direction(enum.Enum):
    AUTO = "auto"
    AXIAL = "axial"


@parameterNodeWrapper
class Parameters:
    inputVolume: vtkMRMLScalarVolumeNode
    anyNode: vtkMRMLNode
    model: str = "x2"
    batchSize: int
    overlap: float = 0.5
    compare: bool = True
    direction: Direction
    folder: pathlib.Path
    scale: Annotated[int, Choice([2, 4, 8])]
    blend: Annotated[float, WithinRange(0, 1), Default(0.25)]
    tiles: Annotated[int, Minimum(1), Maximum(9)] = 3
    seed: Optional[int]  # noqa: UP045 - as Slicer's documentation writes it

    def summary(self):
        return f"{self.model} ×{self.scale}"


class ParameterNodeTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
        self.parameters = Parameters(self.node)

    def test_defaults_come_from_the_class_the_annotation_or_the_type(self):
        p = self.parameters
        self.assertEqual(
            (p.model, p.batchSize, p.overlap, p.compare, p.direction),
            ("x2", 0, 0.5, True, Direction.AUTO),
        )
        self.assertEqual(
            (p.scale, p.blend, p.tiles, p.seed, p.inputVolume), (2, 0.25, 3, None, None)
        )
        self.assertEqual(p.default("blend"), 0.25)

    def test_values_are_texts_in_the_node(self):
        self.parameters.overlap, self.parameters.compare, self.parameters.direction = (
            0.75,
            False,
            Direction.AXIAL,
        )
        self.assertEqual(
            [
                self.node.GetParameter(n)
                for n in ("model", "overlap", "compare", "direction", "scale")
            ],
            ["x2", "0.75", "False", "AXIAL", "2"],
        )

    def test_values_are_read_with_their_type(self):
        self.parameters.batchSize, self.parameters.overlap = 4, 2
        self.parameters.folder, self.parameters.seed = pathlib.Path("/data"), 7
        again = Parameters(self.node)
        self.assertEqual(
            (again.batchSize, again.overlap, again.folder, again.seed),
            (4, 2.0, pathlib.Path("/data"), 7),
        )
        self.assertIs(type(again.overlap), float)

    def test_a_node_is_a_reference_whose_role_is_the_name(self):
        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        self.parameters.inputVolume = volume
        self.assertIs(self.node.GetNodeReference("inputVolume"), volume)
        self.assertIs(self.parameters.inputVolume, volume)
        self.parameters.inputVolume = None
        self.assertIsNone(self.node.GetNodeReference("inputVolume"))

    def test_a_removed_node_reads_as_none(self):
        self.parameters.inputVolume = volume = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLScalarVolumeNode"
        )
        slicer.mrmlScene.RemoveNode(volume)
        self.assertIsNone(self.parameters.inputVolume)

    def test_values_of_the_node_are_kept_when_it_is_wrapped_again(self):
        self.parameters.model = "x4"
        self.assertEqual(Parameters(self.node).model, "x4")

    def test_values_are_saved_with_the_scene(self):
        self.parameters.scale = 8
        self.parameters.inputVolume = slicer.util.addVolumeFromArray(
            np.zeros((2, 3, 4), "int16"), name="V"
        )
        path = f"{slicer.app.temporaryPath}/parameters.mrb"
        self.assertTrue(slicer.util.saveScene(path))
        slicer.mrmlScene.Clear(0)
        slicer.util.loadScene(path)
        again = Parameters(slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")[0])
        self.assertEqual((again.scale, again.inputVolume.GetName()), (8, "V"))

    def test_a_value_out_of_range_raises_a_value_error_and_changes_nothing(self):
        for name, value in (
            ("scale", 3),
            ("blend", 1.5),
            ("blend", -0.1),
            ("tiles", 0),
            ("tiles", 10),
        ):
            with self.subTest(name=name, value=value), self.assertRaises(ValueError):
                setattr(self.parameters, name, value)
        self.assertEqual(
            (self.parameters.scale, self.parameters.blend, self.parameters.tiles), (2, 0.25, 3)
        )

    def test_a_value_of_another_type_raises_a_type_error(self):
        table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        for name, value in (
            ("batchSize", 1.5),
            ("batchSize", True),
            ("model", 3),
            ("compare", 1),
            ("direction", "axial"),
            ("inputVolume", table),
        ):
            with self.subTest(name=name, value=value), self.assertRaises(TypeError):
                setattr(self.parameters, name, value)

    def test_an_unknown_parameter_is_refused(self):
        with self.assertRaises(AttributeError):
            self.parameters.modell = "x4"
        with self.assertRaises(ValueError):
            self.parameters.setValue("modell", "x4")

    def test_a_class_with_an_invalid_default_is_refused(self):
        with self.assertRaises(ValueError):

            @parameterNodeWrapper
            class Bad:
                scale: Annotated[int, Choice([2, 4])] = 3

    def test_a_class_with_an_unknown_type_is_refused(self):
        with self.assertRaises(TypeError):

            @parameterNodeWrapper
            class Bad:
                value: complex

    def test_a_change_is_one_event_and_an_equal_value_is_none(self):
        events = []
        self.parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: events.append(1))
        self.parameters.model = "x8"
        self.parameters.model = "x8"
        self.assertEqual(len(events), 1)

    def test_changes_between_start_and_end_modify_are_one_event(self):
        events = []
        tag = self.parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: events.append(1))
        was = self.parameters.StartModify()
        self.parameters.model, self.parameters.tiles = "x8", 5
        self.assertEqual(events, [])
        self.parameters.EndModify(was)
        self.assertEqual(len(events), 1)
        self.parameters.RemoveObserver(tag)
        self.parameters.tiles = 6
        self.assertEqual(len(events), 1)

    def test_the_wrapper_can_be_observed_with_the_mixin(self):
        class Observer(slicer.util.VTKObservationMixin):
            pass

        observer, events = Observer(), []
        callback = lambda *_: events.append(1)  # noqa: E731
        observer.addObserver(self.parameters, vtk.vtkCommand.ModifiedEvent, callback)
        self.parameters.tiles = 7
        observer.removeObserver(self.parameters, vtk.vtkCommand.ModifiedEvent, callback)
        self.parameters.tiles = 8
        self.assertEqual(len(events), 1)

    def test_two_prefixes_share_one_node(self):
        a, b = Parameters(self.node, "a"), Parameters(self.node, "b")
        a.model, b.model = "one", "two"
        self.assertEqual((a.model, b.model, self.parameters.model), ("one", "two", "x2"))

    def test_methods_of_the_class_are_preserved(self):
        self.assertEqual(self.parameters.summary(), "x2 ×2")
        self.assertTrue(isParameterNodeWrapper(self.parameters))

    def test_only_a_parameter_node_can_be_wrapped(self):
        with self.assertRaises(TypeError):
            Parameters(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode"))
