"""Start of the stand-in application, once per process."""

import atexit
import ctypes
import importlib.util
import os
import shutil
import sys
from pathlib import Path

HOST = Path(__file__).resolve().parents[1]


def start(moduleFiles=()):
    """Build scene, namespaces, application and layout, load the modules, and complete the start."""
    keepSingletons()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    import slicer
    import slicer.util
    from PySide6 import QtCore, QtWidgets

    from panel_testing import dialogs, problems

    from . import modules, namespaces, scene, ui_loader, widgets

    problems.watch_uncaught_exceptions()
    slicer.__path__.append(str(HOST / "standins"))
    sys.path.append(str(HOST / "toplevel"))

    QtCore.qInstallMessageHandler(printQtMessage)
    qApplication = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["Slicer"])
    slicer.mrmlScene, applicationLogic = scene.makeScene()
    scene.sendMessagesTo(Path(applicationLogic.GetTemporaryPath()) / "vtk.log")
    atexit.register(shutil.rmtree, applicationLogic.GetTemporaryPath(), ignore_errors=True)
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
    QtCore.QSettings.setPath(
        QtCore.QSettings.IniFormat, QtCore.QSettings.UserScope, applicationLogic.GetTemporaryPath()
    )
    qApplication.setOrganizationName("slicerhost")

    qt = namespaces.makeQt()
    classes = widgets.load()
    qt.QUiLoader = ui_loader.QUiLoader
    ui_loader.QUiLoader.standIns = classes
    namespaces.makeCtk(classes)

    slicer.selfTests = {}
    slicer.app = classes["qSlicerApplication"](slicer.mrmlScene, applicationLogic)
    dialogs.install()
    namespaces.dressSlicer(classes)
    slicer.app._moduleManager = modules.ModuleManager(
        scene.makeModuleLogics(slicer.mrmlScene, applicationLogic)
    )
    slicer.app._layoutManager = classes["qSlicerLayoutManager"](slicer.mrmlScene)
    for path in moduleFiles:
        slicer.app._moduleManager._load(path)
    slicer.app.startupCompleted.emit()
    return slicer.app


def keepSingletons():
    """Protect None, True and False from the reference leak of PySide 6.12.

    PySide drops one reference too many whenever a call returns one of them. After some thousand
    calls, Python 3.11 would abort.
    """
    if sys.version_info < (3, 12):  # singletons are immortal from Python 3.12 on
        for singleton in (None, True, False):
            ctypes.c_ssize_t.from_address(id(singleton)).value += 1 << 60


def printQtMessage(kind, context, message):
    if "propagateSizeHints" not in message:  # printed for every window shown off screen
        print(f"Qt: {message}", file=sys.stderr)


def started():
    return hasattr(sys.modules.get("slicer"), "app")


def stop():
    """Do the steps of closing the application."""
    import slicer

    slicer.app._moduleManager._unloadAll()
    slicer.app.aboutToQuit.emit()
    slicer.app.processEvents()


def modulesIn(root):
    """Return the module files of an extension: FOLDER/FOLDER.py."""
    folders = sorted(folder for folder in Path(root).iterdir() if folder.is_dir())
    return [file for folder in folders if (file := folder / f"{folder.name}.py").is_file()]


class StartOnImport:
    """Import hook that starts the host at the first import of one of NAMES.

    Tests that import none of them run without the host.
    """

    NAMES = {"slicer", "qt", "ctk", "SampleData"}

    def __init__(self, findModules):
        self._findModules = findModules

    def find_spec(self, name, path=None, target=None):
        if name in self.NAMES:
            sys.meta_path.remove(self)
            start(self._findModules())
            if name in sys.modules:
                return _Started(sys.modules[name]).spec
        return None


class _Started:
    """Loader for a module that starting the host has imported, so that it is not run twice."""

    def __init__(self, module):
        self._module, self._original = module, module.__spec__
        self.spec = module.__spec__ = importlib.util.spec_from_loader(module.__name__, self)

    def create_module(self, spec):
        return self._module

    def exec_module(self, module):
        module.__spec__ = self._original
