"""What a run shows: progress bar, log and curves."""
