"""Scheduling of sentences: queue, fairness, single flight, batching, workers. Knows no text."""
