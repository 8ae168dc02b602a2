"""run.py tells passed, failed and skipped tests apart by its exit status."""

import unittest

from subprocess_host import run_body, run_on_host


class RunnerTest(unittest.TestCase):
    def assertFails(self, result, *words):
        status, output = result
        self.assertEqual(status, 1, output)
        for word in words:
            self.assertIn(word, output)

    def test_a_passed_test_gives_0(self):
        status, output = run_body("self.assertTrue(True)")
        self.assertEqual(status, 0, output)

    def test_a_failure_gives_1(self):
        self.assertFails(run_body("self.assertTrue(False)", imports=""))

    def test_a_file_that_cannot_be_imported_gives_1(self):
        self.assertFails(run_on_host("import nothing_of_that_name"), "nothing_of_that_name")

    def test_no_tests_at_all_gives_1(self):
        self.assertFails(run_on_host("x = 1"), "no tests were found")

    def test_an_exception_in_a_slot_gives_1(self):
        self.assertFails(
            run_body("""
            button = qt.QPushButton("x")
            button.connect("clicked(bool)", lambda: 1 / 0)
            button.click()
        """),
            "ZeroDivisionError",
        )

    def test_an_exception_in_an_observer_of_a_node_gives_1(self):
        self.assertFails(
            run_body("""
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
            node.AddObserver("ModifiedEvent", lambda *_: 1 / 0)
            node.Modified()
        """),
            "ZeroDivisionError",
        )

    def test_an_exception_in_a_timer_gives_1(self):
        self.assertFails(run_body("qt.QTimer.singleShot(0, lambda: 1 / 0)"), "ZeroDivisionError")

    def test_an_exception_in_an_event_handler_gives_1(self):
        self.assertFails(
            run_body("""
            class Broken(qt.QWidget):
                def paintEvent(self, event):
                    raise ValueError("broken painting")
            widget = Broken()
            widget.show()
            slicer.app.processEvents()
        """),
            "broken painting",
        )

    def test_an_unexpected_error_display_gives_1(self):
        self.assertFails(run_body("slicer.util.errorDisplay('no space left')"), "no space left")

    def test_an_unexpected_question_gives_1(self):
        self.assertFails(run_body("slicer.util.confirmYesNoDisplay('Delete all?')"), "Delete all?")

    def test_a_dialog_without_an_answer_gives_1(self):
        self.assertFails(run_body("qt.QMessageBox.question(None, 'title', 'Really?')"), "Really?")

    def test_a_missing_expected_error_gives_1(self):
        self.assertFails(
            run_body("""
            from panel_testing import expect_error
            with expect_error("no space"):
                pass
        """),
            "expected a problem",
        )

    def test_an_exception_outside_the_tests_gives_1(self):
        self.assertFails(
            run_on_host("""
            import qt, unittest
            button = qt.QPushButton("x")
            button.connect("clicked()", lambda: 1 / 0)
            class GivenTest(unittest.TestCase):
                def test_it(self):
                    pass
                @classmethod
                def tearDownClass(cls):
                    button.click()
        """),
            "ZeroDivisionError",
        )

    def test_an_exception_at_the_end_of_the_application_gives_1(self):
        self.assertFails(
            run_body("slicer.app.connect('aboutToQuit()', lambda: 1 / 0)"), "ZeroDivisionError"
        )

    def test_only_the_named_method_runs(self):
        source = """
            import unittest
            class GivenTest(unittest.TestCase):
                def test_good(self):
                    pass
                def test_bad(self):
                    self.fail()
        """
        self.assertEqual(run_on_host(source, arguments=["GivenTest.test_good"])[0], 0)
        self.assertEqual(run_on_host(source, arguments=["GivenTest"])[0], 1)

    def test_a_test_without_slicer_and_qt_does_not_start_the_host(self):
        status, output = run_body(
            "import sys; self.assertFalse({'slicer', 'PySide6', 'vtk'} & set(sys.modules))",
            imports="",
        )
        self.assertEqual(status, 0, output)


class SkipTest(unittest.TestCase):
    SOURCE = """
        import unittest
        class GivenTest(unittest.TestCase):
            def test_a(self):
                self.skipTest("no scanner here")
            def test_b(self):
                {}
    """

    def test_a_file_with_skipped_tests_only_gives_77(self):
        status, output = run_on_host(self.SOURCE.format("self.skipTest('nor here')"))
        self.assertEqual(status, 77)
        self.assertIn("SKIPPED: GivenTest.GivenTest.test_a: no scanner here", output)

    def test_a_skipped_class_gives_77(self):
        status, output = run_on_host("""
            import unittest
            class GivenTest(unittest.TestCase):
                @classmethod
                def setUpClass(cls):
                    raise unittest.SkipTest("no scanner here")
                def test_a(self):
                    pass
        """)
        self.assertEqual(status, 77, output)

    def test_some_skips_give_0_and_a_line_for_ctest(self):
        status, output = run_on_host(self.SOURCE.format("pass"))
        self.assertEqual(status, 0)
        self.assertIn("SKIPPED: GivenTest.GivenTest.test_a: no scanner here", output)
        self.assertIn("SOME TESTS WERE SKIPPED", output)

    def test_a_failure_beside_a_skip_gives_1(self):
        status, output = run_on_host(self.SOURCE.format("self.fail()"))
        self.assertEqual(status, 1)
        self.assertNotIn("SOME TESTS WERE SKIPPED", output)

    def test_an_unexpected_skip_fails_under_ci(self):
        status, output = run_on_host(self.SOURCE.format("pass"), ci=True)
        self.assertEqual(status, 1)
        self.assertIn("skipped under CI", output)
