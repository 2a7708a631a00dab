"""The HTTP API: one router per dialect. Knows the translator's interface, not how it works."""
