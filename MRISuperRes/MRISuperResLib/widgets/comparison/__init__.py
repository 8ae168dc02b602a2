"""Section of the panel that compares methods."""
