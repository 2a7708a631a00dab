"""Where a passage's tags go in its translation."""
