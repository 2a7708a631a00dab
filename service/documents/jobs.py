"""Background translation of files: a bounded number of jobs, removed after their lifetime."""

import asyncio
import errno
import logging
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Literal

from service.documents.document import Document
from service.documents.errors import DocumentError
from service.documents.formats import read_document
from service.documents.translation import Translate, translate_document
from service.errors import (
    BadFileError,
    NotFoundError,
    OverloadedError,
    ServiceError,
    StorageError,
    TranslationFailedError,
)
from service.scheduling.deadline import deadline
from service.translation.values import TranslateRequest

FileJobState = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED: frozenset[FileJobState] = frozenset({"done", "failed", "cancelled"})
_MIN_JOB_BYTES = 4_096
"""Counted at least per job: its record, and one block of the disk."""
_RETRY_AFTER_S = 10.0
_MAX_NAME_CHARS = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileJob:
    """The state of a job at one moment."""

    id: str
    file_name: str
    """Public name of the translated file: `<id>.<its own name>`."""
    state: FileJobState = "waiting"
    num_strings: int = 0
    num_translated: int = 0
    error: ServiceError | None = None
    """Why the job failed."""
    ended_s: float | None = None
    """By the clock of the store."""
    size_bytes: int = 0
    """Size of the translated file."""

    @property
    def has_ended(self) -> bool:
        """Whether the state is final."""
        return self.state in ENDED

    @property
    def progress(self) -> float:
        """From 0 to 1; 1 only if the translated file exists."""
        if self.state == "done":
            return 1.0
        return min(self.num_translated / self.num_strings, 0.999) if self.num_strings else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileJobLimits:
    """Limits of a store."""

    max_jobs: int = 16
    """Jobs that have not ended."""
    max_running: int = 2
    """Jobs in translation; others wait."""
    max_stored_bytes: int = 268_435_456
    """Total size of translated files."""
    lifetime_s: float = 3_600.0
    """Time for which an ended job is kept."""
    timeout_s: float = 3_600.0
    """Time for translating a file."""


