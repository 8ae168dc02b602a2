"""Comparison of methods in the scene: nodes, maps, tables and linked views."""
