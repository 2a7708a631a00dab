"""The dialects of single clients: one file of routes each, over one way to translate."""
