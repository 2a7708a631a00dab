"""Models: discovery, loading, health, routes between languages, reload."""
