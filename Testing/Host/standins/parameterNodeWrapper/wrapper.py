"""Class decorator that turns typed fields into properties backed by a parameter node."""

import typing

import slicer

from . import gui
from .annotations import Default, Validator
from .serializers import serializerFor


class Parameter:
    """Field with its name in the node, type, validators and default."""

    def __init__(self, name, annotation, classDefault):
        self.name = name
        kind, *self.annotations = (
            (annotation.__origin__, *annotation.__metadata__)
            if _isAnnotated(annotation)
            else (annotation,)
        )
        self.serializer = serializerFor(kind)
        self.kind = self.serializer.kind
        defaults = [a.value for a in self.annotations if isinstance(a, Default)]
        if classDefault is not None and defaults:
            raise ValueError(f"{name}: two defaults")
        self.default = (
            defaults[0]
            if defaults
            else classDefault
            if classDefault is not None
            else self._typeDefault()
        )
        self.validate(self.default)

    def _typeDefault(self):
        value = self.serializer.default()
        choices = self.annotation("choices")
        return choices[0] if choices and value not in choices else value

    def annotation(self, attribute):
        """Return the attribute of the first annotation that has it, or None."""
        return next(
            (getattr(a, attribute) for a in self.annotations if hasattr(a, attribute)), None
        )

    def validate(self, value):
        self.serializer.checkType(value)
        for annotation in self.annotations:
            if isinstance(annotation, Validator):
                annotation.validate(value)


def _isAnnotated(annotation):
    return typing.get_origin(annotation) is typing.Annotated


def isParameterNodeWrapper(value):
    return hasattr(value if isinstance(value, type) else type(value), "_parameters")


def parameterNodeWrapper(cls):
    """Turn a class of typed fields into a view of a parameter node: `P(parameterNode)`."""
    hints = typing.get_type_hints(cls, include_extras=True)
    parameters = {
        name: Parameter(name, hint, cls.__dict__.get(name)) for name, hint in hints.items()
    }
    fields = {name: _property(parameter) for name, parameter in parameters.items()}
    own = {
        k: v
        for k, v in vars(cls).items()
        if k not in ("__dict__", "__weakref__", "__annotations__") and k not in hints
    }
    return type(cls.__name__, (_Wrapper,), {**own, **fields, "_parameters": parameters})


def _property(parameter):
    return property(
        lambda self: self.getValue(parameter.name),
        lambda self, value: self.setValue(parameter.name, value),
    )


class _Wrapper:
    def __init__(self, parameterNode, prefix=None):
        if not isinstance(parameterNode, slicer.vtkMRMLScriptedModuleNode):
            raise TypeError(f"expected a parameter node, got {parameterNode!r}")
        object.__setattr__(self, "parameterNode", parameterNode)
        object.__setattr__(self, "_prefix", f"{prefix}." if prefix else "")
        object.__setattr__(self, "_connections", {})
        for name, parameter in self._parameters.items():
            if not self.isIn(name):
                parameter.serializer.write(parameterNode, self._prefix + name, parameter.default)

    def __setattr__(self, name, value):
        if name not in dir(type(self)):
            raise AttributeError(f"{type(self).__name__} has no parameter '{name}'")
        object.__setattr__(self, name, value)

    def _parameter(self, name):
        if name not in self._parameters:
            raise ValueError(f"{type(self).__name__} has no parameter '{name}'")
        return self._parameters[name]

    # values
    def getValue(self, name):
        return self._parameter(name).serializer.read(self.parameterNode, self._prefix + name)

    def setValue(self, name, value):
        parameter = self._parameter(name)
        parameter.validate(value)
        parameter.serializer.write(self.parameterNode, self._prefix + name, value)

    def isIn(self, name):
        return self._parameter(name).serializer.isIn(self.parameterNode, self._prefix + name)

    def isCached(self, name):
        return False

    def default(self, name):
        return self._parameter(name).default

    def dataType(self, name):
        return self._parameter(name).kind

    def validate(self, name, value):
        self._parameter(name).validate(value)

    # forwarded to the node
    def AddObserver(self, event, callback, priority=0.0):
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        self.parameterNode.RemoveObserver(tag)

    def Modified(self):
        self.parameterNode.Modified()

    def StartModify(self):
        return self.parameterNode.StartModify()

    def EndModify(self, wasModifying):
        return self.parameterNode.EndModify(wasModifying)

    # widgets
    def connectGui(self, root):
        """Connect child widgets that name a parameter in SlicerParameterName; return a tag."""
        return self.connectParametersToGui(gui.correspondences(root))

    def connectParametersToGui(self, widgets):
        """Connect {parameter name: widget}; return a tag for disconnectGui."""
        connection = gui.Connection(
            self, {name: (self._parameter(name), widget) for name, widget in widgets.items()}
        )
        tag = max(self._connections, default=0) + 1
        self._connections[tag] = connection
        return tag

    def disconnectGui(self, tag):
        self._connections.pop(tag).disconnect()
