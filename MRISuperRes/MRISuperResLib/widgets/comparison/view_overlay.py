"""The text in the corner of a slice view."""

import vtk
from slicer.i18n import tr as _

UPPER_LEFT = 2
FONT_SIZE, SMALLEST_FONT_SIZE = 15, 10
LINE_HEIGHT = 0.1  # of the height of the view, at most


class ViewOverlay:
    """Writes into the annotation of the overlay: Slicer itself rewrites the corners of the other one at every slice."""

    def __init__(self, sliceWidget):
        self._view, self._annotation = (
            sliceWidget.sliceView(),
            sliceWidget.overlayCornerAnnotation(),
        )
        self._textBefore = self._annotation.GetText(UPPER_LEFT) or ""
        self._sizesBefore = (
            self._annotation.GetMaximumFontSize(),
            self._annotation.GetMinimumFontSize(),
            self._annotation.GetMaximumLineHeight(),
        )
        self._fontBefore = vtk.vtkTextProperty()
        self._fontBefore.ShallowCopy(self._annotation.GetTextProperty())
        self._setSizes(FONT_SIZE, SMALLEST_FONT_SIZE, LINE_HEIGHT)
        font = self._annotation.GetTextProperty()
        font.SetFontFamilyToArial()
        font.SetColor(1, 1, 1)
        font.ShadowOn()
        font.SetBackgroundColor(0, 0, 0)
        font.SetBackgroundOpacity(0.4)  # legible on fat, too

    def show(self, text):
        if text != self._annotation.GetText(UPPER_LEFT):
            self._annotation.SetText(UPPER_LEFT, text)
            self._view.scheduleRender()

    def remove(self):
        """Leaves the annotation as it was."""
        self._setSizes(*self._sizesBefore)
        self._annotation.GetTextProperty().ShallowCopy(self._fontBefore)
        self.show(self._textBefore)

    def _setSizes(self, largest, smallest, lineHeight):
        self._annotation.SetMaximumFontSize(largest)
        self._annotation.SetMinimumFontSize(smallest)
        self._annotation.SetMaximumLineHeight(lineHeight)


def scoreText(table, method, index):
    """A method's numbers in a line. table: ScoreTable. index: of the slice; None: the means of all slices."""
    keys = {metric.key for metric in table.metrics}
    shown = [key for key in ("psnr", "ssim_wang") if key in keys] or [
        key for key in ("consistency", "niqe", "pi") if key in keys
    ]
    parts = []
    for metric in map(table.metric, shown):
        value = (
            table.mean(method, metric.key)
            if index is None
            else table.values(method, metric.key)[index]
        )
        unit = " dB" if metric.unit == "dB" and value is not None else ""
        parts.append(f"{metric.title} {metric.text(value)}{unit}")
    text = "  ".join(parts)
    return _("mean {scores}").format(scores=text) if index is None else text