class FileJobs:
    """Accepts files, translates them and stores the results; for one event loop."""

    def __init__(
        self,
        translate: Translate,
        limits: FileJobLimits,
        *,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create an empty store; its folder is created with the first result.

        Args:
            translate: Translates texts.
            limits: Limits of the store.
            folder: Parent of the store's folder; default: the system's temporary folder.
            clock: Monotonic, seconds.
        """
        self._translate = translate
        self._limits = limits
        self._parent = folder
        self._clock = clock
        self._folder: Path | None = None
        self._jobs: dict[str, FileJob] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running = asyncio.Semaphore(limits.max_running)

    async def submit(self, name: str, data: bytes, options: TranslateRequest) -> FileJob:
        """Accept a file for translation.

        Args:
            name: File name; its suffix determines the format.
            data: Content of the file.
            options: How to translate; its texts are ignored.

        Raises:
            InvalidRequestError: The options are invalid.
            BadFileError: The file cannot be parsed.
            OverloadedError: Too many jobs have not ended.
            StorageError: Stored results use up the allowed space.
        """
        self.remove_expired()
        self._check_room()
        job_id = uuid.uuid4().hex
        job = FileJob(id=job_id, file_name=f"{job_id}.{_translated_name(name, options.target)}")
        self._jobs[job_id] = job  # counts against the limit while the file is parsed
        try:
            await self._translate(replace(options, texts=("",)))  # raises if options are invalid
            document = await asyncio.to_thread(read_document, name, data)
        except BaseException as error:
            del self._jobs[job_id]
            if isinstance(error, DocumentError):
                raise BadFileError(f"Invalid request: {error}") from None
            raise
        task = asyncio.create_task(self._run(job_id, document, options))
        self._tasks[job_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job_id))
        return self._update(job_id, num_strings=len(document.strings))

    def find(self, job_id: str) -> FileJob:
        """The state of a job.

        Raises:
            NotFoundError: There is no such job, or no longer.
        """
        self.remove_expired()
        if job_id not in self._jobs:
            raise NotFoundError(
                f"there is no job {job_id[:_MAX_NAME_CHARS]}: jobs are kept for "
                f"{self._limits.lifetime_s:g} s after their end, and not over a restart"
            )
        return self._jobs[job_id]

    async def finish(self, job_id: str) -> FileJob:
        """Wait for the end of a job; if the wait is cancelled, so is the job.

        Raises:
            ServiceError: The job failed or was cancelled.
        """
        if task := self._tasks.get(job_id):
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                await self.cancel(job_id)
                raise
        job = self.find(job_id)
        if job.error is not None:
            raise job.error
        return job

    async def cancel(self, job_id: str) -> FileJob:
        """Cancel a job that has not ended, and remove its file.

        Raises:
            NotFoundError: There is no such job.
        """
        job = self.find(job_id)
        if task := self._tasks.get(job_id):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if not self._jobs[job_id].has_ended:  # cancelled before its first step
            self._end(job_id, "cancelled", error=_cancelled())
        self._path(job).unlink(missing_ok=True)
        return self._update(job_id, state="cancelled", error=_cancelled(), size_bytes=0)

    def result(self, file_name: str) -> Path:
        """Path of a translated file.

        Raises:
            NotFoundError: There is no such file, or no longer.
        """
        self.remove_expired()
        job = self._jobs.get(file_name.partition(".")[0])
        # Only names generated here are accepted, so none can escape the folder.
        if job is None or job.file_name != file_name or job.state != "done":
            raise NotFoundError("there is no such file: translated files are kept for a while only")
        return self._path(job)

    def remove_expired(self) -> None:
        """Remove jobs whose lifetime is over, with their files."""
        oldest_s = self._clock() - self._limits.lifetime_s
        for job in [*self._jobs.values()]:
            if job.ended_s is not None and job.ended_s <= oldest_s:
                self._path(job).unlink(missing_ok=True)
                del self._jobs[job.id]

    async def close(self) -> None:
        """Cancel all jobs and remove all files."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _check_room(self) -> None:
        unfinished = sum(not job.has_ended for job in self._jobs.values())
        if unfinished >= self._limits.max_jobs:
            raise OverloadedError(
                f"Slowdown: {unfinished} files are being translated, which is the limit",
                retry_after_s=_RETRY_AFTER_S,
            )
        stored = sum(max(job.size_bytes, _MIN_JOB_BYTES) for job in self._jobs.values())
        if stored >= self._limits.max_stored_bytes:
            raise StorageError(
                f"{stored} bytes of translated files are kept, which is the limit: remove some "
                "with DELETE /jobs/{id}, or try again later"
            )

    async def _run(self, job_id: str, document: Document, options: TranslateRequest) -> None:
        """Run a job to one of its final states."""
        try:
            async with self._running, deadline(self._limits.timeout_s, self._too_slow()):
                self._update(job_id, state="running")
                data = await translate_document(
                    document,
                    options,
                    self._translate,
                    on_batch=lambda new: self._progress(job_id, new),
                )
                await asyncio.to_thread(self._write, self._jobs[job_id], data)
            self._end(job_id, "done", size_bytes=len(data))
        except asyncio.CancelledError:
            self._end(job_id, "cancelled", error=_cancelled())
            raise
        except Exception as error:  # noqa: BLE001 - nothing awaits the task
            self._end(job_id, "failed", error=self._error_of(error))

    def _too_slow(self) -> str:
        return f"the file was not translated within {self._limits.timeout_s:g} s: send it in parts"

    def _error_of(self, error: Exception) -> ServiceError:
        """The error to report for a failed job."""
        if isinstance(error, ServiceError):
            return error
        _log.error("file job failed", exc_info=error)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return StorageError("the disk is full: try again later")
        if isinstance(error, OSError):
            return StorageError("the translated file could not be written")
        return TranslationFailedError("the server failed on this file; its log has the reason")

    def _write(self, job: FileJob, data: bytes) -> None:
        path = self._path(job)
        try:
            path.write_bytes(data)
        except OSError:
            path.unlink(missing_ok=True)
            raise

    def _path(self, job: FileJob) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="pellucid-", dir=self._parent))
        return self._folder / job.id

    def _progress(self, job_id: str, new: Mapping[int, str]) -> None:
        done = self._jobs[job_id].num_translated
        self._update(job_id, num_translated=done + len(new))

    def _end(
        self,
        job_id: str,
        state: FileJobState,
        *,
        error: ServiceError | None = None,
        size_bytes: int = 0,
    ) -> None:
        self._update(job_id, state=state, error=error, size_bytes=size_bytes, ended_s=self._clock())
        # Every request removes expired jobs too, but there may be none.
        asyncio.get_running_loop().call_later(self._limits.lifetime_s + 1, self.remove_expired)

    def _update(self, job_id: str, **changes: object) -> FileJob:
        self._jobs[job_id] = replace(self._jobs[job_id], **changes)  # type: ignore[arg-type]
        return self._jobs[job_id]


def _cancelled() -> ServiceError:
    return NotFoundError("the job was cancelled")


def _translated_name(name: str, target: str) -> str:
    """`book_de.txt` for `book.txt`; safe as a file name and in a header."""
    path = PurePath(name.replace("\\", "/"))
    stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in path.stem)[:_MAX_NAME_CHARS]
    return f"{stem.strip('.') or 'file'}_{target}{path.suffix.lower()}"
