"""For operators: probes, metrics, models, reload, pages."""
