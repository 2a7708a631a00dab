"""Reads the files of checkpoints; code in them is never run."""
