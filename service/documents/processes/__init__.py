"""Documents are parsed and written in child processes, which have limits and can be killed."""
