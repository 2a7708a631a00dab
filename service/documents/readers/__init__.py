"""One reader per file format: extracts the strings, and writes the file with translations."""
