"""Attention maps and scores, for a text or for every line of a file."""
