"""What a training run is told: all of its settings, presets of them, and recipes, which add the data and what a model card says."""
