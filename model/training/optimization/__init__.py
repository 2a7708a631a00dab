"""What an update computes: loss, learning rate, optimizers and their precision."""
