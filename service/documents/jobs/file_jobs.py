"""Background translation of files: a bounded number of jobs, removed after their lifetime."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from service.documents.jobs.admission import FileJobLimits, check_places, check_space
from service.documents.jobs.job import (
    FileJob,
    FileJobState,
    FileOptions,
    suffix_of,
    translated_name,
)
from service.documents.jobs.job_folder import JobFolder
from service.documents.jobs.job_run import DiskThread, JobRun, TakenOverError
from service.documents.jobs.job_store import JobStore
from service.documents.jobs.outcome import as_cancelled, cancellation, failure_of, reported_error
from service.documents.jobs.replicas import BEAT_S
from service.documents.jobs.survey import cancelled_ids, jobs_of_others
from service.documents.processes.pool import DocumentPool
from service.documents.shares import FairSlots
from service.documents.translation import Translate
from service.errors import NotFoundError, ServiceError, TranslationFailedError
from service.scheduling.deadline import deadline
from service.scheduling.limits import Client
from service.translation.values import TranslateRequest

Admit = Callable[[int], Awaitable[None]]
_GONE = "there is no such file: translated files are kept for a while only"
_MAX_SHOWN_CHARS = 100

_log = logging.getLogger(__name__)


class FileJobs:
    """Accepts files, translates them and stores the results; for one event loop.

    With a folder, jobs survive the process: the next one, or another replica on the same folder,
    goes on with them. Without one they end with it.
    """

    def __init__(
        self,
        translate: Translate,
        limits: FileJobLimits,
        pool: DocumentPool,
        *,
        folder: Path | None = None,
        temporary_in: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Create a store without jobs; `start` finds those in the folder.

        Args:
            translate: Translates texts.
            limits: Limits of the store.
            pool: Reads and writes documents; closed by `close`.
            folder: Where jobs are kept; None: a temporary folder, removed by `close`.
            temporary_in: Parent of a temporary folder; default: the system's.
            clock: Wall-clock time, seconds.
        """
        self._translate = translate
        self._limits = limits
        self._pool = pool
        self._clock = clock
        self._disk = DiskThread()
        self._folder = JobFolder(self._disk, folder, temporary_in)
        self._runs: dict[str, JobRun] = {}
        """Jobs of this replica, by id."""
        self._others: dict[str, FileJob] = {}
        """Jobs of other replicas, and of former processes."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._errors: dict[str, ServiceError] = {}
        self._running = FairSlots(limits.max_running)
        self._watching: asyncio.Task[None] | None = None
        self._is_closing = False

    async def start(self) -> None:
        """Go on with the jobs of processes that have died, now and from time to time."""
        if self._folder.is_kept:
            await self._folder.store()
            await self._look()
        else:
            await self._folder.remove_abandoned()
        self._watching = asyncio.create_task(self._watch())

    async def submit(
        self,
        name: str,
        data: bytes,
        options: TranslateRequest,
        *,
        columns: str = "",
        is_awaited: bool = False,
        key_digest: str = "",
        admit: Admit | None = None,
    ) -> FileJob:
        """Accept a file for translation.

        Args:
            name: File name; its suffix determines the format.
            data: Content of the file.
            options: How to translate; its texts are ignored.
            columns: Of a table, to translate: names or numbers, with commas between; empty: all.
            is_awaited: Whether the job is of no use without the request that submits it.
            key_digest: Of the key that the job is asked for with, if there is one.
            admit: Awaited once the text is known, with its characters; what it raises refuses the
                file.

        Raises:
            InvalidRequestError: The options are invalid.
            BadFileError: The file cannot be parsed, or not within the limits.
            OverloadedError: Too many jobs have not ended.
            StorageError: Stored files use up the allowed space, or the disk is full.
        """
        store = await self._folder.store()
        await self.remove_expired()
        self.check_room(options.client)
        job = replace(self._new_job(name, data, options, columns), key_digest=key_digest)
        run = JobRun(job, 1, store, self._disk, self._clock)
        self._runs[job.id] = run  # counts against the limit while the file is parsed
        try:
            async with deadline(self._limits.timeout_s, self._too_slow()):
                await self._translate(replace(options, texts=("",)))  # raises if they are invalid
                await self._disk(partial(store.create, job, data, options.glossary))
                await run.parse(self._pool)
                self._check_grown(run)
                if admit is not None:
                    await admit(run.job.num_chars)
                await run.save(is_awaited=is_awaited)
        except BaseException as error:
            del self._runs[job.id]
            await self._disk(partial(store.remove, job.id))
            if isinstance(error, Exception):
                raise reported_error(error) from None
            raise
        self._begin(run)
        return run.job

    def check_room(self, client: Client) -> None:
        """Check that there is room for another file of `client`.

        Raises:
            OverloadedError: Too many jobs have not ended.
            StorageError: Stored files use up the allowed space.
        """
        own = [run.job for run in self._runs.values()]
        check_places(self._limits, client, own)
        check_space(self._limits, client, [*own, *self._others.values()])

    def _check_grown(self, run: JobRun) -> None:
        """Check the space again where a packed file has more text than bytes.

        Raises:
            StorageError: Files that came meanwhile use up the allowed space.
        """
        if run.job.num_chars > run.job.input_bytes:
            own = [other.job for other in self._runs.values() if other is not run]
            check_space(self._limits, run.job.client, [*own, *self._others.values()])

    async def find(self, job_id: str) -> FileJob:
        """The state of a job.

        Raises:
            NotFoundError: There is no such job, or no longer.
        """
        store = await self._folder.store()
        await self.remove_expired()
        run = self._runs.get(job_id)
        job = run.job if run else await self._disk(partial(store.load, job_id))
        if job is None or self._is_expired(job):
            kept = "" if self._folder.is_kept else ", and not over a restart"
            raise NotFoundError(
                f"there is no job {job_id[:_MAX_SHOWN_CHARS]}: jobs are kept for "
                f"{self._limits.lifetime_s:g} s after their end{kept}"
            )
        is_cancelled = await self._disk(partial(store.is_cancelled, job_id))
        return as_cancelled(job) if is_cancelled else job

    async def finish(self, job_id: str) -> FileJob:
        """Wait for the end of a job of this replica; if the wait is cancelled, so is the job.

        Raises:
            ServiceError: The job failed or was cancelled.
        """
        if task := self._tasks.get(job_id):
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                await self.cancel(job_id)
                raise
        if error := self._errors.get(job_id):
            raise error
        job = await self.find(job_id)
        if job.state == "cancelled":
            raise cancellation()
        if not job.has_ended:
            raise TranslationFailedError("another process has taken the file over: send it again")
        return job

    async def cancel(self, job_id: str) -> FileJob:
        """Cancel a job that has not ended, and remove its file.

        Raises:
            NotFoundError: There is no such job.
        """
        job = await self.find(job_id)
        store = await self._folder.store()
        try:
            await self._disk(partial(store.mark_cancelled, job_id))
        except OSError:  # a full disk must not keep anyone from making room
            _log.warning("cannot mark a job as cancelled", exc_info=True)
        await self._cancel_own(job_id)
        if job.has_ended:
            await self._disk(partial(store.remove_result, job_id))
        return as_cancelled(job)

    async def result(self, file_name: str) -> Path:
        """Path of a translated file.

        Raises:
            NotFoundError: There is no such file, or no longer.
        """
        try:
            job = await self.find(file_name.partition(".")[0])
        except NotFoundError:
            raise NotFoundError(_GONE) from None
        # Only names generated here are accepted, so none can escape the folder.
        if job.file_name != file_name or job.state != "done":
            raise NotFoundError(_GONE)
        return (await self._folder.store()).result(job.id)

    async def remove_expired(self) -> None:
        """Remove jobs of this replica whose lifetime is over, with their files."""
        for job_id in [job_id for job_id, run in self._runs.items() if self._is_expired(run.job)]:
            del self._runs[job_id]
            self._errors.pop(job_id, None)
            store = await self._folder.store()
            await self._disk(partial(store.remove, job_id))

    async def close(self) -> None:
        """End all jobs here; in a folder of their own they are left to the next process."""
        self._is_closing = True
        tasks = [*self._tasks.values(), *([self._watching] if self._watching else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._pool.close()
        await self._folder.close()
        self._disk.close()

    def _new_job(self, name: str, data: bytes, options: TranslateRequest, columns: str) -> FileJob:
        job_id = uuid.uuid4().hex
        return FileJob(
            id=job_id,
            file_name=f"{job_id}.{translated_name(name, options.target)}",
            suffix=suffix_of(name),
            options=FileOptions.of(options),
            columns=columns,
            accepted_s=self._clock(),
            input_bytes=len(data),
            client=options.client,
            is_awaited=True,  # until its id is told
        )

    def _begin(self, run: JobRun) -> None:
        job_id = run.job.id
        self._tasks[job_id] = task = asyncio.create_task(self._run(run))
        task.add_done_callback(lambda _: self._tasks.pop(job_id))

    async def _run(self, run: JobRun) -> None:
        """Run a job to one of its final states."""
        remaining_s = run.job.accepted_s + self._limits.timeout_s - self._clock()
        try:
            async with (
                deadline(remaining_s, self._too_slow()),
                self._running.slot(run.job.client.name),
            ):
                size = await run.translate(self._translate, self._pool)
            await self._end(run, "done", size_bytes=size)
        except asyncio.CancelledError:
            if not (self._is_closing and self._folder.is_kept):
                await self._end(run, "cancelled", error=cancellation())
            raise
        except TakenOverError:
            _log.warning("file job taken over by another replica")
            del self._runs[run.job.id]
        except Exception as error:  # noqa: BLE001 - nothing awaits the task
            await self._end(run, "failed", error=reported_error(error))

    async def _end(
        self,
        run: JobRun,
        state: FileJobState,
        *,
        error: ServiceError | None = None,
        size_bytes: int = 0,
    ) -> None:
        store, job_id = await self._folder.store(), run.job.id
        failure = None
        if error is not None:
            self._errors[job_id] = error
            failure = failure_of(error)
            await self._disk(partial(store.remove_work, job_id))  # makes room for what follows
        try:
            await run.save(
                state=state, failure=failure, size_bytes=size_bytes, ended_s=self._clock()
            )
        except (TakenOverError, OSError):
            _log.warning("the end of a file job was not recorded", exc_info=True)
        await self._disk(partial(store.remove_work, job_id))

    async def _cancel_own(self, job_id: str) -> None:
        run, store = self._runs.get(job_id), await self._folder.store()
        if run is None:
            return
        if task := self._tasks.get(job_id):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if run.job.state != "cancelled":  # it had ended, or had not begun
            await self._end(run, "cancelled", error=cancellation())
        await self._disk(partial(store.remove_result, job_id))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self.remove_expired()
                await self._look()
            except (OSError, ServiceError):
                _log.warning("the folder of files cannot be read", exc_info=True)

    async def _look(self) -> None:
        """Remove what is over, end what was cancelled elsewhere, claim what was left behind."""
        store = self._folder.opened
        if store is None:
            return
        await self._disk(store.replica.beat)
        others = await self._disk(
            partial(jobs_of_others, store, {**self._others}, {*self._runs}, self._is_expired)
        )
        self._others = {job.id: job for job in others if job.id not in self._runs}
        for job_id in await self._disk(partial(cancelled_ids, store, [*self._tasks])):
            await self._cancel_own(job_id)
        unfinished = [job for job in self._others.values() if not job.has_ended]
        for job in sorted(unfinished, key=lambda job: job.accepted_s):
            await self._claim(store, job)

    async def _claim(self, store: JobStore, job: FileJob) -> None:
        """Go on with a job whose owner has died, if there is a place for it."""
        if len(self._tasks) >= self._limits.max_jobs:
            return
        number = await self._disk(partial(store.claim, job))
        if number is None:
            return
        self._others.pop(job.id, None)
        if job.is_awaited:
            await self._disk(partial(store.remove, job.id))
            return
        run = JobRun(replace(job, state="waiting"), number, store, self._disk, self._clock)
        self._runs[job.id] = run
        if await self._disk(partial(store.is_cancelled, job.id)):
            await self._cancel_own(job.id)
        else:
            _log.info("file job resumed", extra={"strings": job.num_strings})
            self._begin(run)

    def _is_expired(self, job: FileJob) -> bool:
        return job.ended_s is not None and job.ended_s + self._limits.lifetime_s <= self._clock()

    def _too_slow(self) -> str:
        return f"the file was not translated within {self._limits.timeout_s:g} s: send it in parts"
