"""File and folder inputs of CTK."""

from pathlib import Path

from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QPushButton, QToolButton, QWidget

from .numbers import row


class ctkPathLineEdit(QWidget):
    cppName = "ctkPathLineEdit"
    # QDir.Filter
    Dirs, Files, Drives, NoSymLinks = 0x1, 0x2, 0x4, 0x8
    Readable, Writable, Executable, Hidden = 0x10, 0x20, 0x40, 0x100
    NoDot, NoDotDot, NoDotAndDotDot = 0x2000, 0x4000, 0x6000
    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._box, self._button = QComboBox(), QToolButton()
        self._box.setEditable(True)
        self._button.setText("…")
        row(self, self._box, self._button)
        self._filters, self._nameFilters, self._settingKey, self._valid = self.Files, (), "", False
        self._box.editTextChanged.connect(self._onEdited)
        self._button.clicked.connect(self.browse)

    def _onEdited(self, text):
        path = Path(text)
        valid = (
            path.is_dir()
            if self._filters & self.Dirs and not self._filters & self.Files
            else path.is_file()
        )
        if bool(text and valid) != self._valid:
            self._valid = not self._valid
            self.validInputChanged.emit(self._valid)
        self.currentPathChanged.emit(text)

    def setCurrentPath(self, path):
        self._box.setEditText(path)

    def browse(self):
        if self._filters & self.Files:
            path = QFileDialog.getOpenFileName(self, "Select a file", self.currentPath)
        else:
            path = QFileDialog.getExistingDirectory(self, "Select a folder", self.currentPath)
        if path:
            self.setCurrentPath(path)

    def addCurrentPathToHistory(self):
        if self.currentPath and self._box.findText(self.currentPath) < 0:
            self._box.addItem(self.currentPath)

    def comboBox(self):
        return self._box

    currentPath = Property(str, lambda self: self._box.currentText, setCurrentPath)
    filters = Property(
        int, lambda self: self._filters, lambda self, v: setattr(self, "_filters", int(v))
    )
    nameFilters = Property(
        "QStringList",
        lambda self: self._nameFilters,
        lambda self, v: setattr(self, "_nameFilters", tuple(v)),
    )
    settingKey = Property(
        str, lambda self: self._settingKey, lambda self, v: setattr(self, "_settingKey", v)
    )
    showBrowseButton = Property(
        bool, lambda self: not self._button.isHidden(), lambda self, v: self._button.setVisible(v)
    )


class ctkDirectoryButton(QWidget):
    cppName = "ctkDirectoryButton"
    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._button, self._directory, self._caption = QPushButton("."), str(Path.cwd()), ""
        row(self, self._button)
        self._button.clicked.connect(self.browse)

    def _setDirectory(self, directory):
        if directory != self._directory:
            self._directory = directory
            self._button.text = directory
            self.directoryChanged.emit(directory)

    def browse(self):
        directory = QFileDialog.getExistingDirectory(self, self._caption, self._directory)
        if directory:
            self._setDirectory(directory)
            self.directorySelected.emit(directory)

    directory = Property(str, lambda self: self._directory, _setDirectory)
    caption = Property(
        str, lambda self: self._caption, lambda self, v: setattr(self, "_caption", v)
    )
    text = Property(
        str, lambda self: self._button.text, lambda self, v: setattr(self._button, "text", v)
    )
