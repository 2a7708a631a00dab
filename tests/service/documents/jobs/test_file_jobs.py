"""Files that are translated in the background, by real processes that read and write them."""

import asyncio
import errno
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from service.documents.jobs.admission import FileJobLimits
from service.documents.jobs.file_jobs import FileJobs
from service.documents.jobs.job import FileJob
from service.documents.processes.pool import DocumentLimits, DocumentPool
from service.errors import (
    BadFileError,
    DeadlineExceededError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    ServiceError,
    StorageError,
    TranslationFailedError,
    UnsupportedLanguageError,
)
from service.translation.values import TranslateRequest, TranslateResult, Translation
from tests.service.documents.readers.office.large import docx_of_pages
from tests.service.tiny_models import FakeClock

OPTIONS = TranslateRequest(texts=(), source="en", target="de")


class Held:
    """Stands for the translator; holds back everything but the first look at the options."""

    def __init__(self, *, error: Exception | None = None, is_held: bool = False) -> None:
        self.error = error
        self.running = 0
        self.released = asyncio.Event()
        if not is_held:
            self.released.set()

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        if request.texts != ("",):
            self.running += 1
            try:
                await self.released.wait()
            finally:
                self.running -= 1
            if self.error:
                raise self.error
        return TranslateResult(
            translations=tuple(Translation(text=text.upper()) for text in request.texts)
        )


def _with(
    folder: Path,
    test: Callable[[FileJobs], Awaitable[None]],
    translator: Held,
    *,
    clock: FakeClock | None = None,
    limits: FileJobLimits | None = None,
) -> None:
    """Run `test` with a store; afterwards none of its files may be left."""

    async def run() -> None:
        jobs = FileJobs(
            translator.translate,
            limits or FileJobLimits(),
            DocumentPool(DocumentLimits()),
            temporary_in=folder,
            clock=clock or FakeClock(),
        )
        try:
            await test(jobs)
        finally:
            await jobs.close()

    asyncio.run(run())
    assert list(folder.iterdir()) == []


async def _until(is_so: Callable[[], bool]) -> None:
    for _ in range(60_000):
        if is_so():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came to that")


def test_a_file_is_translated_and_kept(tmp_path: Path) -> None:
    async def test(jobs: FileJobs) -> None:
        job = await jobs.submit("my book.txt", b"one\n\ntwo", OPTIONS)
        assert (job.num_strings, job.has_ended, job.progress) == (2, False, 0.0)
        done = await jobs.finish(job.id)
        assert (done.state, done.progress, done.num_translated) == ("done", 1.0, 2)
        assert done.file_name == f"{job.id}.my_book_de.txt"
        assert (await jobs.result(done.file_name)).read_bytes() == b"ONE\n\nTWO"

    _with(tmp_path, test, Held())


def test_progress_is_seen(tmp_path: Path) -> None:
    translator = Held(is_held=True)

    async def test(jobs: FileJobs) -> None:
        job = await jobs.submit("a.txt", (b"x" * 1_500 + b"\n\n") * 9, OPTIONS)
        await _until(lambda: translator.running == 4)
        assert (await jobs.find(job.id)).state == "running"
        translator.released.set()
        seen = []
        while not (await jobs.find(job.id)).has_ended:
            seen.append((await jobs.find(job.id)).progress)
            await asyncio.sleep(0)
        assert seen == sorted(seen)
        assert any(0 < progress < 1 for progress in seen)

    _with(tmp_path, test, translator)


def test_only_so_many_run_and_wait(tmp_path: Path) -> None:
    translator = Held(is_held=True)

    async def test(jobs: FileJobs) -> None:
        accepted = [await jobs.submit("a.txt", b"x", OPTIONS) for _ in range(3)]
        await _until(lambda: translator.running == 1)
        states = [(await jobs.find(job.id)).state for job in accepted]
        assert states == ["running", "waiting", "waiting"]
        with pytest.raises(OverloadedError, match="Slowdown: 3 files"):
            await jobs.submit("a.txt", b"x", OPTIONS)
        await jobs.cancel(accepted[2].id)
        await jobs.submit("a.txt", b"x", OPTIONS)
        translator.released.set()
        assert (await jobs.finish(accepted[1].id)).state == "done"

    _with(tmp_path, test, translator, limits=FileJobLimits(max_jobs=3, max_running=1))


