"""Means of weights: of the last validations of a run, and of checkpoints of several."""
