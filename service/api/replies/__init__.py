"""Values of the translation as JSON."""
