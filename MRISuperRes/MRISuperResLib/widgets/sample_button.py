"""A volume to try the panel with, while there is none."""

import slicer
from slicer.i18n import tr as _

from ..scene.sample_data import FETUS, loadSample
from .view_helpers import showInSliceViews


class SampleButton:
    """Loads a sample and makes it the input; shown only where no volume is chosen."""

    def __init__(self, button):
        self._button = button
        self._parameters = None
        button.toolTip = _(
            "A T2 stack of a fetus, 2 MB, from {credit}; more are in the module Sample Data"
        ).format(credit=FETUS.credit)
        button.connect("clicked(bool)", self._onClicked)

    def show(self, parameters):
        """parameters: MRISuperResParameterNode; None while there is no scene."""
        self._parameters = parameters
        self._button.visible = parameters is not None and parameters.inputVolume is None

    def _onClicked(self, checked=False):
        with slicer.util.tryWithErrorDisplay(_("There is no sample."), waitCursor=True):
            node = loadSample(FETUS)
            self._parameters.inputVolume = node
            showInSliceViews(node)
