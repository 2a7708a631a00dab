"""The server process: wiring, uvicorn, connections, watchdog. Knows no text."""
