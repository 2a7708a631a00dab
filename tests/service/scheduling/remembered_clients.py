"""Which clients a queue still holds data of."""


def remembered_clients(queue: object) -> set[str]:
    """Names of clients in any dictionary of a queue or of its parts."""
    names: set[str] = set()
    for value in vars(queue).values():
        if isinstance(value, dict):
            names |= {key for key in value if isinstance(key, str)}
        elif type(value).__module__.startswith("service.scheduling") and hasattr(value, "__dict__"):
            names |= remembered_clients(value)
    return names
