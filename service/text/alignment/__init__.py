"""Which word became which, from attention weights."""
