"""Fair pictures: the same window and level in all volumes, and no smoothing by the display."""

import slicer
import vtk


class ComparisonDisplay:
    """Keeps window and level of volumes equal until `close`, in whichever of them they are changed.

    volumeNodes: those that come later take over window and level of the first.
    """

    def __init__(self, volumeNodes):
        self._before = {display: _Look(display) for display in map(_displayNode, volumeNodes)}
        self._isSharing = False
        displays = list(self._before)
        for display in displays:
            display.SetInterpolate(False)
            display.SetAutoWindowLevel(False)
        if displays:
            self._share(displays[0])
        self._observers = [
            (display, display.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onModified))
            for display in displays
        ]

    def close(self):
        """Every volume looks as before."""
        for display, tag in self._observers:
            display.RemoveObserver(tag)
        self._observers = []
        for display, look in self._before.items():
            if display.GetScene() is not None:
                look.restore(display)
        self._before = {}

    def _onModified(self, display, event):
        if not self._isSharing:
            self._share(display)

    def _share(self, source):
        window, level = source.GetWindow(), source.GetLevel()
        self._isSharing = True
        try:
            for display in self._before:
                if (display.GetWindow(), display.GetLevel()) != (window, level):
                    display.SetAutoWindowLevel(False)
                    display.SetWindowLevel(window, level)
        finally:
            self._isSharing = False


class _Look:
    def __init__(self, display):
        self._auto, self._window, self._level = (
            display.GetAutoWindowLevel(),
            display.GetWindow(),
            display.GetLevel(),
        )
        self._interpolate = display.GetInterpolate()

    def restore(self, display):
        with slicer.util.NodeModify(display):
            display.SetWindowLevel(self._window, self._level)
            display.SetAutoWindowLevel(self._auto)
            display.SetInterpolate(self._interpolate)


def _displayNode(volumeNode):
    if volumeNode.GetDisplayNode() is None:
        volumeNode.CreateDefaultDisplayNodes()
    return volumeNode.GetDisplayNode()
