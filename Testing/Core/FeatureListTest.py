"""The list of features, Testing/FEATURES.md: the tests and the pictures that show them exist."""

import re
import unittest

from named_tests import NAMED, TESTING, missing, rows

PICTURE = r"`Resources/Screenshots/\w+\.png`"


class FeatureListTest(unittest.TestCase):
    def test_every_feature_is_shown_by_tests_and_pictures_that_exist(self):
        features = rows("FEATURES.md", "feature")
        self.assertGreater(len(features), 20)
        for feature, shown in features:
            with self.subTest(feature):
                self.assertRegex(shown, f"^({NAMED}|{PICTURE})(, ({NAMED}|{PICTURE}))*$")
                self.assertEqual(missing(shown), [])
                for picture in re.findall(PICTURE, shown):
                    self.assertTrue((TESTING.parent / picture.strip("`")).is_file(), picture)


if __name__ == "__main__":
    unittest.main()
