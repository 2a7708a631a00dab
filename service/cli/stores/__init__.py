"""The stores that a server reads: keys, glossaries, the translation memory."""
