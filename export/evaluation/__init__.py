"""Scores a bundle on a text with references; needs no torch."""
