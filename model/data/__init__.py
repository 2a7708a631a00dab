"""The text that a network learns from: read, cleaned, varied, encoded and batched."""
