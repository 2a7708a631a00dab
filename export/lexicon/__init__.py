"""A translation lexicon from parallel text, and the shortlists made of it."""
