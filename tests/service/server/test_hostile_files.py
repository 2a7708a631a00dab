"""Files that mean no good, sent to a real server: what other clients see meanwhile."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest

from service.documents.processes import child
from tests.service.server.file_client import PAIR, FileClient, text_file
from tests.service.server.hostile_client import Cost
from tests.service.server_process import LONGEST_S, ServerProcess, serving
from tests.service.waiting import eventually

pytestmark = pytest.mark.slow

MIB = 1 << 20
ATTACKER, OTHER = "key-of-the-attacker", "key-of-another-client"
KEYS = ("--api-keys", f"{ATTACKER},{OTHER}")
LAG_S = 0.1
"""How much later `/livez` may answer than without the attack."""
READER_FAULTS = f"""
import sys
if {child.__name__!r} in sys.orig_argv:
    import os, re
    from service.documents.readers import plain_text
    read = plain_text.read
    def faulty(data):
        if data.startswith(b"hang"):
            re.match("(a|a)*b", "a" * 99)
        if data.startswith(b"grow"):
            b"x" * 2**62
        if data.startswith(b"die"):
            os.abort()
        if data.startswith(b"fail"):
            raise KeyError(data)
        return read(data)
    plain_text.read = faulty
"""
"""Put into the processes that read documents alone; the expression holds the interpreter's lock."""
UPLOADS = {
    "line ends": ("a.txt", b"\r" * (4 * MIB)),
    "paragraphs": ("a.txt", b"a\n\n" * (4 * MIB // 3)),
    "links": ("a.md", b"[a](b) *c*\n\n" * (4 * MIB // 12)),
    "elements": ("a.html", b"<b>a<p>" * (4 * MIB // 7)),
    "values": ("a.json", b"[" + b'"a",' * (MIB - 2) + b'"a"]'),
}


@contextmanager
def faulty_server(tmp_path: Path, *flags: str) -> Iterator[ServerProcess]:
    folder = tmp_path / "python"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(READER_FAULTS, encoding="utf-8")
    with serving(tmp_path, *KEYS, *flags, PYTHONPATH=str(folder)) as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with faulty_server(tmp_path, "--document-cpu-timeout-s", "1") as running:
        yield running


def attacker(server: ServerProcess) -> FileClient:
    return FileClient(server=server, key=ATTACKER)


def other(server: ServerProcess) -> FileClient:
    return FileClient(server=server, key=OTHER)


def slowest_livez(server: ServerProcess, is_over: Callable[[], bool]) -> float:
    """The longest time of an answer until something is over, at least of five."""
    seconds: list[float] = []
    with httpx.Client(base_url=server.url, timeout=LONGEST_S) as client:
        while len(seconds) < 5 or not is_over():
            before_s = time.perf_counter()
            assert client.get("/livez").status_code == 200
            seconds.append(time.perf_counter() - before_s)
            time.sleep(0.01)
    return sorted(seconds)[-2]  # the machine has other work, and one pause is its own


def idle_livez(server: ServerProcess) -> float:
    end_s = time.monotonic() + 1
    return slowest_livez(server, lambda: time.monotonic() > end_s)


def assert_others_are_served(server: ServerProcess, attack: Callable[[], object]) -> None:
    """Fails if `/livez` is late in each of three attacks: a machine with other work pauses too."""
    for is_last in (False, False, True):
        idle_s = idle_livez(server)
        with ThreadPoolExecutor(1) as clients:
            attacking = clients.submit(attack)
            slowest_s = slowest_livez(server, attacking.done)
            attacking.result()
        if slowest_s < idle_s + LAG_S:
            return
        assert not is_last, f"/livez took {slowest_s:.3f} s, {idle_s:.3f} s before"


def translated(server: ServerProcess, source: str = PAIR["source"]) -> int:
    body = {"q": "Good morning.", **PAIR, "source": source, "api_key": OTHER}
    return httpx.post(f"{server.url}/translate", json=body, timeout=LONGEST_S).status_code


@contextmanager
def hanging(server: ServerProcess, count: int) -> Iterator[list["Future[httpx.Response]"]]:
    """Files of the attacker whose parser never comes back, one of them being parsed."""
    with ThreadPoolExecutor(count) as clients:
        replies = [clients.submit(attacker(server).send, b"hang") for _ in range(count)]
        eventually(lambda: bool(readers_of(server)))
        yield replies


def readers_of(server: ServerProcess) -> list[int]:
    """The processes of a server that read documents."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text("utf-8").partition("(")[2].rsplit(")", 1)
        except (OSError, ValueError):
            continue  # it ended meanwhile
        if name.startswith("pellucid-docum") and int(rest.split()[1]) == server.process.pid:
            found.append(int(stat.parent.name))
    return found


@pytest.mark.parametrize("name", UPLOADS)
def test_no_file_makes_others_wait(server: ServerProcess, name: str) -> None:
    file_name, data = UPLOADS[name]

    def attack() -> None:
        with ThreadPoolExecutor(3) as clients:
            sent = [clients.submit(attacker(server).send, data, file_name) for _ in range(3)]
        for reply in sent:
            assert reply.result().status_code in (202, 400), reply.result().text
            if reply.result().status_code == 202:
                attacker(server).cancel(reply.result().json()["id"])

    before = Cost.of(server)
    assert_others_are_served(server, attack)
    assert Cost.of(server).rss_bytes - before.rss_bytes < 60 * MIB


def test_a_parser_that_hangs_is_ended_and_the_limit_named(server: ServerProcess) -> None:
    def attack() -> None:
        reply = attacker(server).send(b"hang")
        assert (reply.status_code, reply.json()["code"]) == (400, "bad_file")
        assert "more than 1 s of processor time: send it in parts" in reply.json()["error"]

    assert_others_are_served(server, attack)


def test_a_parser_that_needs_too_much_memory_is_refused(server: ServerProcess) -> None:
    reply = attacker(server).send(b"grow")
    assert (reply.status_code, reply.json()["code"]) == (400, "bad_file")
    assert "more than 201326592 bytes of memory: send it in parts" in reply.json()["error"]
    assert other(server).send(text_file("a", 1), is_async=False).status_code == 200


@pytest.mark.parametrize("fault", [b"die", b"fail"])
def test_a_parser_that_crashes_costs_its_own_file_alone(
    server: ServerProcess, fault: bytes
) -> None:
    reply = attacker(server).send(fault)
    assert (reply.status_code, reply.json()["code"]) == (500, "translation_failed")
    assert other(server).send(text_file("a", 1), is_async=False).status_code == 200


def test_hanging_parsers_of_one_key_leave_all_else_to_others(server: ServerProcess) -> None:
    """Twelve of them used to stop language detection, metrics and files of everybody."""
    with hanging(server, 8) as replies:
        assert translated(server) == 200
        assert translated(server, source="auto") == 200
        assert server.metric("pellucid_ready ") == 1
        assert other(server).send(text_file("a", 1), is_async=False).status_code == 200
        assert not all(reply.done() for reply in replies), "it was meanwhile"
        assert len(readers_of(server)) <= 2


def test_sigterm_while_files_are_parsed_ends_in_time(tmp_path: Path) -> None:
    with faulty_server(tmp_path, "--drain-s", "1") as server, hanging(server, 3) as replies:
        readers = readers_of(server)
        before_s = time.monotonic()
        server.terminate()
        assert server.exit_code() == 0
        assert time.monotonic() - before_s < 15
        assert {reply.result().status_code for reply in replies} == {503}
        assert not any(map(_is_running, readers))


def test_readers_end_with_a_front_that_was_killed(tmp_path: Path) -> None:
    with faulty_server(tmp_path) as server, hanging(server, 1):
        readers = readers_of(server)
        server.process.kill()
        eventually(lambda: not any(map(_is_running, readers)))


def test_places_for_files_are_shared_by_keys(server: ServerProcess) -> None:
    """Sixteen files in the background of one key used to refuse everybody else's."""
    busy = attacker(server)
    jobs = []
    for number in count():
        reply = busy.send(text_file(f"file {number}", 5_000), beam_size="8")
        if reply.status_code != 202:
            break
        jobs.append(reply.json()["id"])
    assert (reply.status_code, reply.json()["code"]) == (429, "overloaded")
    assert len(jobs) == 8, "half of the sixteen"
    assert other(server).send(text_file("a", 2), is_async=False).status_code == 200
    assert busy.job(jobs[-1])["status"] == "waiting", "it was not behind them"
    for job_id in jobs:
        busy.cancel(job_id)


def test_stored_bytes_are_shared_by_keys(tmp_path: Path) -> None:
    with faulty_server(tmp_path, "--max-stored-bytes", "40000") as server:
        jobs = []
        while (reply := attacker(server).send(b"a" * 2_000)).status_code == 202:
            jobs.append(reply.json()["id"])
            attacker(server).ended(jobs[-1])
        assert (reply.status_code, reply.json()["code"]) == (503, "storage_full")
        assert other(server).send(b"a", is_async=False).status_code == 200


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return ") Z " not in Path(f"/proc/{pid}/stat").read_text("utf-8")
