"""Sections of the panel; they need Qt."""
