"""Sentences that an export is calibrated, measured and verified with."""
