"""Training in two stages: steps, checkpoints and validation."""
