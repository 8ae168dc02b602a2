"""Connections between widgets and parameters."""

import enum
import functools
import pathlib

import ctk
import qt
import slicer
import vtk

PROPERTY = "SlicerParameterName"


def correspondences(root):
    """Map parameter names to the children of a widget or the attributes of an object."""
    widgets = (
        slicer.util.findChildren(root) if isinstance(root, qt.QWidget) else vars(root).values()
    )
    found = {}
    for widget in widgets:
        name = widget.property(PROPERTY) if isinstance(widget, qt.QWidget) else None
        if name:
            if name in found:
                raise RuntimeError(f"two widgets have the {PROPERTY} '{name}'")
            found[name] = widget
    return found


class Connector:
    """Widget of one parameter: reads and writes the value and signals edits."""

    widgets, kinds, signal = (), (), ""

    def __init__(self, widget, parameter):
        self.widget, self.parameter = widget, parameter
        self.setup()

    @classmethod
    def takes(cls, widget, parameter):
        return isinstance(widget, cls.widgets) and issubclass(parameter.kind, cls.kinds)

    def setup(self):
        pass

    def read(self):
        raise NotImplementedError

    def write(self, value):
        raise NotImplementedError


class BoolConnector(Connector):
    widgets, kinds, signal = (qt.QCheckBox, qt.QPushButton), bool, "toggled(bool)"

    @classmethod
    def takes(cls, widget, parameter):
        return super().takes(widget, parameter) and widget.checkable

    def read(self):
        return self.widget.checked

    def write(self, value):
        self.widget.checked = value


class NumberConnector(Connector):
    """Number widget with the limits of the annotations."""

    def setup(self):
        for attribute, target in (("minimum", "minimum"), ("maximum", "maximum")):
            if (limit := self.parameter.annotation(attribute)) is not None:
                setattr(self.widget, target, limit)

    def read(self):
        return self.parameter.kind(self.widget.value)

    def write(self, value):
        self.widget.value = value


class IntConnector(NumberConnector):
    widgets, kinds, signal = (qt.QSpinBox, qt.QSlider), int, "valueChanged(int)"

    @classmethod
    def takes(cls, widget, parameter):
        return super().takes(widget, parameter) and parameter.kind is not bool


class FloatConnector(NumberConnector):
    widgets, kinds, signal = (
        (qt.QDoubleSpinBox, ctk.ctkDoubleSpinBox),
        float,
        "valueChanged(double)",
    )


class SliderConnector(NumberConnector):
    widgets, kinds, signal = ctk.ctkSliderWidget, (float, int), "valueChanged(double)"

    def setup(self):
        if (
            self.parameter.annotation("minimum") is None
            or self.parameter.annotation("maximum") is None
        ):
            raise RuntimeError(
                f"'{self.parameter.name}': a ctkSliderWidget needs a range annotation (WithinRange)"
            )
        super().setup()


class ComboBoxConnector(Connector):
    """Combo box of an Enum or a Choice, with one item per value."""

    widgets, kinds, signal = qt.QComboBox, (enum.Enum, str, int, float), "currentIndexChanged(int)"

    @classmethod
    def takes(cls, widget, parameter):
        choices = (
            issubclass(parameter.kind, enum.Enum) or parameter.annotation("choices") is not None
        )
        return super().takes(widget, parameter) and choices

    def setup(self):
        self.values = self.parameter.annotation("choices") or list(self.parameter.kind)
        self.widget.clear()
        for value in self.values:
            label = (
                value.label()
                if hasattr(value, "label")
                else value.name
                if isinstance(value, enum.Enum)
                else str(value)
            )
            self.widget.addItem(label)

    def read(self):
        return self.values[self.widget.currentIndex]

    def write(self, value):
        self.widget.currentIndex = self.values.index(value)


class LineConnector(Connector):
    widgets, kinds, signal = qt.QLineEdit, str, "textChanged(QString)"

    def read(self):
        return self.widget.text

    def write(self, value):
        if value != self.widget.text:  # setting an equal text would move the cursor
            self.widget.text = value


class TextConnector(Connector):
    widgets, kinds, signal = (qt.QTextEdit, qt.QPlainTextEdit), str, "textChanged()"

    def read(self):
        return self.widget.plainText

    def write(self, value):
        if value != self.widget.plainText:
            self.widget.plainText = value


class NodeConnector(Connector):
    widgets, kinds, signal = (
        slicer.qMRMLNodeComboBox,
        slicer.vtkMRMLNode,
        "currentNodeChanged(vtkMRMLNode*)",
    )

    def read(self):
        return self.widget.currentNode()

    def write(self, value):
        self.widget.setCurrentNode(value)


class PathConnector(Connector):
    widgets, kinds, signal = ctk.ctkPathLineEdit, pathlib.PurePath, "currentPathChanged(QString)"

    def read(self):
        return self.parameter.kind(self.widget.currentPath)

    def write(self, value):
        self.widget.currentPath = str(value)


class DirectoryConnector(Connector):
    widgets, kinds, signal = ctk.ctkDirectoryButton, pathlib.PurePath, "directoryChanged(QString)"

    def read(self):
        return self.parameter.kind(self.widget.directory)

    def write(self, value):
        self.widget.directory = str(value)


CONNECTORS = [
    BoolConnector,
    IntConnector,
    SliderConnector,
    FloatConnector,
    ComboBoxConnector,
    LineConnector,
    TextConnector,
    NodeConnector,
    PathConnector,
    DirectoryConnector,
]


def connectorFor(widget, parameter):
    for connector in CONNECTORS:
        if connector.takes(widget, parameter):
            return connector(widget, parameter)
    raise RuntimeError(
        f"no connector between a {widget.className()} and the parameter '{parameter.name}' "
        f"of type {parameter.kind.__name__}"
    )


class Connection:
    """Two-way synchronization of widgets and a parameter node until disconnect()."""

    def __init__(self, wrapper, pairs):
        self._wrapper, self._updating = wrapper, False
        self._connectors = [
            (name, connectorFor(widget, parameter)) for name, (parameter, widget) in pairs.items()
        ]
        self._slots = []
        self._showValues()
        for name, connector in self._connectors:
            self._slots.append(functools.partial(self._onEdited, name, connector))
            connector.widget.connect(connector.signal, self._slots[-1])
        self._tag = wrapper.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._showValues())

    def _onEdited(self, name, connector):
        if not self._updating:
            self._wrapper.setValue(name, connector.read())

    def _showValues(self):
        self._updating = True
        try:
            for name, connector in self._connectors:
                connector.write(self._wrapper.getValue(name))
        finally:
            self._updating = False

    def disconnect(self):
        self._wrapper.RemoveObserver(self._tag)
        for (_, connector), slot in zip(self._connectors, self._slots):
            connector.widget.disconnect(connector.signal, slot)
