"""Foreign checkpoints become networks: one file for each kind."""
