"""The command line of the training: one file per command. Errors, signals and exit codes are those of MRISuperResLib."""
