"""Routes for operators: probes, metrics, models, reload; and the web pages."""
