"""Masks what the model must not change, and restores it in the translation."""
