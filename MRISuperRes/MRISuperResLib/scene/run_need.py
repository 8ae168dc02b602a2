"""What a run on nodes of the scene will need, in words for the panel."""

from slicer.i18n import tr as _

from ..core import slice_axis
from ..core.estimate import format_bytes, need
from ..core.progress import format_duration
from ..core.system import available_memory, device_kind
from .volume_nodes import ijkToRAS


def describeNeed(nodes, job, card, free=available_memory):
    """(a line, a warning or an empty text).

    nodes: upsamplable volume nodes, each as often as there are frames like it. job: UpsamplingOptions, with a scale. card: the ModelCard of the network, None for an interpolation.
    free(): bytes of memory, or None.
    """
    sizes = {
        node: (
            node.GetImageData().GetDimensions(),
            node.GetImageData().GetScalarSize(),
            slice_axis.choose_slice_axis(ijkToRAS(node), job.slice_axis),
        )
        for node in set(nodes)
    }
    # of a GPU nothing is known
    needed, there = (
        need(
            [sizes[node] for node in nodes],
            job.scale,
            card if device_kind(job.device) == "cpu" else None,
        ),
        free(),
    )
    line = _("Result: {size}").format(size=format_bytes(needed.output))
    if there is not None:
        line += _(" ({free} free)").format(free=format_bytes(there))
    if needed.seconds is not None:
        line += _(", about {time} on a CPU").format(time=format_duration(max(1, needed.seconds)))
    warning = (
        ""
        if needed.fits(there)
        else _(
            "The run needs about {needed} of memory, and {free} are free: close other programs, crop the volume or choose a "
            "smaller scale."
        ).format(needed=format_bytes(needed.running), free=format_bytes(there))
    )
    return line, warning
