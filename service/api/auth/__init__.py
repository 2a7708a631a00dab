"""Who may use the service: keys, what each allows, and what was used of it."""