def test_files_go_when_their_time_is_over(tmp_path: Path) -> None:
    clock = FakeClock()

    async def test(jobs: FileJobs) -> None:
        job = await jobs.finish((await jobs.submit("a.txt", b"x", OPTIONS)).id)
        path = await jobs.result(job.file_name)
        clock.now_s += 99
        assert (await jobs.result(job.file_name)) == path
        clock.now_s += 1
        for asked in (jobs.result(job.file_name), jobs.find(job.id)):
            with pytest.raises(NotFoundError):
                await asked
        assert not path.exists()

    _with(tmp_path, test, Held(), clock=clock, limits=FileJobLimits(lifetime_s=100))


def test_only_so_much_is_stored(tmp_path: Path) -> None:
    async def test(jobs: FileJobs) -> None:
        first = await jobs.finish((await jobs.submit("a.txt", b"x" * 9_000, OPTIONS)).id)
        with pytest.raises(StorageError, match="DELETE"):
            await jobs.submit("a.txt", b"x", OPTIONS)
        path = await jobs.result(first.file_name)
        await jobs.cancel(first.id)
        assert not path.exists()
        await jobs.submit("a.txt", b"x", OPTIONS)

    _with(tmp_path, test, Held(), limits=FileJobLimits(max_stored_bytes=9_000))


def test_a_packed_file_counts_by_its_text_once_that_is_known(tmp_path: Path) -> None:
    packed, told = docx_of_pages(30), []

    async def admit(num_chars: int) -> None:
        told.append(num_chars)

    async def refuse(num_chars: int) -> None:
        raise QuotaExceededError(f"{num_chars} characters")

    async def test(jobs: FileJobs) -> None:
        with pytest.raises(QuotaExceededError):
            await jobs.submit("a.docx", packed, OPTIONS, admit=refuse)
        found = await asyncio.gather(
            *(jobs.submit("a.docx", packed, OPTIONS, admit=admit) for _ in range(2)),
            return_exceptions=True,
        )
        refused = [each for each in found if isinstance(each, StorageError)]
        (job,) = (each for each in found if isinstance(each, FileJob))
        assert len(refused) == 1  # both had room while their bytes alone were known
        assert told == [job.num_chars]
        assert job.num_chars > 2 * len(packed)
        assert job.stored_bytes == 2 * (len(packed) + job.num_chars)

    limits = FileJobLimits(max_stored_bytes=5 * len(packed))
    _with(tmp_path, test, Held(is_held=True), limits=limits)


def test_a_cancelled_job_stops_its_sentences(tmp_path: Path) -> None:
    translator = Held(is_held=True)

    async def test(jobs: FileJobs) -> None:
        job = await jobs.submit("a.txt", b"x", OPTIONS)
        await _until(lambda: translator.running == 1)
        assert (await jobs.cancel(job.id)).state == "cancelled"
        assert translator.running == 0
        with pytest.raises(NotFoundError):
            (await jobs.result(job.file_name))
        with pytest.raises(NotFoundError):
            await jobs.finish(job.id)

    _with(tmp_path, test, translator)


def test_cancelled_wait_cancels_the_job(tmp_path: Path) -> None:
    translator = Held(is_held=True)

    async def test(jobs: FileJobs) -> None:
        job = await jobs.submit("a.txt", b"x", OPTIONS)
        waiting = asyncio.create_task(jobs.finish(job.id))
        await _until(lambda: translator.running == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await jobs.find(job.id)).state == "cancelled"
        assert translator.running == 0

    _with(tmp_path, test, translator)


def test_waiter_gets_an_error_when_the_job_is_cancelled(tmp_path: Path) -> None:
    translator = Held(is_held=True)

    async def test(jobs: FileJobs) -> None:
        job = await jobs.submit("a.txt", b"x", OPTIONS)
        waiting = asyncio.create_task(jobs.finish(job.id))
        await asyncio.sleep(0)
        await jobs.cancel(job.id)
        with pytest.raises(NotFoundError, match="cancelled"):
            await waiting

    _with(tmp_path, test, translator)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TranslationFailedError("poisoned"), TranslationFailedError),
        (OSError(errno.ENOSPC, "full"), StorageError),
        (OSError(errno.EACCES, "not yours"), StorageError),
        (RuntimeError("secret text"), TranslationFailedError),
    ],
)
def test_failures_are_kept_and_told(
    tmp_path: Path, error: Exception, told: type[ServiceError]
) -> None:
    async def test(jobs: FileJobs) -> None:
        job = await jobs.submit("a.txt", b"x", OPTIONS)
        with pytest.raises(told) as raised:
            await jobs.finish(job.id)
        assert "secret" not in str(raised.value)
        assert (await jobs.find(job.id)).state == "failed"

    _with(tmp_path, test, Held(error=error))


