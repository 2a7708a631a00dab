"""What can be called over HTTP: one router per dialect. Knows the translator, not how it works."""
