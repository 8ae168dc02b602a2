"""The layout of a comparison: a grid of slice views, independent of other layouts."""

import unittest
import xml.etree.ElementTree as ElementTree

import slicer
from MRISuperResLib.scene.comparison.layout import (
    COMPARISON_LAYOUT_ID,
    describeLayout,
    layoutDescription,
    mainViewNames,
    zoomViewNames,
)

COUNTS = range(2, 10)


def items(count, zoom):
    """{singleton tag: (row, column, {property: value})}"""
    found = {}
    for item in ElementTree.fromstring(layoutDescription(count, zoom)):
        (view,) = item
        found[view.get("singletontag")] = (
            int(item.get("row")),
            int(item.get("column")),
            {p.get("name"): p.text for p in view},
        )
    return found


def shape(count, zoom=False):
    places = [place[:2] for place in items(count, zoom).values()]
    return max(row for row, _ in places) + 1, max(column for _, column in places) + 1


class ComparisonLayoutTest(unittest.TestCase):
    def test_each_image_has_a_view_at_a_place_of_its_own(self):
        for count in COUNTS:
            for zoom in (False, True):
                with self.subTest(count=count, zoom=zoom):
                    found = items(count, zoom)
                    self.assertEqual(
                        set(found),
                        set(mainViewNames(count) + (zoomViewNames(count) if zoom else [])),
                    )
                    self.assertEqual(len({place[:2] for place in found.values()}), len(found))

    def test_many_images_are_in_two_rows(self):
        self.assertEqual(
            [shape(count) for count in (4, 5, 6, 7, 8)], [(2, 2), (2, 3), (2, 3), (2, 4), (2, 4)]
        )

    def test_few_images_are_in_one_row(self):
        self.assertEqual([shape(count) for count in (2, 3)], [(1, 2), (1, 3)])
        self.assertEqual([shape(count, zoom=True) for count in (4, 5, 6)], [(2, 4), (2, 5), (4, 3)])

    def test_each_zoom_view_is_under_its_image(self):
        for count in COUNTS:
            found = items(count, True)
            for main, zoomed in zip(mainViewNames(count), zoomViewNames(count)):
                self.assertEqual(found[zoomed][:2], (found[main][0] + 1, found[main][1]))

    def test_main_and_zoom_views_are_separate_groups(self):
        found = items(8, True)
        groups = [
            {found[name][2]["viewgroup"] for name in names(8)}
            for names in (mainViewNames, zoomViewNames)
        ]
        self.assertEqual([len(group) for group in groups], [1, 1])
        self.assertEqual(len(set.union(*groups) | {"0"}), 3, "0 is the group of Slicer's own views")

    def test_registration_does_not_change_other_layouts(self):
        layoutNode = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
        others = [n for n in range(100) if layoutNode.IsLayoutDescription(n)]
        before = [layoutNode.GetLayoutDescription(n) for n in others]
        for count in (3, 8):
            describeLayout(layoutNode, count, True)
            self.assertEqual(
                layoutNode.GetLayoutDescription(COMPARISON_LAYOUT_ID),
                layoutDescription(count, True),
            )
        self.assertEqual([layoutNode.GetLayoutDescription(n) for n in others], before)
        self.assertGreater(COMPARISON_LAYOUT_ID, 100)

    def test_layout_that_a_loaded_scene_selects_appears_when_it_is_registered(self):
        layoutNode = slicer.vtkMRMLLayoutNode()
        layoutNode.SetViewArrangement(COMPARISON_LAYOUT_ID)
        describeLayout(layoutNode, 3, True)
        self.assertEqual(layoutNode.GetCurrentLayoutDescription(), layoutDescription(3, True))


if __name__ == "__main__":
    unittest.main()
