"""The node selector follows changes of the scene."""

import unittest

import qt
import slicer


class NodeSelectorTestCase(unittest.TestCase):
    cls = "qMRMLNodeComboBox"

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.selector = getattr(slicer, self.cls)()
        self.selector.nodeTypes = ["vtkMRMLTextNode"]
        self.selector.setMRMLScene(slicer.mrmlScene)
        self.changes = []
        self.selector.connect(
            "currentNodeChanged(vtkMRMLNode*)",
            lambda node: self.changes.append(node and node.GetName()),
        )

    def add(self, name, nodeClass="vtkMRMLTextNode"):
        return slicer.mrmlScene.AddNewNodeByClass(nodeClass, name)


class NodeSelectorTest(NodeSelectorTestCase):
    def test_the_first_node_is_selected_if_none_is_not_allowed(self):
        self.add("a")
        self.add("b")
        self.assertEqual(self.changes, ["a"])

    def test_no_node_is_selected_if_none_is_allowed(self):
        self.selector.noneEnabled = True
        self.add("a")
        self.assertEqual(self.changes, [])
        self.assertIsNone(self.selector.currentNode())

    def test_another_text_for_no_node_selects_the_first_node(self):
        self.selector.noneEnabled = True
        self.selector.noneDisplay = "New"
        self.add("a")
        b = self.add("b")
        self.selector.noneDisplay = "New"
        self.assertEqual(self.changes, [])
        self.selector.noneDisplay = "Create"
        self.assertEqual(self.changes, ["a"])
        self.selector.setCurrentNode(b)
        self.selector.noneDisplay = "Another"
        self.assertEqual(self.changes, ["a", "b"])

    def test_a_selection_is_signaled_with_node_id_and_validity(self):
        ids, valid = [], []
        self.selector.noneEnabled = True
        self.selector.connect("currentNodeIDChanged(QString)", ids.append)
        self.selector.connect("currentNodeChanged(bool)", valid.append)
        node = self.add("a")
        self.selector.setCurrentNode(node)
        self.selector.setCurrentNode(None)
        self.assertEqual(
            (self.changes, ids, valid), (["a", None], [node.GetID(), ""], [True, False])
        )

    def test_selecting_the_current_node_emits_no_signal(self):
        node = self.add("a")
        self.changes.clear()
        self.selector.setCurrentNode(node)
        self.selector.currentNodeID = node.GetID()
        self.assertEqual(self.changes, [])

    def test_a_removed_node_is_no_longer_current(self):
        node = self.add("a")
        self.selector.noneEnabled = True
        slicer.mrmlScene.RemoveNode(node)
        self.assertIsNone(self.selector.currentNode())
        self.assertEqual(self.changes, ["a", None])

    def test_closing_the_scene_empties_the_selector(self):
        self.add("a")
        slicer.mrmlScene.Clear(0)
        self.assertEqual((self.selector.nodeCount(), self.changes), (0, ["a", None]))

    def test_nodes_added_in_a_batch_appear_at_its_end(self):
        slicer.mrmlScene.StartState(slicer.mrmlScene.BatchProcessState)
        self.add("a")
        self.assertEqual(self.changes, [])
        slicer.mrmlScene.EndState(slicer.mrmlScene.BatchProcessState)
        self.assertEqual(self.changes, ["a"])

    def test_only_nodes_of_the_requested_types_are_listed(self):
        self.add("t", "vtkMRMLTableNode")
        hidden = slicer.vtkMRMLTextNode()
        hidden.SetHideFromEditors(1)
        slicer.mrmlScene.AddNode(hidden)
        self.assertEqual(self.selector.nodeCount(), 0)
        self.selector.nodeTypes = ["vtkMRMLTableNode", "vtkMRMLTextNode"]
        self.assertEqual(self.selector.nodeCount(), 1)

    def test_derived_types_are_listed_unless_they_are_excluded(self):
        self.selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        self.add("l", "vtkMRMLLabelMapVolumeNode")
        self.assertEqual(self.selector.nodeCount(), 1)
        self.selector.hideChildNodeTypes = ["vtkMRMLLabelMapVolumeNode"]
        self.assertEqual(self.selector.nodeCount(), 0)
        self.selector.hideChildNodeTypes = []
        self.selector.showChildNodeTypes = False
        self.assertEqual(self.selector.nodeCount(), 0)

    def test_nodes_are_filtered_by_attribute(self):
        node = self.add("a")
        self.selector.addAttribute("vtkMRMLTextNode", "MRISuperRes.model")
        self.assertEqual(self.selector.nodeCount(), 0)
        node.SetAttribute("MRISuperRes.model", "x2")
        self.selector.removeAttribute("vtkMRMLTextNode", "MRISuperRes.model")
        self.selector.addAttribute("vtkMRMLTextNode", "MRISuperRes.model", "x2")
        self.assertEqual(self.selector.nodeCount(), 1)

    def test_a_renamed_node_is_shown_with_its_new_name(self):
        node = self.add("a")
        node.SetName("b")
        self.assertEqual(self.selector.findChild(qt.QComboBox).currentText, "b")

    def test_a_new_node_is_named_and_selected(self):
        self.selector.baseName = "Notes"
        added = []
        self.selector.connect("nodeAddedByUser(vtkMRMLNode*)", added.append)
        node = self.selector.addNode()
        self.assertEqual(
            (node.GetName(), self.selector.currentNode(), added), ("Notes", node, [node])
        )

    def test_a_selector_without_a_scene_is_empty(self):
        self.add("a")
        self.selector.setMRMLScene(None)
        self.assertIsNone(self.selector.currentNode())
        self.assertEqual(self.selector.nodeCount(), 0)

    def test_a_deleted_selector_no_longer_observes_the_scene(self):
        self.selector.delete()
        slicer.app.processEvents()
        qt.QApplication.sendPostedEvents(None, 52)  # QEvent.DeferredDelete
        self.add("a")


class CheckableNodeSelectorTest(NodeSelectorTestCase):
    cls = "qMRMLCheckableNodeComboBox"

    def test_checked_nodes_are_listed_and_signaled(self):
        emitted = []
        self.selector.connect("checkedNodesChanged()", lambda: emitted.append(1))
        a, b = self.add("a"), self.add("b")
        self.selector.setCheckState(b, qt.Qt.Checked)
        self.selector.check(a)
        self.selector.uncheck(a)
        self.assertEqual(
            (self.selector.checkedNodes(), self.selector.uncheckedNodes()), ((b,), (a,))
        )
        self.assertEqual(len(emitted), 3)

    def test_a_removed_node_is_no_longer_checked(self):
        node = self.add("a")
        self.selector.check(node)
        slicer.mrmlScene.RemoveNode(node)
        self.assertTrue(self.selector.noneChecked())
