"""Jobs that another process goes on with."""

import asyncio
from dataclasses import replace
from pathlib import Path

from service.documents.jobs.admission import FileJobLimits
from service.documents.jobs.file_jobs import FileJobs
from service.documents.processes.pool import DocumentLimits, DocumentPool
from service.translation.values import TranslateRequest, TranslateResult, Translation

OPTIONS = TranslateRequest(
    texts=(), source="en", target="de", beam_size=3, with_scores=False, is_bounded=False
)
TEXT = "\n\n".join(f"paragraph {n} {'x' * 900}" for n in range(40))


class Stopping:
    """Stands for the translator; takes no more than so many texts."""

    def __init__(self, max_texts: int = 1_000_000) -> None:
        self.requests: list[TranslateRequest] = []
        self._max_texts = max_texts
        self.stopped = asyncio.Event()

    @property
    def texts(self) -> list[str]:
        return [text for request in self.requests for text in request.texts if text]

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        if len(self.texts) + len(request.texts) > self._max_texts:
            self.stopped.set()
            await asyncio.Event().wait()
        self.requests.append(request)
        return TranslateResult(
            translations=tuple(Translation(text=text.upper()) for text in request.texts)
        )


def jobs_in(folder: Path, translator: Stopping) -> FileJobs:
    pool = DocumentPool(DocumentLimits())
    return FileJobs(translator.translate, FileJobLimits(), pool, folder=folder)


async def interrupted(folder: Path, *, is_awaited: bool = False) -> tuple[str, list[str]]:
    """The id of a job that its process left, and what it had translated."""
    translator = Stopping(max_texts=15)
    jobs = jobs_in(folder, translator)
    await jobs.start()
    job = await jobs.submit("a.txt", TEXT.encode(), OPTIONS, is_awaited=is_awaited)
    await translator.stopped.wait()
    await asyncio.sleep(0.1)  # what was translated is on the disk
    await jobs.close()
    return job.id, translator.texts


def test_the_next_process_translates_what_is_missing_alone(tmp_path: Path) -> None:
    async def run() -> None:
        job_id, before = await interrupted(tmp_path)
        assert 0 < len(before) <= 15
        translator = Stopping()
        jobs = jobs_in(tmp_path, translator)
        await jobs.start()
        job = await jobs.finish(job_id)
        assert (await jobs.result(job.file_name)).read_bytes() == TEXT.upper().encode()
        assert (job.num_strings, job.num_translated) == (40, 40)
        assert sorted(before + translator.texts) == sorted(TEXT.split("\n\n")), "each once"
        assert {replace(r, texts=()) for r in translator.requests} == {OPTIONS}
        await jobs.close()

    asyncio.run(run())


def test_a_job_that_a_request_waited_for_goes(tmp_path: Path) -> None:
    async def run() -> None:
        job_id, _ = await interrupted(tmp_path, is_awaited=True)
        jobs = jobs_in(tmp_path, Stopping())
        await jobs.start()
        assert not (tmp_path / job_id).exists()
        await jobs.close()

    asyncio.run(run())
