"""Who asks, as far as the work is to be shared among those who ask."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One party among which the queue is shared; hashable, so that it can be counted by."""

    name: str = ""
    """Opaque: the id of a key, or where no keys are used something of the connection. Never a key,
    never a label of a metric, never in a log."""
    weight: float = 1.0
    """Its share beside that of others who wait at the same time."""
    max_queued_jobs: int | None = None
    """Sentences of it that may wait; None: what the settings say for everybody."""


NOBODY = Client()
"""The service's own work, and commands that run without a server."""
