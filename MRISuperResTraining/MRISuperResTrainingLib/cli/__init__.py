"""Command line of the training: one module per command."""
