"""The stand-ins offer only members that Slicer has, and of the same kind."""

import json
import os
import unittest
from pathlib import Path

import ctk
import qt
import slicer
from slicerhost import contract, widgets
from slicerhost.properties import UNHIDDEN, Absent, QtProperty

PROJECT = Path(__file__).resolve().parents[2]
TABLES = Path(os.environ.get("MRISUPERRES_CONTRACT", PROJECT.parent / "shared" / "contract"))


def class_of(name):
    known = {
        "qSlicerApplication": type(slicer.app),
        "qSlicerCoreIOManager": type(slicer.app.coreIOManager()),
        "qSlicerLayoutManager": type(slicer.app.layoutManager()),
    }
    return known.get(name) or getattr(ctk if name.startswith("ctk") else slicer, name)


def visible_members(cls):
    return {name for name in dir(cls) if not name.startswith("_") and hasattr(cls, name)}


def stand_ins():
    return [name for name in widgets.NAMES if contract.lists(name)]


class OfferTest(unittest.TestCase):
    """Visible members of stand-ins, Qt classes and namespaces."""

    def test_no_stand_in_offers_more_than_the_contract(self):
        for name in stand_ins():
            with self.subTest(name):
                self.assertLessEqual(
                    visible_members(class_of(name)), contract.members(name) | UNHIDDEN
                )

    def test_no_common_qt_class_offers_more_than_the_contract(self):
        for name in sorted(n for n in contract.namespace("qt") if contract.lists(n)):
            with self.subTest(name):
                self.assertLessEqual(
                    visible_members(getattr(qt, name)), contract.members(name) | UNHIDDEN
                )

    def test_the_namespaces_offer_no_more_than_the_contract(self):
        for module in (qt, ctk):
            offered = {n for n in vars(module) if not n.startswith("_")}
            self.assertLessEqual(offered, contract.namespace(module.__name__))

    def test_every_declared_signal_of_a_stand_in_can_be_connected(self):
        for name in set(stand_ins()) - {
            "qSlicerApplication",
            "qSlicerCoreIOManager",
            "qSlicerLayoutManager",
        }:
            cls = class_of(name)
            made = cls()
            for signature in contract.signals(name):
                if isinstance(vars(cls).get(signature.split("(")[0]), qt.Signal):
                    with self.subTest(f"{name}.{signature}"):
                        self.assertTrue(made.connect(signature, lambda: None))

    def test_every_stand_in_can_be_shown(self):
        for name in set(widgets.NAMES) - {
            "qSlicerApplication",
            "qSlicerCoreIOManager",
            "qSlicerLayoutManager",
        }:
            with self.subTest(name):
                widget = class_of(name)()
                widget.show()
                slicer.app.processEvents()
                widget.hide()


class TablesTest(unittest.TestCase):
    """Comparison of the compact contract and the stand-ins with the original tables."""

    @classmethod
    def setUpClass(cls):
        if not TABLES.is_dir():
            raise unittest.SkipTest(
                f"the tables of Slicer's members are missing: {TABLES} (MRISUPERRES_CONTRACT)"
            )
        cls.live = json.loads((TABLES / "slicer_5_8_1_members.json").read_text())
        cls.headers = json.loads((TABLES / "slicer_widgets.json").read_text())

    def test_the_compact_contract_is_up_to_date(self):
        import make_contract

        made = make_contract.make(TABLES, widgets.NAMES)
        for name in made["classes"]:
            with self.subTest(name):
                base = (
                    contract.members(made["classes"][name]["base"])
                    if made["classes"][name]["base"]
                    else {"name", "exec_", "raise_", "print_"}
                )
                self.assertEqual(
                    contract.members(name), base | set(made["classes"][name]["members"])
                )
                self.assertEqual(
                    contract.signals(name), set(made["classes"][name].get("signals", ()))
                )
        for name, names in made["namespaces"].items():
            self.assertEqual(contract.namespace(name), set(names), name)

    def test_listed_members_exist_in_the_running_application(self):
        for name in stand_ins():
            if name in self.live["members"]:
                own = (
                    contract.members(name)
                    - contract.members("QObject")
                    - contract.members("QWidget")
                )
                with self.subTest(name):
                    self.assertLessEqual(own, set(self.live["members"][name]))

    def test_properties_are_properties_and_methods_are_methods(self):
        for name in set(stand_ins()) & set(self.headers):
            cls, header = class_of(name), self.headers[name]
            for member, value in vars(cls).items():
                if member.startswith("_") or isinstance(value, Absent):
                    continue
                with self.subTest(f"{name}.{member}"):
                    if member in header["properties"]:
                        self.assertIsInstance(
                            value, (qt.Property, QtProperty), "a property in Slicer"
                        )
                    elif member in header["slots"] + header["invokables"]:
                        self.assertNotIsInstance(
                            value, (qt.Property, QtProperty), "a method in Slicer"
                        )

    def test_signal_signatures_come_from_the_headers(self):
        self.assertEqual(
            contract.signals("ctkSliderWidget"),
            {"valueChanged(double)", "valueIsChanging(double)", "decimalsChanged(int)"},
        )
        self.assertIn("currentNodeChanged(vtkMRMLNode*)", contract.signals("qMRMLNodeComboBox"))
        self.assertIn("currentPathChanged(QString)", contract.signals("ctkPathLineEdit"))
        self.assertNotIn(
            "nodeAddedByUserAction(vtkMRMLNode*)",
            contract.signals("qMRMLNodeComboBox"),
            "newer than 5.8.1",
        )
