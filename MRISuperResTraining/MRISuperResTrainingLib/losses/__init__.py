"""Losses, one kind per file: functions of tensors."""
