"""A real server with real engine processes: what is lost when they die, hang or cannot start."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest

from service.scheduling.workers import engine_start
from service.scheduling.workers.dispatcher import MAX_QUIET_S
from tests.service.server_process import (
    LONGEST_S,
    REPOSITORY,
    ServerProcess,
    engines_of,
    environment,
    is_gone,
    run_command,
    serving,
)
from tests.service.steady_load import SteadyLoad, steady_load
from tests.service.tiny_models import TINY_BUNDLE, altered_copy, renamed_copy, tiny_bundle
from tests.service.waiting import eventually

pytestmark = pytest.mark.slow

CANARY = tiny_bundle().manifest.canary
PAIR = {"source": CANARY.pair.source, "target": CANARY.pair.target}
JSON = {"Content-Type": "application/json"}
NAMES = "abcdefgh"
LEAST_ENGINE_BYTES = 10_000_000
TWO = ("--engines", "2")
PATIENT = ("--deadline-ms", "120000")
ONLY_IN_ENGINES = f"import sys\nif {engine_start.__name__!r} in sys.orig_argv:\n    "
CANNOT_IMPORT = ONLY_IN_ENGINES + "sys.modules['onnxruntime'] = None\n"
NO_MEMORY = ONLY_IN_ENGINES + (
    "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 27, 1 << 27))\n"
)


def engines(server: ServerProcess) -> list[int]:
    return engines_of(server.process.pid)


def readiness(server: ServerProcess) -> int:
    return httpx.get(f"{server.url}/readyz", timeout=LONGEST_S).status_code


def bodies(name: str) -> "Iterator[bytes]":
    """Texts that differ, so that no two share a run."""
    for n in count():
        text = " ".join(f"{name} {n} {part} {CANARY.source_text}" for part in range(4))
        yield json.dumps({"q": text, **PAIR}).encode()


@contextmanager
def stopped(processes: Sequence[int]) -> Iterator[None]:
    """Processes that stand still; what is sent to them meanwhile waits."""
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            if not is_gone(pid):
                os.kill(pid, signal.SIGCONT)


@contextmanager
def requested(server: ServerProcess, num_requests: int) -> Iterator[list[Future[httpx.Response]]]:
    """Replies to requests that have all been accepted."""
    with ThreadPoolExecutor(num_requests) as clients:
        yield [clients.submit(ask, server, name) for name in NAMES[:num_requests]]


def ask(server: ServerProcess, name: str) -> httpx.Response:
    body = next(bodies(name))
    return httpx.post(f"{server.url}/translate", content=body, headers=JSON, timeout=LONGEST_S)


def accepted(server: ServerProcess, num_requests: int) -> bool:
    return server.metric("pellucid_in_flight ") == num_requests


def load_on(server: ServerProcess) -> AbstractContextManager[SteadyLoad]:
    return steady_load(f"{server.url}/translate", [bodies(name).__next__ for name in NAMES])


def restarts(server: ServerProcess) -> float:
    return server.metric("pellucid_engine_restarts_total ")


def test_no_accepted_request_is_lost_when_engines_are_killed(tmp_path: Path) -> None:
    with serving(tmp_path, *PATIENT, *TWO) as server:
        assert len(engines(server)) == 2
        assert server.metric("pellucid_engine_memory_bytes ") > 2 * LEAST_ENGINE_BYTES
        with load_on(server) as load:
            for deaths in (1, 2, 3):
                victim = engines(server)[0]
                os.kill(victim, signal.SIGKILL)
                eventually(lambda: restarts(server) == deaths and len(engines(server)) == 2)  # noqa: B023
                assert victim not in engines(server)
                load.go_on(20)
        assert set(load.answers) == {"200"}
        assert [e["event"] for e in server.events()].count("engine died") == 3


def test_an_engine_that_hangs_is_replaced_alone(tmp_path: Path) -> None:
    flags = (*PATIENT, "--watchdog-timeout-s", "1")
    with serving(tmp_path, *flags, *TWO) as server, load_on(server) as load:
        hanging, working = engines(server)
        os.kill(hanging, signal.SIGSTOP)
        eventually(lambda: is_gone(hanging) and len(engines(server)) == 2)
        assert working in engines(server)
        load.go_on(20)
        assert set(load.answers) == {"200"}
        assert server.process.poll() is None
        (died,) = (event for event in server.events() if event["event"] == "engine died")
        assert died["error"] == "no report for 1 s"


def test_it_is_not_ready_only_while_no_engine_can_serve(tmp_path: Path) -> None:
    flags = ("--heartbeat-timeout-s", "1.5", "--watchdog-timeout-s", "600")
    with serving(tmp_path, *flags, *TWO) as server:
        one, other = engines(server)
        os.kill(one, signal.SIGSTOP)
        os.kill(other, signal.SIGSTOP)
        eventually(lambda: readiness(server) == 503)
        os.kill(one, signal.SIGCONT)
        eventually(lambda: readiness(server) == 200)
        assert engines(server) == [one, other], "none was ended"


def test_one_hung_engine_of_two_leaves_the_service_ready(tmp_path: Path) -> None:
    flags = ("--heartbeat-timeout-s", "0.7", "--watchdog-timeout-s", "4")
    with serving(tmp_path, *flags, *TWO) as server:
        hanging, _ = engines(server)
        os.kill(hanging, signal.SIGSTOP)
        states = set()
        while not is_gone(hanging):
            states.add(readiness(server))
        assert states == {200}


def test_accepted_requests_end_before_their_engines_at_sigterm(tmp_path: Path) -> None:
    with serving(tmp_path, *PATIENT, *TWO) as server:
        children = engines(server)
        with stopped(children):
            with requested(server, 6) as replies:
                eventually(lambda: accepted(server, 6))
                server.terminate()
                for child in children:
                    os.kill(child, signal.SIGTERM)  # as a supervisor signals a control group
                eventually(lambda: readiness(server) == 503)
                assert [reply.done() for reply in replies] == [False] * 6
                for child in children:
                    os.kill(child, signal.SIGCONT)
            assert [reply.result().status_code for reply in replies] == [200] * 6
        assert server.exit_code() == 0
        assert all(map(is_gone, children))


def test_engines_end_with_a_front_that_was_killed_at_work(tmp_path: Path) -> None:
    with serving(tmp_path, *PATIENT, *TWO) as server, requested(server, 6) as replies:
        children = engines(server)
        with stopped(children):
            eventually(lambda: accepted(server, 6) or any(reply.done() for reply in replies))
            server.process.kill()
        eventually(lambda: all(map(is_gone, children)))


def test_a_reload_starts_new_engines_beside_the_old_ones(tmp_path: Path) -> None:
    bundles = tmp_path / "bundles"
    served = shutil.copytree(TINY_BUNDLE, bundles / "served")
    flags = (*PATIENT, "--bundles", str(bundles))
    with serving(tmp_path, *flags, *TWO) as server:
        old = engines(server)
        assert ask(server, "y").status_code == 200, "all graphs that these texts need are open"
        with stopped(old), requested(server, 4) as replies:
            eventually(lambda: accepted(server, 4))
            served.rename(tmp_path / "before")
            altered_copy(served, name="newer")
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda: server.metric('pellucid_reloads_total{outcome="swapped"}') == 1)
            assert [reply.done() for reply in replies] == [False] * 4
            assert set(old) < set(engines(server))
            assert len(engines(server)) == 4
            new = ask(server, "z")
            assert new.status_code == 200, "by the new engines: the old ones stand still"
            for child in old:
                os.kill(child, signal.SIGCONT)
        assert [reply.result().status_code for reply in replies] == [200] * 4
        eventually(lambda: len(engines(server)) == 2)
        assert set(old).isdisjoint(engines(server))


def test_of_several_bundles_the_one_with_a_backlog_gets_further_engines(tmp_path: Path) -> None:
    bundles = tmp_path / "bundles"
    shutil.copytree(TINY_BUNDLE, bundles / "asked")
    renamed_copy(bundles / "idle", "xx", "yy")
    flags = (
        *PATIENT,
        "--bundles",
        str(bundles),
        "--slots-per-worker",
        "8",
        "--share-runs",
        "false",
    )
    with serving(tmp_path, *flags, *TWO) as server:
        steady = engines(server)
        assert len(steady) == 2, "one for each"
        many = {"q": [f"{n} {CANARY.source_text}" for n in range(20)], **PAIR}
        with ThreadPoolExecutor(1) as client:
            with stopped(steady):
                reply = client.submit(
                    httpx.post, f"{server.url}/translate", json=many, timeout=LONGEST_S
                )
                eventually(lambda: len(engines(server)) == 3)
                time.sleep(MAX_QUIET_S + 0.5)  # from now on those that stand still get no work
                assert ask(server, "z").status_code == 200, "by the engine that was added"
            assert reply.result().status_code == 200
        shutil.move(bundles / "idle", tmp_path / "away")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: server.metric('pellucid_reloads_total{outcome="swapped"}') == 1)
        eventually(lambda: len(engines(server)) == 2)
        assert ask(server, "a").status_code == 200
        added = [e["engines"] for e in server.events() if e["event"] == "engine added"]
        assert added == [2]


def test_a_bundle_that_is_left_alone_gets_all_engines(tmp_path: Path) -> None:
    bundles = tmp_path / "bundles"
    shutil.copytree(TINY_BUNDLE, bundles / "asked")
    idle = renamed_copy(bundles / "idle", "xx", "yy")
    with serving(tmp_path, *PATIENT, "--bundles", str(bundles), *TWO) as server:
        (kept, _) = engines(server)
        shutil.move(idle, tmp_path / "away")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: server.metric('pellucid_reloads_total{outcome="swapped"}') == 1)
        eventually(lambda: len(engines(server)) == 2 and is_well(server))
        assert kept in engines(server)
        shutil.move(tmp_path / "away", idle)
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(engines(server)) == 3)
        assert ask(server, "a").status_code == 200
        children = engines(server)
        server.terminate()
        assert server.exit_code() == 0
        assert all(map(is_gone, children))


def is_well(server: ServerProcess) -> bool:
    return readiness(server) == 200


def test_a_bundle_that_moved_before_its_first_alignment_is_still_inspected(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(TINY_BUNDLE, bundle)
    with serving(tmp_path, *PATIENT, "--bundles", str(bundle), *TWO) as server:
        bundle.rename(tmp_path / "moved")
        body = {"q": CANARY.source_text, **PAIR, "alignment": True, "attention": True}
        reply = httpx.post(f"{server.url}/translate", json=body, timeout=LONGEST_S)
        assert reply.status_code == 200


def test_no_inspection_is_lost_when_engines_are_killed(tmp_path: Path) -> None:
    def inspections(name: str) -> Iterator[bytes]:
        for body in bodies(name):
            yield json.dumps({**json.loads(body), "alignment": True}).encode()

    with serving(tmp_path, *PATIENT, *TWO) as server:
        makers = [inspections(name).__next__ for name in NAMES]
        with steady_load(f"{server.url}/translate", makers) as load:
            for deaths in (1, 2):
                os.kill(engines(server)[0], signal.SIGKILL)
                eventually(lambda: restarts(server) == deaths and len(engines(server)) == 2)  # noqa: B023
                load.go_on(20)
        assert set(load.answers) == {"200"}


def test_an_engine_is_replaced_by_one_of_its_own_release(tmp_path: Path) -> None:
    """Between the change of the link and the reload."""
    release, newer = tmp_path / "release-1", altered_copy(tmp_path / "release-2", name="newer")
    shutil.copytree(TINY_BUNDLE, release)
    link = tmp_path / "bundles" / "served"
    link.parent.mkdir()
    link.symlink_to(release)
    with serving(tmp_path, *PATIENT, "--bundles", str(link.parent), "--engines", "1") as server:
        link.unlink()
        link.symlink_to(newer)
        (victim,) = engines(server)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: is_gone(victim) and len(engines(server)) == 1)
        assert ask(server, "a").status_code == 200
        assert failed_starts(server) == 0


def test_ctrl_c_in_a_terminal_ends_all_of_it_quietly(tmp_path: Path) -> None:
    with serving(tmp_path, *TWO) as server:
        children = engines(server)
        os.killpg(server.process.pid, signal.SIGINT)
        for child in children:
            os.kill(child, signal.SIGINT)
        assert server.exit_code() == 0
        assert server.process.stderr is not None
        assert "Traceback" not in server.process.stderr.read()
        assert all(map(is_gone, children))


def test_a_signal_during_the_start_leaves_no_traceback(tmp_path: Path) -> None:
    """Engines import for a moment before they can ignore a signal."""
    command = [sys.executable, "-m", "service", "--port", "0", "--bundles", str(TINY_BUNDLE)]
    with subprocess.Popen(
        [*command, "--engines", "2"],
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        eventually(lambda: bool(children_of(process.pid)))
        children = children_of(process.pid)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    eventually(lambda: all(map(is_gone, children)))


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text("ascii").split()]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (CANNOT_IMPORT, "ModuleNotFoundError: import of onnxruntime halted"),
        (NO_MEMORY, "failed to map segment from shared object"),
    ],
)
def test_engines_that_cannot_start_are_one_line_and_exit_code_2(
    tmp_path: Path, fault: str, reason: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(fault, encoding="utf-8")
    flags = ("serve", "--port", "0", "--bundles", str(TINY_BUNDLE), "--engines", "2")
    ended = run_command(*flags, PYTHONPATH=str(tmp_path))
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("pellucid: an engine cannot start: ")
    assert reason in line


def test_an_engine_that_cannot_start_later_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "python"
    folder.mkdir()
    with serving(tmp_path, "--engines", "1", PYTHONPATH=str(folder)) as server:
        (folder / "sitecustomize.py").write_text(CANNOT_IMPORT, encoding="utf-8")
        os.kill(engines(server)[0], signal.SIGKILL)
        eventually(lambda: failed_starts(server) >= 3)
        assert readiness(server) == 503
        assert server.process.poll() is None
        (folder / "sitecustomize.py").unlink()
        eventually(lambda: readiness(server) == 200)
        assert ask(server, "a").status_code == 200
        assert server.metric("pellucid_engine_restarts_total ") == 1


def failed_starts(server: ServerProcess) -> int:
    return [event["event"] for event in server.events()].count("engine cannot start")
