"""`slicer.app` and its IO manager."""

import os
from types import SimpleNamespace

import slicer
from PySide6.QtCore import Property, QObject, QSettings, Signal
from PySide6.QtWidgets import QApplication

from .. import io_manager


class qSlicerCoreIOManager(QObject):
    cppName = "qSlicerCoreIOManager"

    def fileType(self, fileName):
        return io_manager.fileType(fileName)

    def fileWriterFileType(self, node, *_):
        return (
            "VolumeFile"
            if node.IsA("vtkMRMLVolumeNode")
            else "TableFile"
            if node.IsA("vtkMRMLTableNode")
            else "NodeFile"
        )

    def fileWriterExtensions(self, node):
        return io_manager.writeExtensions(node)

    def extractKnownExtension(self, fileName, node):
        extension = slicer.vtkDataFileFormatHelper.GetFileExtensionFromFormatString
        endings = map(extension, io_manager.writeExtensions(node))
        return max((e for e in endings if fileName.lower().endswith(e)), key=len, default="")

    def loadNodes(self, fileType, properties, loadedNodes=None, userMessages=None):
        path = str(properties["fileName"])
        if io_manager.missing(path, userMessages):
            return False
        if fileType == "SceneFile":
            return io_manager.loadScene(slicer.mrmlScene, path, properties.get("clear", False))
        node = io_manager.loadNode(slicer.mrmlScene, fileType, properties)
        if node is not None and loadedNodes is not None:
            loadedNodes.AddItem(node)
        return node is not None

    def saveNodes(self, fileType, properties, *_):
        path = str(properties["fileName"])
        if fileType == "SceneFile":
            return io_manager.saveScene(slicer.mrmlScene, path)
        return io_manager.saveNode(
            slicer.mrmlScene.GetNodeByID(properties["nodeID"]), path, properties
        )

    def exportNodes(self, nodeIDs, fileNames, properties, *_):
        nodes = map(slicer.mrmlScene.GetNodeByID, nodeIDs)
        # a failure does not end the export of the other nodes
        saved = [io_manager.saveNode(node, str(name), {}) for node, name in zip(nodes, fileNames)]
        return all(saved)


class qSlicerApplication(QObject):
    """`slicer.app`. Unlike in Slicer it is not the QApplication, which is PySide's."""

    cppName = "qSlicerApplication"
    startupCompleted = Signal()
    aboutToQuit = Signal()
    mrmlSceneChanged = Signal(object)

    def __init__(self, scene, applicationLogic):
        super().__init__()
        self._scene, self._applicationLogic = scene, applicationLogic
        self._ioManager, self._layoutManager, self._moduleManager = (
            qSlicerCoreIOManager(),
            None,
            None,
        )
        self._temporaryPath = applicationLogic.GetTemporaryPath()
        self._renderPauses = 0
        self._commandOptions, self._exitStatus = SimpleNamespace(runPythonAndExit=True), 0

    def commandOptions(self):
        return self._commandOptions

    def exit(self, status=0):
        """Keep the status for run.py, which ends the process after the script."""
        self._exitStatus = status

    def mrmlScene(self):
        return self._scene

    def applicationLogic(self):
        return self._applicationLogic

    def layoutManager(self):
        return self._layoutManager

    def moduleManager(self):
        return self._moduleManager

    def coreIOManager(self):
        return self._ioManager

    def ioManager(self):
        return self._ioManager

    def moduleLogic(self, name):
        return self._applicationLogic.GetModuleLogic(name)

    def settings(self):
        return QSettings()

    def userSettings(self):
        return QSettings()

    def processEvents(self, *_):
        QApplication.processEvents()

    def _setTemporaryPath(self, path):
        self._temporaryPath = path

    def testingEnabled(self):
        """Return False, so that tests take the same paths as users; dialogs never block here."""
        return False

    def setOverrideCursor(self, cursor):
        QApplication.setOverrideCursor(cursor)

    def restoreOverrideCursor(self):
        QApplication.restoreOverrideCursor()

    def pauseRender(self):
        self._renderPauses += 1

    def resumeRender(self):
        self._renderPauses -= 1

    def startupEnvironment(self):
        return None

    def environment(self):
        return dict(os.environ)

    def topLevelWidgets(self):
        return tuple(QApplication.topLevelWidgets())

    def palette(self):
        return QApplication.palette()

    def setPalette(self, palette):
        QApplication.setPalette(palette)

    def font(self):
        return QApplication.font()

    def translate(self, context, text, *_):
        return text

    def moduleDocumentationUrl(self, name):
        return f"{self.documentationBaseUrl}user_guide/modules/{name.lower()}.html"

    applicationName = Property(str, lambda self: "Slicer")
    applicationVersion = Property(str, lambda self: "5.8.1")
    majorVersion = Property(int, lambda self: 5)
    minorVersion = Property(int, lambda self: 8)
    temporaryPath = Property(
        str, lambda self: self._temporaryPath, lambda self, path: self._setTemporaryPath(path)
    )
    documentationBaseUrl = Property(str, lambda self: "https://slicer.readthedocs.io/en/latest/")
    slicerHome = Property(str, lambda self: "")
    os = Property(str, lambda self: "linux")
    revision = Property(str, lambda self: "0")
