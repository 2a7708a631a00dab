"""What a model looked at, and why: attention passes, their selection, their pictures."""
