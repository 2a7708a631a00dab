"""Documents of many pages: CPU time and memory to read and to write them, progress, and their end.

Each document is read and written by a process of its own, as the service does it. Prints a line of
JSON for each.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness.machine import commit, machine
from service.documents.jobs.admission import FileJobLimits
from service.documents.jobs.file_jobs import FileJobs
from service.documents.processes.pool import DocumentLimits, DocumentPool
from service.translation.values import TranslateRequest, TranslateResult, Translation
from tests.service.documents.readers.office.large import LARGE
from tests.service.documents.readers.pdf.made_pdf import pdf_of_pages

_MAKERS = {**LARGE, ".pdf": pdf_of_pages}
_OPTIONS = TranslateRequest(texts=(), source="en", target="de")


def main() -> int:
    """Run it; returns the exit code."""
    arguments = _arguments()
    about = {"commit": commit(), **machine()}
    for suffix, make in _MAKERS.items():
        for num_pages in arguments.pages:
            data = make(num_pages)
            report = {"suffix": suffix, "pages": num_pages, "bytes": len(data)}
            sys.stdout.write(json.dumps(report | _measured(suffix, data)) + "\n")
    for suffix in (".docx", ".pdf"):
        data = _MAKERS[suffix](arguments.pages[-1])
        for stage in ("reading", "translating"):
            seconds = asyncio.run(_cancelled(suffix, data, stage))
            line = {"suffix": suffix, "cancelled_while": stage, "seconds": seconds}
            sys.stdout.write(json.dumps(line) + "\n")
        line = {"suffix": suffix, "largest_error_of_progress": asyncio.run(_progress(suffix, data))}
        sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.write(json.dumps(about) + "\n")
    return 0


def _measured(suffix: str, data: bytes) -> dict[str, object]:
    """What a process of its own says about its work."""
    command = [sys.executable, "-m", "benchmarks.serving.documents.document_work", suffix]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


async def _progress(suffix: str, data: bytes) -> float:
    """The largest difference between reported progress and the share of characters translated."""
    num_chars = [0]

    async def translate(request: TranslateRequest) -> TranslateResult:
        await asyncio.sleep(0)
        num_chars.append(num_chars[-1] + sum(map(len, request.texts)))
        return TranslateResult(translations=tuple(Translation(text=text) for text in request.texts))

    with tempfile.TemporaryDirectory() as folder:
        pool = DocumentPool(DocumentLimits())
        jobs = FileJobs(translate, FileJobLimits(), pool, temporary_in=Path(folder))
        job = await jobs.submit(f"a{suffix}", data, _OPTIONS)
        num_chars[:] = [0]  # a look at the options
        seen = []
        while not job.has_ended:
            job = await jobs.find(job.id)
            seen.append((num_chars[-1], job.progress))
            await asyncio.sleep(0)
        await jobs.close()
    assert job.state == "done", job
    return round(max(abs(done / num_chars[-1] - progress) for done, progress in seen), 3)


async def _cancelled(suffix: str, data: bytes, stage: str) -> float:
    """Seconds from the wish to end a job until it has ended and its process is gone."""
    started = asyncio.Event()

    async def translate(request: TranslateRequest) -> TranslateResult:
        if request.texts != ("",):  # a look at the options
            started.set()
            await asyncio.sleep(0.01)
        return TranslateResult(translations=tuple(Translation(text=text) for text in request.texts))

    with tempfile.TemporaryDirectory() as folder:
        pool = DocumentPool(DocumentLimits())
        jobs = FileJobs(translate, FileJobLimits(), pool, temporary_in=Path(folder))
        work = asyncio.create_task(jobs.submit(f"a{suffix}", data, _OPTIONS))
        if stage == "reading":
            await asyncio.sleep(0.3)
            begin_s = time.monotonic()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        else:
            job = await work
            await started.wait()
            begin_s = time.monotonic()
            await jobs.cancel(job.id)
        seconds = time.monotonic() - begin_s
        await jobs.close()
    return round(seconds, 3)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, nargs="+", default=[75, 150, 300, 600])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
