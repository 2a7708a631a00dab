"""Checks that a bundle has to pass before it is published, and its measurements."""
