"""Calibrates the int8 grids and scales of activations and caches on real sentences."""
