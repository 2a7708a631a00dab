"""What an engine remembers between steps: key/value slots, live rows, shortlists."""
