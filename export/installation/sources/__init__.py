"""Where published models are found: a file per source, with its own index format."""
