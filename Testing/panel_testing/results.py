"""Definition of a failure: also an error that the application only prints or displays."""

import sys
import unittest

from . import dialogs, problems


class UnexpectedProblem(AssertionError):
    """Errors outside the call stack of the test, for example in a slot."""


class Result(unittest.TextTestResult):
    """Test result that fails a test for the problems recorded while it ran."""

    passed = 0

    def startTest(self, test):
        dialogs.reset()
        super().startTest(test)

    def addSuccess(self, test):
        slicer = sys.modules.get("slicer")
        if hasattr(slicer, "app"):  # tests of the core run without an application
            slicer.app.processEvents()
        found = problems.take()
        if found:
            try:
                raise UnexpectedProblem("\n".join(map(str, found)))
            except UnexpectedProblem:
                self.addFailure(test, sys.exc_info())
        else:
            self.passed += 1
            super().addSuccess(test)

    def stopTest(self, test):
        # problems of a test that failed anyway often explain the failure
        for problem in problems.take():
            self.stream.writeln(str(problem))
        super().stopTest(test)


def watch_application():
    """Make every test runner of this process fail tests for problems outside their stack."""
    problems.watch_uncaught_exceptions()
    dialogs.install()
    unittest.TextTestRunner.resultclass = Result
