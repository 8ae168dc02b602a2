"""Write slicerhost/contract.json: the members of the stand-in classes in Slicer 5.8.1.

    python Testing/Host/make_contract.py FOLDER

FOLDER holds two tables. slicer_5_8_1_members.json lists names read from a running Slicer 5.8.1.
slicer_widgets.json lists properties, slots and signals read from the CTK and qMRML headers.
Run this script again after adding a stand-in.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Qt classes that panels use and whose members are checked.
QT_OBJECTS = ["QTimer", "QProcess", "QSettings", "QFormLayout", "QVBoxLayout"]
QT_WIDGETS = [
    "QComboBox",
    "QPushButton",
    "QProgressBar",
    "QLabel",
    "QListWidget",
    "QTableWidget",
    "QTreeWidget",
    "QCheckBox",
    "QSpinBox",
    "QDoubleSpinBox",
    "QLineEdit",
    "QPlainTextEdit",
    "QTextBrowser",
    "QSlider",
    "QFileDialog",
    "QTabWidget",
    "QGroupBox",
]

# Stand-ins that are not widgets, with their names in the tables.
OBJECTS = {
    "qSlicerApplication": "slicer.app",
    "qSlicerCoreIOManager": "coreIOManager",
    "qSlicerLayoutManager": "layoutManager",
}


def normalized(arguments):
    """Normalize signal arguments as Qt does: 'const QString& path, int n' -> 'QString,int'."""
    types = []
    for argument in filter(None, (a.strip() for a in arguments.split(","))):
        pointer = "*" if "*" in argument else ""
        words = re.sub(r"[&*]", " ", argument).split()
        types.append(next(w for w in words if w != "const") + pointer)
    return ",".join(types)


class Tables:
    """Member tables of the running application and of the headers."""

    def __init__(self, folder):
        self.live = json.loads((folder / "slicer_5_8_1_members.json").read_text())
        self.headers = json.loads((folder / "slicer_widgets.json").read_text())

    def members(self, name, base):
        """Return the names beyond QObject and QWidget.

        The running application takes precedence over the headers.
        """
        live = self.live["members"]
        if name in live:
            return set(live[name])
        if name not in self.headers:
            return set()
        header = self.headers[name]
        own = {
            *header["properties"],
            *header["slots"],
            *header["invokables"],
            *header["enums"],
            *(s[0] for s in header["signals"]),
        }
        return own | (self.members(header["base"], base) if header["base"] != base else set())

    def signals(self, name, members):
        """Return the signal signatures that the headers declare and the application has."""
        header = self.headers.get(name)
        if header is None:
            return set()
        own = {
            f"{signal}({normalized(arguments)})"
            for signal, arguments in header["signals"]
            if signal in members
        }
        return own | self.signals(header["base"], members)


def make(folder, standIns):
    tables = Tables(folder)
    live = tables.live["members"]
    classes = {
        "QObject": {"base": "", "members": sorted(live["QObject"])},
        "QWidget": {"base": "QObject", "members": sorted(live["QWidget (beyond QObject)"])},
    }
    requested = dict.fromkeys(QT_OBJECTS, "QObject") | dict.fromkeys(QT_WIDGETS, "QWidget")
    requested |= dict.fromkeys(OBJECTS, "QObject") | {
        name: "QWidget" for name in standIns if name not in OBJECTS
    }
    for name, base in requested.items():
        if not {OBJECTS.get(name, name), name} & (set(live) | set(tables.headers)):
            continue  # in neither table
        members = tables.members(OBJECTS.get(name, name), base)
        header = "qMRMLLayoutManager" if name == "qSlicerLayoutManager" else name
        classes[name] = {
            "base": base,
            "members": sorted(members),
            "signals": sorted(tables.signals(header, members)),
        }
    from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

    offered = {n for m in (QtCore, QtGui, QtUiTools, QtWidgets) for n in dir(m)}
    # Some classes moved between the modules of Qt 5 and Qt 6. The namespace `qt` is flat, so
    # names suffice.
    return {
        "slicer": tables.live["slicer"],
        "namespaces": {
            "qt": sorted(offered & set(tables.live["qt"])),
            "ctk": sorted(n for n in tables.live["ctk"] if n in standIns),
            "slicer": sorted(
                n
                for n in tables.live["slicer.names"]
                if not n.startswith(("qMRML", "qSlicer")) or n in standIns
            ),
            "slicer.util": sorted(tables.live["slicer.util"]),
        },
        "classes": classes,
    }


def write(contract, path):
    """Write one line per class, names separated by spaces, for short files and clear diffs."""

    def joined(value):
        if isinstance(value, list):
            return " ".join(value)
        return {k: joined(v) for k, v in value.items()} if isinstance(value, dict) else value

    lines = []
    for key, value in joined(contract).items():
        if isinstance(value, dict):
            inner = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            lines.append(f" {json.dumps(key)}: {{\n{inner}\n }}")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value)}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    from slicerhost.widgets import NAMES

    write(make(Path(sys.argv[1]), NAMES), HERE / "slicerhost" / "contract.json")
