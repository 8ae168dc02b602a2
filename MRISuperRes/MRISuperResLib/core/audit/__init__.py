"""Audit of methods: hallucinated, lost and inconsistent detail, against a reference."""
