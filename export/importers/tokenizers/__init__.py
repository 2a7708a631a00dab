"""SentencePiece models with the ids of an imported vocabulary."""
