"""Showing a result in the slice views."""

import slicer

from .comparison.views import ComparisonViews


def showInSliceViews(node, insteadOf=None):
    """Makes a volume the background of all slice views; zoom and position stay where its predecessor was on screen."""
    layoutManager = slicer.app.layoutManager()
    if layoutManager is None:  # --no-main-window
        return
    ComparisonViews.closeShown()  # or else the volume would take the place of every picture in it
    composites = [
        layoutManager.sliceWidget(name).sliceLogic().GetSliceCompositeNode()
        for name in layoutManager.sliceViewNames()
    ]
    predecessor = insteadOf.GetID() if insteadOf else None
    wasShown = any(
        predecessor in (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
        for composite in composites
    )
    slicer.util.setSliceViewerLayers(background=node, fit=not wasShown)