def test_a_file_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    async def test(jobs: FileJobs) -> None:
        job = await jobs.finish((await jobs.submit("a.txt", b"x", OPTIONS)).id)
        folder = (await jobs.result(job.file_name)).parent.parent
        hidden = folder.with_name("gone")
        folder.rename(hidden)
        with pytest.raises(StorageError):
            await jobs.submit("a.txt", b"x", OPTIONS)
        hidden.rename(folder)
        assert (await jobs.finish((await jobs.submit("a.txt", b"x", OPTIONS)).id)).state == "done"

    _with(tmp_path, test, Held())


def _remove(folder: Path, job_id: str) -> None:
    (found,) = folder.glob(f"*/{job_id}")
    shutil.rmtree(found)


def test_a_result_that_cannot_be_written_fails_its_job_alone(tmp_path: Path) -> None:
    translator = Held(is_held=True)

    async def test(jobs: FileJobs) -> None:
        failing = await jobs.submit("a.txt", b"x", OPTIONS)
        await _until(lambda: translator.running == 1)
        _remove(tmp_path, failing.id)
        translator.released.set()
        with pytest.raises(StorageError):
            await jobs.finish(failing.id)
        assert (await jobs.finish((await jobs.submit("a.txt", b"x", OPTIONS)).id)).state == "done"

    _with(tmp_path, test, translator)


def test_a_file_that_takes_too_long_to_read_is_refused(tmp_path: Path) -> None:
    async def test(jobs: FileJobs) -> None:
        with pytest.raises(DeadlineExceededError, match="in parts"):
            await jobs.submit("a.txt", b"x", OPTIONS)

    _with(tmp_path, test, Held(), limits=FileJobLimits(timeout_s=0.001))


def test_the_time_of_a_job_begins_with_its_upload(tmp_path: Path) -> None:
    clock = FakeClock()

    async def test(jobs: FileJobs) -> None:
        job = await jobs.submit("a.txt", b"x", OPTIONS)
        clock.now_s += 99.999  # it has not begun, and has no more than the rest
        with pytest.raises(DeadlineExceededError, match="within 100 s: send it in parts"):
            await jobs.finish(job.id)

    translator = Held(is_held=True)
    _with(tmp_path, test, translator, clock=clock, limits=FileJobLimits(timeout_s=100))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.doc", b"x", "Invalid request: file format not supported"),
        ("a.json", b"{", "Invalid request: it is not valid JSON"),
        ("a.txt", b"\0\0\1", "NUL"),
    ],
)
def test_bad_files_are_refused_at_once(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    async def test(jobs: FileJobs) -> None:
        for _ in range(3):  # a refused file takes no place
            with pytest.raises(BadFileError, match=message):
                await jobs.submit(name, data, OPTIONS)

    _with(tmp_path, test, Held(), limits=FileJobLimits(max_jobs=1))


def test_bad_options_are_refused_at_once(tmp_path: Path) -> None:
    class Refusing(Held):
        async def translate(self, request: TranslateRequest) -> TranslateResult:
            raise UnsupportedLanguageError(f"{request.target} is not supported")

    async def test(jobs: FileJobs) -> None:
        with pytest.raises(UnsupportedLanguageError):
            await jobs.submit("a.txt", b"x", OPTIONS)

    _with(tmp_path, test, Refusing())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd.txt", "passwd_de.txt"),
        ("C:\\docs\\a.TXT", "a_de.txt"),
        ('a"; b\r\n.txt', "a___b___de.txt"),
        (".txt.txt", "txt_de.txt"),
        ("ünï.txt", "ünï_de.txt"),
        ("x" * 300 + ".txt", "x" * 100 + "_de.txt"),
    ],
)
def test_names_lead_nowhere(tmp_path: Path, name: str, expected: str) -> None:
    async def test(jobs: FileJobs) -> None:
        job = await jobs.submit(name, b"x", OPTIONS)
        assert job.file_name == f"{job.id}.{expected}"

    _with(tmp_path, test, Held())


def test_only_given_names_are_looked_for(tmp_path: Path) -> None:
    async def test(jobs: FileJobs) -> None:
        job = await jobs.finish((await jobs.submit("a.txt", b"x", OPTIONS)).id)
        for name in ("", ".", "..", job.id, f"{job.id}.", f"{job.id}.b_de.txt", "../x", "x\0"):
            with pytest.raises(NotFoundError):
                await jobs.result(name)

    _with(tmp_path, test, Held())


def test_the_end_of_the_service_is_the_end_of_its_jobs(tmp_path: Path) -> None:
    translator = Held(is_held=True)

    async def test(jobs: FileJobs) -> None:
        for _ in range(4):
            await jobs.submit("a.txt", b"x", OPTIONS)
        await _until(lambda: translator.running == 4)

    _with(tmp_path, test, translator)
    assert translator.running == 0
