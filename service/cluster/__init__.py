"""The service on several machines: one door, and engines that others run. Knows no Ray."""
