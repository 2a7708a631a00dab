"""What an export starts from: a trained model, its provenance, sentences to verify it with."""
