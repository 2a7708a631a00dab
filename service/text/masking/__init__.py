"""What the model sees in place of what it must not change, and the way back."""
