"""Waiting without freezing the application, with or without a main window."""

import qt


class EventLoop:
    """`run` handles events until `quit` is called; a `quit` that came before `run` counts."""

    def __init__(self):
        self._loop = qt.QEventLoop()
        self._hasQuit = False

    def run(self):
        if not self._hasQuit:
            # PythonQt offers one or the other name, depending on the version of Qt
            execute = getattr(self._loop, "exec_", None) or self._loop.exec
            execute()

    def quit(self):
        self._hasQuit = True
        self._loop.quit()
