"""What a run on nodes of the scene will need, in words for the panel."""

from slicer.i18n import tr as _

from ..core import slice_axis
from ..core.estimate import byte_text, need
from ..core.progress import duration
from ..core.system import free_memory, machine
from .volume_nodes import ijkToRAS


def describeNeed(nodes, job, card, free=free_memory):
    """(a line, a warning or an empty text).

    nodes: upsamplable volume nodes, each as often as there are frames like it. job: UpsamplingOptions, with a scale. card: the ModelCard of the network, None for an interpolation.
    free(): bytes of memory, or None.
    """
    sizes = {
        node: (
            node.GetImageData().GetDimensions(),
            node.GetImageData().GetScalarSize(),
            slice_axis.choose(ijkToRAS(node), job.axis),
        )
        for node in set(nodes)
    }
    # of a GPU nothing is known
    needed, there = (
        need(
            [sizes[node] for node in nodes],
            job.scale,
            card if machine(job.device) == "cpu" else None,
        ),
        free(),
    )
    line = _("Result: {size}").format(size=byte_text(needed.output))
    if there is not None:
        line += _(" ({free} free)").format(free=byte_text(there))
    if needed.seconds is not None:
        line += _(", about {time} on a CPU").format(time=duration(max(1, needed.seconds)))
    warning = (
        ""
        if needed.fits(there)
        else _(
            "The run needs about {needed} of memory, and {free} are free: close other programs, crop the volume or choose a "
            "smaller scale."
        ).format(needed=byte_text(needed.running), free=byte_text(there))
    )
    return line, warning
