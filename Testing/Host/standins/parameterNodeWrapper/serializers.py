"""Storage of typed values in a parameter node, as text or as a node reference."""

import enum
import pathlib
import typing

import slicer


class TextSerializer:
    """Storage of str, int, float, bool, Enum and paths as a string parameter."""

    def __init__(self, kind):
        self.kind = kind

    def default(self):
        return next(iter(self.kind)) if issubclass(self.kind, enum.Enum) else self.kind()

    def checkType(self, value):
        allowed = (self.kind, int) if self.kind is float else self.kind
        if not isinstance(value, allowed) or (
            self.kind in (int, float) and isinstance(value, bool)
        ):
            raise TypeError(f"expected {self.kind.__name__}, got {value!r}")

    def isIn(self, node, name):
        return name in node.GetParameterNames()

    def write(self, node, name, value):
        node.SetParameter(name, value.name if isinstance(value, enum.Enum) else str(value))

    def read(self, node, name):
        text = node.GetParameter(name)
        if issubclass(self.kind, enum.Enum):
            return self.kind[text]
        return text == "True" if self.kind is bool else self.kind(text)


class NodeSerializer:
    """Storage of a MRML node as a node reference whose role is the parameter's name."""

    def __init__(self, kind):
        self.kind = kind

    def default(self):
        return None

    def checkType(self, value):
        if value is not None and not isinstance(value, self.kind):
            raise TypeError(f"expected {self.kind.__name__} or None, got {value!r}")

    def isIn(self, node, name):
        return node.GetNodeReferenceID(name) is not None

    def write(self, node, name, value):
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node, name):
        return node.GetNodeReference(name)


class OptionalSerializer:
    """Storage of Optional[...]: an extra parameter "NAME.optional" is "False" for None."""

    def __init__(self, inner):
        self.inner, self.kind = inner, inner.kind

    def default(self):
        return None

    def checkType(self, value):
        if value is not None:
            self.inner.checkType(value)

    def isIn(self, node, name):
        return f"{name}.optional" in node.GetParameterNames()

    def write(self, node, name, value):
        node.SetParameter(f"{name}.optional", str(value is not None))
        if value is not None:
            self.inner.write(node, name, value)

    def read(self, node, name):
        return (
            self.inner.read(node, name) if node.GetParameter(f"{name}.optional") == "True" else None
        )


def serializerFor(kind):
    """Return the serializer of a type; raise TypeError for unsupported types."""
    options = [k for k in typing.get_args(kind) if k is not type(None)]
    if len(options) == 1 and type(None) in typing.get_args(kind):
        inner = serializerFor(options[0])
        return inner if isinstance(inner, NodeSerializer) else OptionalSerializer(inner)
    if isinstance(kind, type):
        if issubclass(kind, slicer.vtkMRMLNode):
            return NodeSerializer(kind)
        if kind in (str, int, float, bool) or issubclass(kind, (enum.Enum, pathlib.PurePath)):
            return TextSerializer(kind)
    raise TypeError(f"parameterNodeWrapper: the test host does not support the type {kind}")
