"""Stand-ins for the CTK and qMRML widgets that the modules use, one file per family.

They use PythonQt's style (`self.width`, no parentheses), because their base classes are patched
so. `cppName` names the C++ class, and the contract limits the members.
"""

import importlib

FAMILIES = {
    "buttons": [
        "ctkCollapsibleButton",
        "ctkCollapsibleGroupBox",
        "ctkPushButton",
        "ctkMenuButton",
        "ctkCheckablePushButton",
        "ctkCheckBox",
    ],
    "numbers": [
        "ctkDoubleSpinBox",
        "ctkSliderWidget",
        "ctkRangeWidget",
        "qMRMLSpinBox",
        "qMRMLSliderWidget",
        "qMRMLRangeWidget",
    ],
    "paths": ["ctkPathLineEdit", "ctkDirectoryButton"],
    "texts": ["ctkComboBox", "ctkFittedTextBrowser", "ctkMessageBox"],
    "containers": ["qMRMLWidget", "qSlicerWidget", "qSlicerScriptedLoadableModuleWidget"],
    "nodes": ["qMRMLNodeComboBox", "qMRMLCheckableNodeComboBox"],
    "tables": ["qMRMLTableView"],
    "plots": ["qMRMLPlotView"],
    "slices": ["qMRMLSliceView", "qMRMLSliceControllerWidget", "qMRMLSliceWidget"],
    "layouts": ["qSlicerLayoutManager"],
    "application": ["qSlicerApplication", "qSlicerCoreIOManager"],
}
NAMES = [name for names in FAMILIES.values() for name in names]


def load():
    """Import all stand-ins, after namespaces.makeQt: {name: class}."""
    from .. import contract, properties

    classes = {}
    for family, names in FAMILIES.items():
        module = importlib.import_module(f".{family}", __name__)
        classes.update((name, getattr(module, name)) for name in names)
    for name, cls in sorted(classes.items(), key=lambda item: len(item[1].__mro__)):
        properties.showProperties(cls)
        if contract.lists(name):
            properties.hideUnknownMembers(cls, name)
    return classes
