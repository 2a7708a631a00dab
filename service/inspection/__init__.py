"""Inspection of a model: attention passes, the selection of maps, heat maps."""
