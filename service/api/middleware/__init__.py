"""What every request passes before its route: id, limits, headers, log."""
