"""A run: preparation, the loop, its checkpoints, curves and averages."""
