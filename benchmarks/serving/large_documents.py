"""Office documents of many pages: CPU time and memory to read and to write them, and their end.

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

_OPTIONS = TranslateRequest(texts=(), source="en", target="de")


def main() -> int:
    """Run it; returns the exit code."""
    arguments = _arguments()
    about = {"commit": commit(), **machine()}
    for suffix, make in LARGE.items():
        for num_pages in arguments.pages:
            data = make(num_pages)
            report = {"suffix": suffix, "pages": num_pages, "bytes": len(data)}
            sys.stdout.write(json.dumps(report | _measured(suffix, data)) + "\n")
    for stage in ("reading", "translating"):
        seconds = asyncio.run(_cancelled(LARGE[".docx"](arguments.pages[-1]), stage))
        sys.stdout.write(json.dumps({"cancelled_while": stage, "seconds": seconds}) + "\n")
    sys.stdout.write(json.dumps(about) + "\n")
    return 0


def _measured(suffix: str, data: bytes) -> dict[str, object]:
    """What a process of its own says about its work."""
    command = [sys.executable, "-m", "benchmarks.serving.document_work", suffix]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


async def _cancelled(data: bytes, stage: str) -> float:
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
        work = asyncio.create_task(jobs.submit("a.docx", data, _OPTIONS))
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
