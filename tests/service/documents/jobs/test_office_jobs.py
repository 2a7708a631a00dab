"""Office documents of 300 pages as jobs."""

import asyncio
from pathlib import Path

import pytest

from service.documents.jobs.admission import FileJobLimits
from service.documents.jobs.file_jobs import FileJobs
from service.documents.jobs.job import FileJob
from service.documents.processes.pool import DocumentLimits, DocumentPool
from service.translation.values import TranslateRequest, TranslateResult, Translation
from tests.service.documents.readers.office.large import docx_of_pages
from tests.service.tiny_models import FakeClock

OPTIONS = TranslateRequest(texts=(), source="en", target="de")


@pytest.mark.slow
def test_progress_is_the_share_of_the_text_that_is_translated(tmp_path: Path) -> None:
    """Half of the strings are prose of 500 characters, the others cells of ten."""
    num_chars: list[int] = []
    seen: dict[int, float] = {}

    async def run() -> None:
        job: FileJob | None = None

        async def translate(request: TranslateRequest) -> TranslateResult:
            # Looked at here: in a loop of its own it would ask all the while the file is read.
            if job:
                seen[len(num_chars)] = (await jobs.find(job.id)).progress
            num_chars.append(sum(map(len, request.texts)))
            translations = tuple(Translation(text=text) for text in request.texts)
            return TranslateResult(translations=translations)

        pool = DocumentPool(DocumentLimits())
        jobs = FileJobs(translate, FileJobLimits(), pool, temporary_in=tmp_path, clock=FakeClock())
        try:
            job = await jobs.submit("a.docx", docx_of_pages(300), OPTIONS)
            num_chars.clear()  # a look at the options
            assert (await jobs.finish(job.id)).state == "done"
            assert len(seen) > 100
            done, total = [0], sum(num_chars)
            for each in num_chars:
                done.append(done[-1] + each)
            for count, progress in seen.items():
                assert abs(progress - done[count] / total) < 0.1, (count, progress)
        finally:
            await jobs.close()

    asyncio.run(run())
