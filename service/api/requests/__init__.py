"""A request: its parameters, its client, how long it stays, and when its client leaves."""
