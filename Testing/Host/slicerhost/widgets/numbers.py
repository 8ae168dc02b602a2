"""Number inputs of CTK and their unit-aware versions of qMRML."""

from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QWidget


def row(parent, *children):
    layout = QHBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    for child in children:
        layout.addWidget(child)


def forwarded(kind, child, name):
    """Make a property of a child widget: forwarded(float, "_spin", "value")."""
    return Property(
        kind,
        lambda self: getattr(getattr(self, child), name),
        lambda self, value: setattr(getattr(self, child), name, value),
    )


class ctkDoubleSpinBox(QWidget):
    cppName = "ctkDoubleSpinBox"
    valueChanged = Signal(float)
    _valueChanged_QString = Signal(str)
    editingFinished = Signal()
    decimalsChanged = Signal(int)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._spin = QDoubleSpinBox()
        row(self, self._spin)
        self._spin.valueChanged.connect(self.valueChanged)
        self._spin.textChanged.connect(self._valueChanged_QString)
        self._spin.editingFinished.connect(self.editingFinished)

    def setValue(self, value):
        self._spin.value = value

    def setDecimals(self, decimals):
        if decimals != self._spin.decimals:
            self._spin.decimals = decimals
            self.decimalsChanged.emit(decimals)

    def stepUp(self):
        self._spin.stepUp()

    def stepDown(self):
        self._spin.stepDown()

    value = forwarded(float, "_spin", "value")
    minimum = forwarded(float, "_spin", "minimum")
    maximum = forwarded(float, "_spin", "maximum")
    singleStep = forwarded(float, "_spin", "singleStep")
    prefix = forwarded(str, "_spin", "prefix")
    suffix = forwarded(str, "_spin", "suffix")
    readOnly = forwarded(bool, "_spin", "readOnly")
    decimals = Property(int, lambda self: self._spin.decimals, setDecimals)


class ctkSliderWidget(QWidget):
    """Slider and spin box for one number.

    Without tracking, `valueChanged` is emitted when the slider is released.
    """

    cppName = "ctkSliderWidget"
    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._slider, self._spin = QSlider(Qt.Horizontal), QDoubleSpinBox()
        row(self, self._slider, self._spin)
        self._pageStep, self._tracking, self._value = 10.0, True, 0.0
        self._slider.setRange(0, 99)
        self._slider.valueChanged.connect(
            lambda i: self._spin.setValue(self._spin.minimum + i * self._spin.singleStep)
        )
        self._slider.sliderReleased.connect(lambda: self._publish(self._spin.value))
        self._spin.valueChanged.connect(self._onSpin)

    def _onSpin(self, value):
        self._alignSlider()
        self.valueIsChanging.emit(value)
        if self._tracking or not self._slider.sliderDown:
            self._publish(value)

    def _publish(self, value):
        if value != self._value:
            self._value = value
            self.valueChanged.emit(value)

    def _alignSlider(self):
        step = self._spin.singleStep or 1.0
        blocked = self._slider.blockSignals(True)
        self._slider.setRange(0, max(0, round((self._spin.maximum - self._spin.minimum) / step)))
        self._slider.setValue(round((self._spin.value - self._spin.minimum) / step))
        self._slider.blockSignals(blocked)

    def _set(self, name, value):
        setattr(self._spin, name, value)
        self._alignSlider()

    def setValue(self, value):
        self._spin.value = value

    def setDecimals(self, decimals):
        if decimals != self._spin.decimals:
            self._spin.decimals = decimals
            self.decimalsChanged.emit(decimals)

    def setSpinBoxVisible(self, visible):
        self._spin.setVisible(visible)

    def reset(self):
        self.setValue(self._spin.minimum)

    value = Property(float, lambda self: self._value, setValue)
    minimum = Property(
        float, lambda self: self._spin.minimum, lambda self, v: self._set("minimum", v)
    )
    maximum = Property(
        float, lambda self: self._spin.maximum, lambda self, v: self._set("maximum", v)
    )
    singleStep = Property(
        float, lambda self: self._spin.singleStep, lambda self, v: self._set("singleStep", v)
    )
    pageStep = Property(
        float, lambda self: self._pageStep, lambda self, v: setattr(self, "_pageStep", v)
    )
    decimals = Property(int, lambda self: self._spin.decimals, setDecimals)
    prefix = forwarded(str, "_spin", "prefix")
    suffix = forwarded(str, "_spin", "suffix")
    spinBoxVisible = Property(bool, lambda self: not self._spin.isHidden(), setSpinBoxVisible)
    tracking = Property(
        bool, lambda self: self._tracking, lambda self, v: setattr(self, "_tracking", v)
    )


class ctkRangeWidget(QWidget):
    """Pair of spin boxes for the ends of a range."""

    cppName = "ctkRangeWidget"
    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)
    valuesChanged = Signal(float, float)
    rangeChanged = Signal(float, float)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._low, self._high = QDoubleSpinBox(), QDoubleSpinBox()
        row(self, self._low, self._high)
        self._high.value = 99
        self._low.valueChanged.connect(self._onLow)
        self._high.valueChanged.connect(self._onHigh)

    def _onLow(self, value):
        self._high.value = max(value, self._high.value)
        self.minimumValueChanged.emit(value)
        self.valuesChanged.emit(value, self._high.value)

    def _onHigh(self, value):
        self._low.value = min(value, self._low.value)
        self.maximumValueChanged.emit(value)
        self.valuesChanged.emit(self._low.value, value)

    def setMinimumValue(self, value):
        self._low.value = value

    def setMaximumValue(self, value):
        self._high.value = value

    def setValues(self, low, high):
        self._high.value = max(high, self._high.value)
        self._low.value, self._high.value = low, high

    def setRange(self, low, high):
        for spin in (self._low, self._high):
            spin.setRange(low, high)
        self.rangeChanged.emit(low, high)

    def setDecimals(self, decimals):
        self._low.decimals = self._high.decimals = decimals

    minimumValue = Property(float, lambda self: self._low.value, setMinimumValue)
    maximumValue = Property(float, lambda self: self._high.value, setMaximumValue)
    minimum = Property(
        float, lambda self: self._low.minimum, lambda self, v: self.setRange(v, self._low.maximum)
    )
    maximum = Property(
        float, lambda self: self._low.maximum, lambda self, v: self.setRange(self._low.minimum, v)
    )
    decimals = Property(int, lambda self: self._low.decimals, setDecimals)
    singleStep = forwarded(float, "_low", "singleStep")


class _UnitAware:
    """Storage of a quantity; units are not simulated."""

    _quantity, _scene = "", None

    def setMRMLScene(self, scene):
        self._scene = scene

    def setQuantity(self, quantity):
        self._quantity = quantity


class qMRMLSpinBox(_UnitAware, ctkDoubleSpinBox):
    cppName = "qMRMLSpinBox"
    quantity = Property(str, lambda self: self._quantity, _UnitAware.setQuantity)

    def mrmlScene(self):
        return self._scene


class qMRMLSliderWidget(_UnitAware, ctkSliderWidget):
    cppName = "qMRMLSliderWidget"
    quantity = Property(str, lambda self: self._quantity, _UnitAware.setQuantity)

    def mrmlScene(self):
        return self._scene


class qMRMLRangeWidget(_UnitAware, ctkRangeWidget):
    cppName = "qMRMLRangeWidget"
    quantity = Property(str, lambda self: self._quantity, _UnitAware.setQuantity)
