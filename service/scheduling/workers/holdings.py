"""What clients and requests have in an engine, and which job may begin before others."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from service.scheduling.job import Entry
from service.scheduling.limits import FlowKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What clients and requests have in an engine."""

    slots: Counter[str] = field(default_factory=Counter)
    """Of each client, by name."""
    slots_of_long: Counter[str] = field(default_factory=Counter)
    """Of the long requests of each client."""
    num_jobs_of_client: Counter[str] = field(default_factory=Counter)
    """Sentences of each client, by name."""
    num_jobs: Counter[FlowKey] = field(default_factory=Counter)
    """Sentences of each request."""

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Holdings":
        """Counted over the jobs in an engine."""
        held = cls()
        for entry in entries:
            job = entry.job
            held.slots[job.client.name] += entry.num_slots
            held.slots_of_long[job.client.name] += entry.num_slots * job.request.is_long
            held.num_jobs_of_client[job.client.name] += 1
            held.num_jobs[entry.flow] += 1
        return held

    def is_urgent(self, entry: Entry) -> bool:
        """Whether the client or the request of a job has nothing inside while another has several.

        Where each has one at most, they begin in the order in which they come.
        """
        client = entry.job.client.name
        return (
            client not in self.num_jobs_of_client and _has_several(self.num_jobs_of_client)
        ) or (entry.flow not in self.num_jobs and _has_several(self.num_jobs))


def _has_several(counts: Counter[FlowKey] | Counter[str]) -> bool:
    return any(number > 1 for number in counts.values())
