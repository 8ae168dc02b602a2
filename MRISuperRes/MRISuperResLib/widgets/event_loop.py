"""Waiting without freezing the application, with or without a main window."""

import qt


class EventLoop:
    """`run` handles events until `quit` is called; a `quit` that came before `run` counts."""

    def __init__(self):
        self._loop = qt.QEventLoop()
        self._hasQuit = False

    def run(self, takesInput=True):
        """takesInput: whether the user can do something meanwhile."""
        if not self._hasQuit:
            # PythonQt offers one or the other name, depending on the version of Qt
            execute = getattr(self._loop, "exec_", None) or self._loop.exec
            execute(qt.QEventLoop.AllEvents if takesInput else qt.QEventLoop.ExcludeUserInputEvents)

    def quit(self):
        self._hasQuit = True
        self._loop.quit()
