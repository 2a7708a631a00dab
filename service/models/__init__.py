"""Which models are loaded, whether they are well, and where they lead."""
