"""Middleware around all routes: request id, trace, limits, headers, log."""
