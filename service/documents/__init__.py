"""Files in, files out: what is to translate in them, and how it goes back. Knows no translator."""
