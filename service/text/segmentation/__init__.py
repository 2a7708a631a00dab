"""Splits texts into sentences, and sentences that are too long into parts."""
