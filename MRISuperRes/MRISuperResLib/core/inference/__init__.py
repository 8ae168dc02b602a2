"""Inference of networks on CPUs and GPUs."""
