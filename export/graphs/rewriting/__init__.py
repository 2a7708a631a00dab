"""Graphs made by rewriting stored ones: same weights, same int8, no checkpoint."""
