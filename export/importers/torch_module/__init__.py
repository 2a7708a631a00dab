"""State dicts around torch.nn.Transformer, with a description."""
