"""The losses, one kind a file: plain functions of tensors."""
