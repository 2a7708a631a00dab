"""The service on several machines: a gateway for HTTP, and engines that translate."""
