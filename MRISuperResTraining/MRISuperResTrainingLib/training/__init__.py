"""The training loop: two stages over the same steps, checkpoints and events."""
