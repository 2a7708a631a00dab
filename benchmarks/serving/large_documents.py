"""Office documents of many pages: CPU time and memory to read and to write them, and their end.

Each document is read and written by a process of its own, as the service does it. Prints a line of
JSON for each.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.harness.machine import commit, machine
from service.documents.jobs.admission import FileJobLimits
from service.documents.jobs.file_jobs import FileJobs
from service.documents.processes.child import reply_to
from service.documents.processes.pool import DocumentLimits, DocumentPool
from service.documents.processes.strings_file import read_strings, translations_line
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
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, suffix, data))
    process.start()
    theirs.close()
    found: dict[str, object] = ours.recv()
    process.join()
    return found


def _work(connection: Connection, suffix: str, data: bytes) -> None:
    limits = DocumentLimits()
    common = {"name": f"a{suffix}", "cpu_s": limits.max_cpu_s}
    memory_bytes = limits.max_memory_bytes
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(Path(folder) / name) for name in ("document", "strings", "result")}
        translated = Path(folder) / "translated"
        Path(paths["document"]).write_bytes(data)
        task = {**common, **paths, "task": "read", "memory_bytes": memory_bytes}
        started_s = time.process_time()
        read = reply_to(task)
        read_s = time.process_time() - started_s
        texts = [f"{each.text}." for each in read_strings(Path(paths["strings"]))]
        translated.write_bytes(translations_line(dict(enumerate(texts))))
        task |= {"task": "write", "memory_bytes": 2 * memory_bytes, "language": "de"}
        started_s = time.process_time()
        written = reply_to({**task, "translations": [str(translated)]})
        write_s = time.process_time() - started_s
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    connection.send(
        {
            "strings": read.get("count", read),
            "result_bytes": written.get("count", written),
            "read_s": round(read_s, 2),
            "write_s": round(write_s, 2),
            "peak_mib": round(peak_mib, 1),
        }
    )


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
