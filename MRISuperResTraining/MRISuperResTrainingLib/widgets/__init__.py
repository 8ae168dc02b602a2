"""The parts of the panel, and the processes that it starts. Qt is used here only."""
