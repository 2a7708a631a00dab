"""Workers: where decode loops run."""
