"""Comparison of methods on one volume, in figures and scores."""
