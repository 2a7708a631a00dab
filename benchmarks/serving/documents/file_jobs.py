"""File jobs under `kill -9`: are they all finished, with every byte right?

The files are translated once by a server that is left alone, and once by servers that are killed
while they work, on one folder. Prints one line of JSON; exits with 1 if a byte differs.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from tqdm import tqdm

from benchmarks.harness.machine import commit, machine
from benchmarks.harness.server_process import HOST, ServerProcess

_SENTENCES = Path(__file__).parents[2] / "harness" / "sentences.txt"
_LONGEST_S = 300.0
_POLL_S = 0.1
_CLIENTS = 8


def main() -> int:
    """Run it; returns the exit code."""
    arguments = _arguments()
    files = _files(arguments.jobs, arguments.paragraphs)
    with tempfile.TemporaryDirectory() as parent:
        with _server(arguments, Path(parent) / "alone") as server:
            expected = _results(server, _send(server, files, arguments))
        started_s = time.monotonic()
        results, kills, progress = _interrupted(arguments, Path(parent) / "killed", files)
    wrong = sum(results[name] != expected[name] for name in files)
    report = {
        "jobs": len(files),
        "strings": len(files) * arguments.paragraphs,
        "kills": kills,
        "done_of_sent_at_each_kill": progress,
        "wrong_files": wrong,
        "seconds": round(time.monotonic() - started_s, 1),
        "commit": commit(),
        **machine(),
    }
    sys.stdout.write(json.dumps(report) + "\n")
    return int(wrong > 0)


def _interrupted(
    arguments: argparse.Namespace, folder: Path, files: Mapping[str, bytes]
) -> tuple[dict[str, bytes], int, list[tuple[int, int]]]:
    """The results, the number of kills, and the jobs done and sent at each of them."""
    chance = random.Random(arguments.seed)
    jobs: dict[str, str] = {}
    progress: list[tuple[int, int]] = []
    for kill in tqdm(range(arguments.kills), file=sys.stderr, unit="kill"):
        with _server(arguments, folder) as server:
            new = {name: files[name] for name in [*files][kill :: arguments.kills]}
            jobs |= _send(server, new, arguments)
            time.sleep(chance.random() * arguments.pause)
            server.kill()
        progress.append((_num_done(folder, jobs), len(jobs)))
    with _server(arguments, folder) as server:
        return _results(server, jobs), arguments.kills, progress


def _files(num_files: int, num_paragraphs: int) -> dict[str, bytes]:
    """Texts, Markdown and JSON in turn; no two paragraphs are the same."""
    sentences = _SENTENCES.read_text(encoding="utf-8").splitlines()
    files = {}
    for number in range(num_files):
        texts = [
            f"{sentences[(number * num_paragraphs + n) % len(sentences)]} ({number}, {n})"
            for n in range(num_paragraphs)
        ]
        suffix = (".txt", ".md", ".json")[number % 3]
        content = json.dumps(texts) if suffix == ".json" else "\n\n".join(texts)
        files[f"{number}{suffix}"] = content.encode()
    return files


def _server(arguments: argparse.Namespace, folder: Path) -> ServerProcess:
    # One client sends all files, and may have half of the places.
    places = ["--max-file-jobs", str(2 * arguments.jobs + 2), "--file-folder", str(folder)]
    return ServerProcess(arguments.bundles, flags=[*places, "--engines", str(arguments.engines)])


def _url(server: ServerProcess, path: str) -> str:
    return f"http://{HOST}:{server.port}{path}"


def _send(
    server: ServerProcess, files: Mapping[str, bytes], arguments: argparse.Namespace
) -> dict[str, str]:
    """The ids of the jobs, by the names of the files."""
    form = {
        "source": arguments.source,
        "target": arguments.target,
        "beam_size": str(arguments.beam_size),
        "async": "true",
    }

    def send(name: str) -> str:
        file = {"file": (name, files[name])}
        url = _url(server, "/translate_file")
        reply = httpx.post(url, files=file, data=form, timeout=_LONGEST_S)
        reply.raise_for_status()
        return str(reply.json()["id"])

    with ThreadPoolExecutor(_CLIENTS) as clients:
        return dict(zip(files, clients.map(send, files), strict=True))


def _job(server: ServerProcess, job_id: str) -> dict[str, object]:
    reply = httpx.get(_url(server, f"/jobs/{job_id}"), timeout=_LONGEST_S)
    reply.raise_for_status()
    job: dict[str, object] = reply.json()
    return job


def _num_done(folder: Path, jobs: Mapping[str, str]) -> int:
    """How many jobs were done, by what a killed server left on the disk."""
    records = [(folder / job_id / "job.json").read_bytes() for job_id in jobs.values()]
    return sum(json.loads(record)["state"] == "done" for record in records)


def _results(server: ServerProcess, jobs: Mapping[str, str]) -> dict[str, bytes]:
    """The translated files, once they are all there."""
    results = {}
    for name, job_id in jobs.items():
        while (job := _job(server, job_id))["status"] in ("waiting", "running"):
            time.sleep(_POLL_S)
        if job["status"] != "done":
            raise RuntimeError(f"{name}: {job}")
        path = httpx.URL(str(job["translatedFileUrl"])).path
        results[name] = httpx.get(_url(server, path), timeout=_LONGEST_S).content
    return results


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundles", default="bundles")
    parser.add_argument("--source", default="en")
    parser.add_argument("--target", default="de")
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--paragraphs", type=int, default=20)
    parser.add_argument("--beam-size", type=int, default=4)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds to a kill, at most")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--engines", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
