"""The training: two stages, their steps, checkpoints and validation."""
