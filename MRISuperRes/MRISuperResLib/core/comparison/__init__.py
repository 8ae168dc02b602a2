"""Comparison of methods on one volume, in pictures and numbers."""
