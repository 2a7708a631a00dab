"""Metrics, traces, logs and the clock type. Knows no model and no request."""
