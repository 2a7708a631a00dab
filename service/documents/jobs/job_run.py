"""One file job at work: the file is parsed, its strings translated, and the result written."""

import asyncio
from array import array
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import compress
from typing import TypeVar

from service.documents.jobs.job import FileJob
from service.documents.jobs.job_store import JobStore
from service.documents.processes.pool import DocumentPool
from service.documents.processes.strings_file import (
    read_strings,
    read_translations,
    translations_line,
)
from service.documents.translation import Translate, sample_of, translate_strings
from service.errors import ServiceError, TranslationFailedError

Result = TypeVar("Result")
_SAVE_EVERY_S = 1.0
"""How old the progress may be that other replicas report."""
_GIVEN_UP = (
    "the server ended several times while it translated this file; split the file, or ask the "
    "operator"
)


class TakenOverError(Exception):
    """Another replica has claimed the job, because this one seemed dead."""


class InputGoneError(ServiceError):
    """The file of a job is not there any more."""

    status = TranslationFailedError.status
    code = TranslationFailedError.code


class DiskThread:
    """Calls what uses the disk in one thread, in the order of the calls; for one event loop."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="pellucid-files")

    async def __call__(self, function: Callable[[], Result]) -> Result:
        """What the function returns."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    def close(self) -> None:
        """Take no further calls."""
        self._executor.shutdown(wait=False)


class JobRun:
    """A job that belongs to this replica."""

    def __init__(
        self,
        job: FileJob,
        number: int,
        store: JobStore,
        disk: DiskThread,
        clock: Callable[[], float],
    ) -> None:
        """Take a job over.

        Args:
            job: The job.
            number: How many owners it has had, this one included.
            store: Where it is kept.
            disk: Where the store is called.
            clock: Wall-clock time, seconds.
        """
        self.job = job
        self._number = number
        self._store = store
        self._disk = disk
        self._clock = clock
        self._saved_s = clock()
        self._sizes = array("Q")
        """Characters of each string."""

    async def parse(self, pool: DocumentPool) -> None:
        """Find the strings of the file.

        Raises:
            DocumentError: The file cannot be parsed.
            DocumentProcessError: The process that parses it failed.
            OSError: There is no room for the strings.
        """
        job, store = self.job, self._store
        size = await pool.read(
            job.document_name,
            store.input(job.id),
            store.strings(job.id),
            job.client.name,
            job.columns,
        )
        self.job = replace(self.job, num_strings=size.num_strings, num_chars=size.num_chars)

    async def translate(self, translate: Translate, pool: DocumentPool) -> int:
        """Translate what is not translated yet; returns the size of the translated file.

        Raises:
            ServiceError: A string cannot be translated.
            TakenOverError: The job belongs to another replica.
        """
        job, store = self.job, self._store
        if not await self._disk(self._is_parsed):
            await self.parse(pool)
        await self.save(state="running")
        done, beginning = await self._disk(self._done)
        glossary = await self._disk(lambda: store.glossary(job.id))
        await translate_strings(
            read_strings(store.strings(job.id), done),
            replace(job.options.request(job.client), glossary=glossary),
            translate,
            beginning,
            on_batch=self._keep,
            call=self._disk,
        )
        translations = await self._disk(lambda: store.translations(job.id))
        return await pool.write(
            job.document_name,
            store.input(job.id),
            translations,
            store.result(job.id),
            job.client.name,
            job.options.target,
            job.columns,
        )

    async def save(self, **changes: object) -> None:
        """Change the job, here and on the disk.

        Raises:
            TakenOverError: The job belongs to another replica.
            OSError: There is no room, or the folder is gone.
        """
        job = self.job = replace(self.job, **changes)  # type: ignore[arg-type]
        self._saved_s = self._clock()
        if not await self._disk(lambda: self._store.save(job, self._number)):
            raise TakenOverError

    def _is_parsed(self) -> bool:
        job, store = self.job, self._store
        if not store.input(job.id).exists():
            raise InputGoneError("the file is not there any more: send it again")
        if store.is_given_up(job.id):
            raise TranslationFailedError(_GIVEN_UP)
        store.append(job.id, self._number, b"")
        return bool(job.num_strings) and store.strings(job.id).exists()

    def _done(self) -> tuple[bytearray, str]:
        """1 at the index of each translated string; the beginning of the document."""
        job, store = self.job, self._store
        done = bytearray(job.num_strings)
        for index, _ in read_translations(store.translations(job.id)):
            done[index] = 1
        self._sizes = array("Q", (len(each.text) for each in read_strings(store.strings(job.id))))
        self.job = replace(
            job,
            num_translated=sum(done),
            num_chars=sum(self._sizes),
            num_translated_chars=sum(compress(self._sizes, done)),
        )
        return done, sample_of(read_strings(store.strings(job.id)))

    async def _keep(self, new: Mapping[int, str]) -> None:
        job_id, line = self.job.id, translations_line(new)
        await self._disk(lambda: self._store.append(job_id, self._number, line))
        num_chars = sum(self._sizes[index] for index in new)
        self.job = replace(
            self.job,
            num_translated=self.job.num_translated + len(new),
            num_translated_chars=self.job.num_translated_chars + num_chars,
        )
        if self._clock() - self._saved_s >= _SAVE_EVERY_S:
            await self.save()
