"""Places the tags of a passage in its translation."""
