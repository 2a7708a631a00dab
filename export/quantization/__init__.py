"""int8: grids of activations, scales of weights and caches."""
