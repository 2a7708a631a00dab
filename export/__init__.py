"""From a checkpoint to a bundle: graphs, quantisation, verification with the service's engine."""
