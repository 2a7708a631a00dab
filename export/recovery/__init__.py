"""The way back: weights and checkpoint of a bundle."""
