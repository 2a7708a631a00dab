"""Sentences in, sentences out: read for a model, decoded, postprocessed, aligned."""
