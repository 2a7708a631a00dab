"""Whether there is room for another file: places and bytes, and each client's share of them."""

from collections.abc import Collection
from dataclasses import dataclass

from service.documents.jobs.job import FileJob
from service.documents.shares import share_of
from service.errors import OverloadedError, StorageError
from service.scheduling.limits import Client

_RETRY_AFTER_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileJobLimits:
    """Limits of the jobs of a replica; of each, a client may have half of what others leave."""

    max_jobs: int = 16
    """Jobs that have not ended."""
    max_running: int = 4
    """Jobs in translation; others wait."""
    max_stored_bytes: int = 268_435_456
    """Files of all jobs in the folder."""
    lifetime_s: float = 3_600.0
    """Time for which an ended job is kept."""
    timeout_s: float = 3_600.0
    """Time for translating a file, from its upload."""


def check_places(limits: FileJobLimits, client: Client, jobs: Collection[FileJob]) -> None:
    """Check that a client may have another job beside those of the replica.

    Raises:
        OverloadedError: Too many jobs have not ended.
    """
    active = [job for job in jobs if not job.has_ended]
    own = sum(job.client.name == client.name for job in active)
    share = share_of(limits.max_jobs, len(active) - own, client.name)
    if len(active) >= limits.max_jobs or own >= share:
        raise OverloadedError(
            f"Slowdown: {len(active)} files are being translated, {own} of them yours, "
            "which is the limit",
            retry_after_s=_RETRY_AFTER_S,
        )


def check_space(limits: FileJobLimits, client: Client, jobs: Collection[FileJob]) -> None:
    """Check that a client may store another file beside those of the folder.

    Raises:
        StorageError: Stored files use up the allowed space.
    """
    stored = sum(job.stored_bytes for job in jobs)
    own = sum(job.stored_bytes for job in jobs if job.client.name == client.name)
    share = share_of(limits.max_stored_bytes, stored - own, client.name)
    if stored >= limits.max_stored_bytes or (own and own >= share):
        raise StorageError(
            f"{stored} bytes of files are kept, {own} of them yours, which is the limit: "
            "remove some with DELETE /jobs/{id}, or try again later"
        )
