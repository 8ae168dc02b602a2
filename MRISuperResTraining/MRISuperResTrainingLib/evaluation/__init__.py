"""Evaluation of models on volumes of unseen subjects."""
