"""How much may wait: of everybody together, and of one client."""

from dataclasses import dataclass

from service.client import NOBODY, Client


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """Bounds of the queue.

    Unless it is said, a client may have half of what others leave: one alone half of everything,
    two a third each, n of them 1 / (n + 1). So there is always room for one who comes new.
    """

    max_queued_jobs: int = 1024
    """Sentences that may wait."""
    max_queued_tokens: int = 65536
    """Source tokens that may wait."""
    max_queued_jobs_per_client: int | None = None
    """Sentences of one client that may wait; None: half of what others leave."""
    max_queued_tokens_per_client: int | None = None
    """Source tokens of one client that may wait; None: half of what others leave."""

    def max_jobs_of(self, client: Client, num_of_others: int = 0) -> int:
        """Sentences of `client` that may wait beside those of others."""
        if client.name == NOBODY.name:
            return self.max_queued_jobs
        own = client.max_queued_jobs or self.max_queued_jobs_per_client
        return own or (self.max_queued_jobs - num_of_others) // 2

    def max_tokens_of(self, client: Client, num_of_others: int = 0) -> int:
        """Source tokens of `client` that may wait beside those of others."""
        if client.name == NOBODY.name:
            return self.max_queued_tokens
        own = self.max_queued_tokens_per_client
        return own or (self.max_queued_tokens - num_of_others) // 2
