"""What lies in folders of jobs beside the jobs of this process. Blocks: called in a thread."""

import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from service.documents.jobs.job import FileJob
from service.documents.jobs.job_store import JobStore
from service.documents.jobs.replicas import is_abandoned

TEMPORARY = "pellucid-files-"
"""Beginning of the name of a temporary folder."""
_HALF_MADE_S = 3_600.0
"""Age at which a folder that is no job was left behind."""


def jobs_of_others(
    store: JobStore,
    known: Mapping[str, FileJob],
    own: Collection[str],
    is_expired: Callable[[FileJob], bool],
) -> list[FileJob]:
    """The jobs of other processes; those whose lifetime is over, and what is no job, are removed.

    Args:
        store: Where to look.
        known: What was found before: jobs that have ended are not read again.
        own: Ids of the jobs of this process.
        is_expired: Whether the lifetime of a job is over.
    """
    found = []
    for job_id in store.ids():
        if job_id in own:
            continue
        former = known.get(job_id)
        job = former if former and former.has_ended else store.load(job_id)
        if job is not None and is_expired(job):
            store.remove(job_id)
        elif job is not None:
            found.append(job)
    store.remove_older(time.time() - _HALF_MADE_S)
    store.replica.remove_dead()
    return found


def cancelled_ids(store: JobStore, job_ids: Iterable[str]) -> list[str]:
    """Those of these jobs that were cancelled."""
    return [job_id for job_id in job_ids if store.is_cancelled(job_id)]


def remove_abandoned(parent: Path) -> None:
    """Remove the temporary folders of processes that were killed."""
    for folder in parent.glob(f"{TEMPORARY}*"):
        if is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
