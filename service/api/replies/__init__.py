"""Replies: their models, and how values become JSON."""
