"""Real servers on a folder of file jobs: what is left of the jobs when the servers are killed."""

import json
import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.service.server.file_client import PAIR, FileClient, text_file
from tests.service.server_process import LONGEST_S, ServerProcess, run_command, serving
from tests.service.tiny_models import TINY_BUNDLE
from tests.service.waiting import eventually

pytestmark = pytest.mark.slow

NUM_JOBS = 6
NUM_KILLS = 3
NUM_PARAGRAPHS = 15
SECRET = "a-secret-key-of-a-client"
MANY = 20_000
"""Paragraphs that take longer, some 15 seconds, than a test does anything else."""


@contextmanager
def replica(folder: Path, name: str = "r", *flags: str) -> Iterator[FileClient]:
    """A server on the folder of jobs, and a client of it."""
    logs = folder.with_name(f"{folder.name}-{name}")
    logs.mkdir(exist_ok=True)
    with serving(logs, "--file-folder", str(folder), "--max-file-jobs", "40", *flags) as server:
        yield FileClient(server=server)


def killed(server: ServerProcess) -> None:
    server.process.kill()
    server.process.wait(LONGEST_S)


def documents() -> dict[str, bytes]:
    """Files of all kinds that take some batches each."""
    texts = [text_file(f"file {n}", NUM_PARAGRAPHS) for n in range(NUM_JOBS)]
    as_json = [json.dumps(text.decode().split("\n\n")).encode() for text in texts]
    by_name = {f"{n}.txt": text for n, text in enumerate(texts[::3])}
    by_name |= {f"{n}.json": text for n, text in enumerate(as_json[1::3])}
    return by_name | {f"{n}.md": text for n, text in enumerate(texts[2::3])}


def test_jobs_survive_the_death_of_the_server_with_every_byte(tmp_path: Path) -> None:
    folder, files = tmp_path / "jobs", documents()
    with replica(tmp_path / "other") as client:
        expected = {name: client.fetched(client.accepted(files[name], name)) for name in files}
    chance = random.Random(0)
    with replica(folder) as client:
        jobs = {name: client.accepted(files[name], name) for name in files}
        _until_translated(client, [*jobs.values()], 20)
        killed(client.server)
    for _ in range(NUM_KILLS - 1):
        with replica(folder) as client:
            before = _num_translated(client, jobs.values())
            _until_translated(client, [*jobs.values()], before + chance.randrange(1, 30))
            killed(client.server)
    with replica(folder) as client:
        assert _num_translated(client, jobs.values()) >= 20, "they go on where they were"
        assert {name: client.fetched(job_id) for name, job_id in jobs.items()} == expected
        for job_id in jobs.values():
            assert sorted(path.name for path in (folder / job_id).glob("[!o]*")) == [
                "job.json",
                "result",
            ]


def _num_translated(client: FileClient, job_ids: Iterable[str]) -> int:
    return sum(int(client.job(job_id)["translated"]) for job_id in job_ids)


def _until_translated(client: FileClient, job_ids: Iterable[str], count: int) -> None:
    most = NUM_JOBS * NUM_PARAGRAPHS - 20
    eventually(lambda: _num_translated(client, job_ids) >= min(count, most))


