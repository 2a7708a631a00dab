"""Networks built from imported weights, and what they are compared with."""
