"""Settings of a training run, presets, and recipes."""
