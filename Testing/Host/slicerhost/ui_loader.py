"""`qt.QUiLoader` for .ui files with CTK and qMRML widgets, with errors instead of warnings."""

import xml.etree.ElementTree as ET

from PySide6 import QtCore, QtUiTools, QtWidgets

from . import contract, properties, signals


class QUiLoader(QtUiTools.QUiLoader):
    """Loader that makes stand-ins, sets their enum properties and connects their signals.

    Unknown classes, properties, signals and slots are errors.
    """

    standIns = {}

    def createWidget(self, className, parent=None, name=""):
        cls = self.standIns.get(className)
        if cls is None:
            widget = super().createWidget(className, parent, name)
            if widget is None:
                raise RuntimeError(
                    f"the test host has no stand-in for the widget class {className}"
                )
            return widget
        widget = cls(parent)
        widget.setObjectName(name)
        return widget

    def load(self, device, parent=None):
        tree = ET.fromstring(bytes(device.readAll().data()))
        connections = [{e.tag: e.text for e in c} for c in tree.iterfind("connections/connection")]
        for element in tree.findall("connections"):
            tree.remove(element)
        enums = list(self._takeEnums(tree))
        buffer = QtCore.QBuffer()
        buffer.setData(ET.tostring(tree))
        buffer.open(QtCore.QBuffer.ReadOnly)
        with properties.newAttributesIgnored():
            top = super().load(buffer, parent)
        if top is None:
            raise RuntimeError(f"the .ui file cannot be read: {self.errorString()}")
        widgets = {
            w.objectName: w for w in [top, *top.findChildren(QtWidgets.QWidget)] if w.objectName
        }
        self._checkProperties(tree, widgets)
        for name, prop, text in enums:
            flags = [getattr(type(widgets[name]), part.split("::")[-1]) for part in text.split("|")]
            setattr(widgets[name], prop, sum(map(int, flags)))
        for c in connections:
            widgets[c["sender"]].connect(c["signal"], slotOf(widgets[c["receiver"]], c["slot"]))
        return top

    def _takeEnums(self, tree):
        """Remove enum properties of stand-ins, which Qt cannot parse, to set them afterwards."""
        for element in tree.iter("widget"):
            cls = self.standIns.get(element.get("class"))
            for prop in list(element.findall("property")) if cls else []:
                name = prop.get("name")
                if prop[0].tag in ("set", "enum") and prop[0].text.split("::")[0] == element.get(
                    "class"
                ):
                    element.remove(prop)
                    yield element.get("name"), name, prop[0].text

    @staticmethod
    def _checkProperties(tree, widgets):
        for element in tree.iter("widget"):
            widget = widgets.get(element.get("name"))
            for prop in element.findall("property") if widget is not None else []:
                known = widget.metaObject().indexOfProperty(prop.get("name")) >= 0
                if not known and prop.get("stdset") != "0":
                    raise RuntimeError(
                        f"{element.get('class')} '{element.get('name')}' "
                        f"has no property '{prop.get('name')}'"
                    )


def slotOf(receiver, signature):
    """Return the slot of a connection made in Designer; it must exist in Slicer."""
    name = signals.normalized(signature).split("(")[0]
    className = receiver.className()
    if contract.lists(className) and name not in contract.members(className):
        raise RuntimeError(f"{className} has no slot {signature}")
    return getattr(receiver, name)
