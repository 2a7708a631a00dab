"""State of a batch between steps: key/value cache, live rows, shortlists."""
