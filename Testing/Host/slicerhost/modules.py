"""Loading of scripted modules, as qSlicerScriptedLoadableModule and its widget do it."""

import importlib.util
import sys
import types
from pathlib import Path

import slicer
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout


class Module:
    """Built-in module of Slicer, for example `slicer.modules.volumes`."""

    def __init__(self, name, logic):
        self.name = self.title = name
        self.path = ""
        self._logic = logic

    def logic(self):
        return self._logic

    def widgetRepresentation(self):
        return None


class ScriptedModule:
    """C++ module object: `parent` of the module's class, and attribute of `slicer.modules`."""

    def __init__(self, path):
        self.name, self.path = path.stem, str(path)
        self.title, self.helpText, self.acknowledgementText, self.icon = path.stem, "", "", QIcon()
        self.categories, self.dependencies, self.contributors, self.associatedNodeTypes = (
            [],
            [],
            [],
            [],
        )
        self.hidden, self.index, self.isBuiltIn, self.widgetRepresentationCreationEnabled = (
            False,
            -1,
            False,
            True,
        )
        self._representation = None

    def __setattr__(self, name, value):
        if "_representation" in vars(self) and name not in vars(self):
            raise AttributeError(
                f"'{name}' does not exist on a module object, "
                "and creating new attributes on C++ objects is not allowed"
            )
        super().__setattr__(name, value)

    def logic(self):
        return None

    def widgetRepresentation(self):
        if self._representation is None:
            self._representation = self.createNewWidgetRepresentation()
        return self._representation

    def createNewWidgetRepresentation(self):
        representation = slicer.qSlicerScriptedLoadableModuleWidget()
        QVBoxLayout(representation)
        representation._makePython = self._makeWidget
        representation._python = self._makeWidget(representation)
        representation.setMRMLScene(slicer.mrmlScene)
        representation._python.setup()
        return representation

    def _makeWidget(self, representation):
        widget = getattr(sys.modules[self.name], self.name + "Widget")(representation)
        setattr(slicer.modules, self.name + "Widget", widget)
        return widget


class ModuleManager(QObject):
    """Module manager (`slicer.app.moduleManager()`) and the panel that shows one module."""

    moduleAboutToBeUnloaded = Signal(str)
    moduleLoaded = Signal(str)
    cppName = "qSlicerModuleManager"

    def __init__(self, logics):
        super().__init__()
        self._modules, self._entered = {}, None
        slicer.modules, slicer.moduleNames = types.SimpleNamespace(), types.SimpleNamespace()
        for name, logic in logics.items():
            self._add(Module(name, logic))

    def _add(self, module):
        self._modules[module.name] = module
        setattr(slicer.modules, module.name.lower(), module)
        setattr(slicer.moduleNames, module.name, module.name)

    def module(self, name):
        return self._modules.get(name)

    def modulesNames(self):
        return tuple(self._modules)

    def factoryManager(self):
        return self

    def loadedModuleNames(self):
        return self.modulesNames()

    def _load(self, path):
        """Run a module file and register its module."""
        path = Path(path).resolve()
        if str(path.parent) not in sys.path:
            sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        sys.modules[path.stem] = python = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(python)
        module = ScriptedModule(path)
        instance = getattr(python, path.stem)(module)
        if hasattr(instance, "setup"):
            instance.setup()
        setattr(slicer.modules, path.stem + "Instance", instance)
        self._add(module)
        self.moduleLoaded.emit(path.stem)
        return module

    def _enter(self, name):
        """Show a module's panel: call exit() of the previous one and enter() of this one."""
        before, self._entered = self._entered, self._modules[name] if name else None
        for module, method in ((before, "exit"), (self._entered, "enter")):
            if module is not None and module.widgetRepresentation() is not None:
                getattr(module.widgetRepresentation()._python, method, lambda: None)()

    def _unloadAll(self):
        """Leave and unload all panels, as at the end of the application."""
        self._enter(None)
        for module in self._modules.values():
            if getattr(module, "_representation", None) is not None:
                self.moduleAboutToBeUnloaded.emit(module.name)
