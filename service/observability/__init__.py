"""Metrics, traces, logs and clocks: what is counted and told. Knows no model and no request."""
