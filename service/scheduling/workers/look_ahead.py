"""How much an engine gets beside the sentences that have slots, to encode ahead."""

from dataclasses import dataclass, replace

from service.scheduling.batching_policy import BatchCapacity
from service.scheduling.queue import Contention
from service.scheduling.workers.holdings import Holdings


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAhead:
    """What an engine gets beside the sentences that have slots, to encode ahead."""

    num_jobs: int = 64
    num_tokens: int = 1024
    num_jobs_contested: int = 8
    """While several clients ask, or short requests beside long ones: what is ahead is ahead of
    them too."""
    num_tokens_contested: int = 256

    def room(self, num_ahead: int) -> BatchCapacity:
        """Room for jobs while nothing is contested.

        Args:
            num_ahead: Slots that the jobs inside need beyond those there are; negative: so many
                are free.
        """
        return BatchCapacity(
            free_slots=max(0, -num_ahead),
            max_prefilled=max(0, self.num_jobs - max(0, num_ahead)),
            max_tokens=self.num_tokens,
        )

    def shared_room(
        self,
        num_ahead: int,
        contention: Contention,
        held: Holdings,
        *,
        max_slots: int,
        num_urgent: int,
    ) -> BatchCapacity:
        """Room while clients, or short and long requests, ask at the same time.

        Args:
            num_ahead: As for `room`.
            contention: Who asks at the same time.
            held: What each client has inside.
            max_slots: Of a client, and of the long requests of one.
            num_urgent: Jobs inside that began before others.
        """
        shared = replace(
            self.room(num_ahead),
            max_prefilled=max(0, self.num_jobs_contested - max(0, num_ahead)),
            max_tokens=self.num_tokens_contested,
            max_slots_per_client=max_slots if contention.of_clients else None,
            slots_in_use=held.slots,
            max_slots_of_long=max_slots if contention.of_requests else None,
            slots_of_long_in_use=held.slots_of_long,
        )
        if shared.free_slots or shared.max_prefilled:
            return shared
        # More is encoded ahead than may be now: a request that has nothing inside still finds room.
        num_newcomers = max(0, self.num_jobs_contested - num_urgent)
        return replace(shared, max_prefilled=num_newcomers, held_back=held.num_jobs.keys())
