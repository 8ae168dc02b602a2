"""Training runs on disk, and their export as models."""
