"""The graphs of a Transformer, built from its arrays: encoder, decoder, candidates, attention."""
