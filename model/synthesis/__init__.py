"""Text made for training: templates, senses of a dictionary, output of another model."""
