"""Which sentence is decoded next: queue, fairness, batching, workers. Knows no text."""
