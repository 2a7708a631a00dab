"""One reader a file format: what in a file is text, and the file again around its translation."""
