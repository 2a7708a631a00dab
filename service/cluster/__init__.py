"""How one service is shared out over several machines: a gateway, and engines behind it."""
