"""Widgets of the training panel."""
