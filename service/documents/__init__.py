"""Files: parsing, translation, and jobs. The readers know no translator."""
