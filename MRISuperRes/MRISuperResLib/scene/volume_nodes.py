"""A volume node as an array with its geometry, or the reason why that cannot be."""

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from ..core import geometry, slice_axis
from ..core.errors import SuperResolutionError
from ..core.upsampling import spacing_warnings


def whyNotUpsamplable(node):
    """One sentence that says why the volume of a node cannot be upsampled; an empty text where it can."""
    if node is None:
        return _("Choose an input volume.")
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        return _(
            "“{name}” is a label map, not an image: choose the volume that it was drawn on."
        ).format(name=node.GetName())
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        return _(
            "“{name}” is not a scalar volume: choose an image with one gray level in each voxel."
        ).format(name=node.GetName())
    image = node.GetImageData()
    if image is None or 0 in image.GetDimensions() or image.GetPointData().GetScalars() is None:
        return _("“{name}” holds no image: load it again, or choose another volume.").format(
            name=node.GetName()
        )
    components = image.GetNumberOfScalarComponents()
    if components != 1:
        return _(
            "“{name}” has {n} values in each voxel: extract one of them as a scalar volume first."
        ).format(name=node.GetName(), n=components)
    if not abs(np.linalg.det(ijkToRAS(node)[:3, :3])) > 0:
        return _(
            "“{name}” has no valid geometry, its voxels have no extent: check its spacing and directions in the module Volumes."
        ).format(name=node.GetName())
    return ""


def ijkToRAS(node):
    """(4, 4) float64, mm, without any parent transform."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def upsamplableNodes():
    """The volume nodes of the scene that can be upsampled."""
    return [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if not node.GetHideFromEditors() and not whyNotUpsamplable(node)
    ]


def sliceCount(node, direction):
    """How many slices a run enlarges. direction: one of core.slices.AXES; node: must be upsamplable."""
    return node.GetImageData().GetDimensions()[
        slice_axis.choose_slice_axis(ijkToRAS(node), direction).axis
    ]


def firstUpsamplableNode():
    """The first volume node of the scene that can be upsampled, or None."""
    return next(iter(upsamplableNodes()), None)


def describeGeometry(node, direction, scale):
    """Two lines: which slices are taken, and why; size and spacing before and after.

    direction: one of core.slices.AXES; node: must be upsamplable.
    """
    matrix = ijkToRAS(node)
    axis = slice_axis.choose_slice_axis(matrix, direction)
    size, spacing = np.array(node.GetImageData().GetDimensions()), geometry.spacing(matrix)
    factors = np.array(axis.factors(scale))
    description = str(axis)
    return "\n".join(
        [
            description[0].upper() + description[1:],
            _("{size} → {newSize} voxels, {newSpacing} mm").format(
                size=_times(size),
                newSize=_times(size * factors),
                newSpacing=_times(spacing / factors),
            ),
        ]
    )


def modelWarnings(node, direction, cards):
    """Sentences for the models, given by their cards, that were not trained on such slices. node, direction: as in describeGeometry."""
    matrix = ijkToRAS(node)
    return spacing_warnings(matrix, slice_axis.choose_slice_axis(matrix, direction), cards)


def _times(numbers):
    return " × ".join(
        f"{number:.3g}" if number != int(number) else str(int(number)) for number in numbers
    )


def upsamplableVolume(node):
    """(array (k, j, i), ijkToRAS (4, 4)) of a volume node; the array is a view of the node's voxels: do not write to it.

    Raises SuperResolutionError with the sentence of `whyNotUpsamplable`.
    """
    reason = whyNotUpsamplable(node)
    if reason:
        raise SuperResolutionError(reason)
    try:
        return slicer.util.arrayFromVolume(node), ijkToRAS(node)
    except Exception as error:
        raise SuperResolutionError(
            _(
                "The voxels of “{name}” have a type that cannot be read: convert the volume to another scalar type first."
            ).format(name=node.GetName())
        ) from error
