"""Where engines run: the decode loop and what hands it work."""
