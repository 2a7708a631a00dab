"""How a batch is translated: NumPy in, NumPy out. Knows no server, no threads, no settings."""
