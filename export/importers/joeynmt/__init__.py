"""Checkpoints of JoeyNMT."""