def test_any_replica_on_the_folder_answers_for_a_job(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    with replica(folder, "one") as one, replica(folder, "two") as two:
        job_id = one.accepted(text_file("a", 5))
        assert two.fetched(job_id) == one.fetched(job_id)
        assert two.cancel(job_id)["status"] == "cancelled"
        assert one.job(job_id)["status"] == "cancelled"
        name = f"{job_id}.a_{PAIR['target']}.txt"
        for client in (one, two):
            assert httpx.get(f"{client.server.url}/download_file/{name}").status_code == 404


def test_a_job_is_cancelled_through_another_replica(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    with replica(folder, "one") as one, replica(folder, "two") as two:
        job_id = one.accepted(text_file("a", MANY))
        eventually(lambda: two.job(job_id)["translated"] > 0)
        assert two.cancel(job_id)["status"] == "cancelled"
        assert (one.job(job_id)["status"], two.job(job_id)["status"]) == ("cancelled",) * 2
        eventually(lambda: not (folder / job_id / "input").exists())
        eventually(lambda: one.server.metric("pellucid_slots_in_use ") == 0)


def test_a_replica_goes_on_with_the_jobs_of_one_that_died(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    with replica(folder, "one") as one, replica(folder, "two") as two:
        jobs = [one.accepted(text_file(f"file {n}", 15)) for n in range(3)]
        killed(one.server)
        results = [two.fetched(job_id) for job_id in jobs]
        again = [two.fetched(two.accepted(text_file(f"file {n}", 15))) for n in range(3)]
        assert results == again
        resumed = [e for e in two.server.events() if e["event"] == "file job resumed"]
        assert 1 <= len(resumed) <= 3


def test_jobs_are_left_to_others_at_sigterm(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    with replica(folder, "one") as one, replica(folder, "two") as two:
        job_id = one.accepted(text_file("a", MANY))
        eventually(lambda: two.job(job_id)["translated"] > 0)
        one.server.terminate()
        assert one.server.exit_code() == 0
        translated = two.job(job_id)["translated"]
        eventually(lambda: two.job(job_id)["translated"] > translated)
        two.cancel(job_id)


def test_a_job_without_its_file_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    with replica(folder) as client:
        job_id = client.accepted(text_file("a", MANY))
        killed(client.server)
    (folder / job_id / "input").unlink()
    with replica(folder) as client:
        job = client.ended(job_id)
        assert (job["status"], job["code"]) == ("failed", "translation_failed")
        assert "send it again" in job["error"]


def test_a_file_that_a_request_waits_for_ends_with_the_server(tmp_path: Path) -> None:
    """Its job's id was never told."""
    folder = tmp_path / "jobs"
    with replica(folder) as client, ThreadPoolExecutor(1) as clients:
        sent = clients.submit(client.send, text_file("a", MANY), is_async=False)
        eventually(lambda: client.server.metric("pellucid_slots_in_use ") > 0)
        assert len(_job_folders(folder)) == 1
        killed(client.server)
        with pytest.raises(httpx.HTTPError):
            sent.result()
    with replica(folder):
        assert _job_folders(folder) == []


def test_ended_jobs_go_by_age_whoever_made_them(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    with replica(folder) as client:
        client.fetched(client.accepted(text_file("a", 1)))
        killed(client.server)
    assert len(_job_folders(folder)) == 1
    with replica(folder, "r", "--file-lifetime-s", "0.5"):
        eventually(lambda: _job_folders(folder) == [])


def test_folders_are_private_and_keep_no_key_and_no_address(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    with replica(folder, "r", "--api-keys", SECRET) as client:
        client = replace(client, key=SECRET)
        job_id = client.accepted(text_file("a", MANY))
        modes = [path.stat().st_mode & 0o777 for path in (folder, folder / job_id)]
        assert modes == [0o700, 0o700]
        record = (folder / job_id / "job.json").read_text(encoding="utf-8")
        assert SECRET not in record
        assert "127.0.0.1" not in record


def test_a_temporary_folder_goes_with_the_next_start(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    for _ in range(2):
        with serving(tmp_path, TMPDIR=str(temporary)) as server:
            client = FileClient(server=server)
            client.fetched(client.accepted(text_file("a", 1)))
            assert len([*temporary.glob("pellucid-files-*")]) == 1, "none of a former process"
            killed(server)
    with serving(tmp_path, TMPDIR=str(temporary)) as server:
        client = FileClient(server=server)
        client.fetched(client.accepted(text_file("a", 1)))
        server.terminate()
        assert server.exit_code() == 0
    assert [*temporary.glob("pellucid-files-*")] == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = run_command(
        *("serve", "--port", "0", "--bundles", str(TINY_BUNDLE), "--engines", "0"),
        *("--file-folder", str(tmp_path / "file" / "jobs")),
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "--file-folder" in line


def _job_folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if len(path.name) == 32]
