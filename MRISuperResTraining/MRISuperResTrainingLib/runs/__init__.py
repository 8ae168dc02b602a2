"""A training run on disk, and the models that come out of it."""
