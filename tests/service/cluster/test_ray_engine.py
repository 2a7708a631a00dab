"""Engine actors: the same results as in this process, and nothing lost when one dies."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

pytest.importorskip("ray", reason="Ray is not installed: make test-ray")

import ray
from ray.cluster_utils import Cluster

from bundle.reader import Bundle
from service.cluster.engine_actor import EngineActor
from service.cluster.ray_engine import ActorOptions, RayEngine
from service.engine.inspection import AttendRequest
from service.engine.loop import Failure, Progress
from service.engine.prefill import DecodeRequest
from service.errors import StartupError
from service.observability.metrics import Metrics
from service.scheduling.job import Entry
from service.scheduling.limits import AdmissionLimits
from service.scheduling.queue import AdmissionQueue
from service.scheduling.workers.dispatcher import Dispatcher
from service.scheduling.workers.engine_client import EngineDiedError
from service.scheduling.workers.messages import Report, encode
from tests.service.cluster.ray_cluster import (
    LONGEST_S,
    engines,
    is_alone,
    process_of,
    ray_cluster,
    wait_until,
)
from tests.service.engine.tiny import EVERY_KIND, GREEDY, LIMIT, alone, tiny_sources
from tests.service.scheduling.workers.pairs import EVERYTHING, assert_attended, pairs
from tests.service.scheduling.workers.single_loop import counted, job_of
from tests.service.tiny_models import tiny_bundle

pytestmark = [
    pytest.mark.skipif(not is_alone(), reason="needs a network of its own: make test-ray"),
    pytest.mark.slow,
]

LONG = replace(GREEDY, max_target_tokens=LIMIT)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with ray_cluster() as cluster:
        yield cluster


def engine(
    max_silence_s: float = 60.0, num_cpus: int = 1, bundle: Bundle | None = None
) -> RayEngine:
    options = ActorOptions(num_slots=8, num_cpus=num_cpus, max_silence_s=max_silence_s)
    return RayEngine(bundle or tiny_bundle(), options)


@contextmanager
def started(max_silence_s: float = 60.0) -> Iterator[RayEngine]:
    running = engine(max_silence_s)
    running.start()
    try:
        yield running
    finally:
        running.close()


def results(running: RayEngine, count: int) -> Progress[int]:
    progress: Progress[int] = Progress()
    until_s = time.monotonic() + LONGEST_S
    while len(progress.decoded) < count and time.monotonic() < until_s:
        progress.add(running.work(1.0))
    return progress


def is_gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_an_actor_gives_what_a_sentence_gives_alone(cluster: Cluster) -> None:
    asked = [(source, EVERY_KIND[i % len(EVERY_KIND)]) for i, source in enumerate(tiny_sources())]
    with started() as running:
        running.submit(
            [
                DecodeRequest(handle=key, source_ids=source, options=options)
                for key, (source, options) in enumerate(asked)
            ]
        )
        progress = results(running, len(asked))
    found = {decoded.handle: decoded.hypotheses for decoded in progress.decoded}
    assert found == {key: alone(*question) for key, question in enumerate(asked)}
    assert progress.failures == []
    assert sum(tokens for tokens, _ in progress.groups) == sum(len(s) for s, _ in asked)


def test_a_cancelled_sentence_is_not_decoded(cluster: Cluster) -> None:
    with started() as running:
        sources = (tiny_sources() * 200)[:2000]
        requests = [
            DecodeRequest(handle=key, source_ids=source, options=LONG)
            for key, source in enumerate(sources)
        ]
        running.submit(requests)
        running.cancel(range(1, len(sources)))
        running.submit([replace(requests[1], handle=10_000)])
        handles = [decoded.handle for decoded in results(running, 2).decoded]
        while 10_000 not in handles:
            handles += [decoded.handle for decoded in running.work(1.0).decoded]
    assert len(handles) < len(sources) / 2


class _Unanswered:
    """A call, and its answer, which never comes."""

    def remote(self) -> "_Unanswered":
        return self

    def future(self) -> Future[object]:
        return Future()


def test_calls_that_overtake_each_other_are_written_in_order() -> None:
    actor = EngineActor(Path("none"), "", num_slots=8, num_threads=1)
    written: list[bytes] = []
    actor._writer = cast(asyncio.StreamWriter, SimpleNamespace(write=written.append))

    async def send() -> None:
        for number in (2, 0, 1):
            await actor.send(number, bytes([number]))

    asyncio.run(send())
    assert written == [b"\0", b"\1", b"\2"]


def test_frames_that_overtake_each_other_are_read_in_order() -> None:
    running = engine()
    running._actor = SimpleNamespace(receive=_Unanswered())
    frames = [
        encode(Report(progress=Progress(failures=[Failure(handles=(n,), error="")])))
        for n in range(3)
    ]
    for number in (1, 2, 0):
        running._answers.put((number, frames[number]))
    assert [f.handles for f in running.work(0.0).failures] == [(0,), (1,), (2,)]
    running._actor = None


def test_an_actor_inspects_beside_its_sentences(cluster: Cluster) -> None:
    sources = tiny_sources()[:5]
    requests = [DecodeRequest(handle=n, source_ids=s, options=LONG) for n, s in enumerate(sources)]
    with started() as running:
        running.attend(AttendRequest(handle=7, pairs=pairs(30), wanted=EVERYTHING))
        running.submit(requests)
        progress: Progress[int] = Progress()
        until_s = time.monotonic() + LONGEST_S
        while not progress.attended and time.monotonic() < until_s:
            progress.add(running.work(1.0))
        (found,) = progress.attended
        progress.add(results(running, len(sources) - len(progress.decoded)))
    assert found.handle == 7
    assert_attended(found.pairs, 30)
    decoded = {each.handle: each.hypotheses for each in progress.decoded}
    assert decoded == {n: alone(source, LONG) for n, source in enumerate(sources)}


def test_waking_ends_a_wait(cluster: Cluster) -> None:
    with started() as running:
        threading.Timer(0.1, running.wake).start()
        started_s = time.monotonic()
        while time.monotonic() - started_s < 0.1:
            assert running.work(LONGEST_S).decoded == []
        assert time.monotonic() - started_s < LONGEST_S / 2


def test_an_actor_that_was_killed_says_so_and_can_be_started_again(cluster: Cluster) -> None:
    with started() as running:
        (actor,) = engines()
        ray.kill(actor)
        with pytest.raises(EngineDiedError):
            results(running, 1)
        running.close()
        running.start()
        running.submit([DecodeRequest(handle=7, source_ids=tiny_sources()[0], options=GREEDY)])
        (decoded,) = results(running, 1).decoded
    assert decoded.hypotheses == alone(tiny_sources()[0], GREEDY)


def test_an_actor_that_hangs_is_noticed_and_ended(cluster: Cluster) -> None:
    with started(max_silence_s=1.0) as running:
        (actor,) = engines()
        process = process_of(actor)
        os.kill(process, signal.SIGSTOP)
        with pytest.raises(EngineDiedError, match="no report for 1 s"):
            results(running, 1)
        assert running.silence_s > 1
    wait_until(lambda: is_gone(process))


def test_an_actor_that_cannot_open_its_bundle_says_why(cluster: Cluster, tmp_path: Path) -> None:
    missing = replace(tiny_bundle(), path=tmp_path / "none")
    with pytest.raises(StartupError, match=r"an engine cannot start: .*none"):
        engine(bundle=missing).start()
    assert engines() == []


def test_bytes_that_are_no_message_end_the_engine_alone(cluster: Cluster) -> None:
    with started() as running:
        running._actor.send.remote(0, b"\x04\x00\x00\x00none")
        with pytest.raises(EngineDiedError, match="its loop has ended"):
            results(running, 1)


def test_a_start_waits_for_a_place_until_it_is_given_up(cluster: Cluster) -> None:
    waiting = engine(num_cpus=1000)
    refused: list[str] = []

    def start() -> None:
        with pytest.raises(StartupError) as raised:
            waiting.start()
        refused.append(str(raised.value))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(1.0)
    assert thread.is_alive()
    waiting.give_up()
    thread.join(LONGEST_S)
    assert refused == ["an engine cannot start: it is no longer wanted"]


@pytest.mark.parametrize("num_engines", [1, 2])
def test_no_job_is_lost_when_an_actor_is_killed_at_work(cluster: Cluster, num_engines: int) -> None:
    metrics = Metrics()
    limits = AdmissionLimits(max_queued_jobs=1000, max_queued_tokens=1_000_000)
    queue = AdmissionQueue(limits, metrics)
    dispatchers = [Dispatcher(engine(), queue, metrics) for _ in range(num_engines)]
    for dispatcher in dispatchers:
        dispatcher.start()
    sources = (tiny_sources() * 40)[:600]
    entries = [Entry(job=job_of(source, LONG), submitted_s=time.monotonic()) for source in sources]
    try:
        for entry in entries:
            queue.add(entry)
        entries[5].future.result(timeout=LONGEST_S)
        ray.kill(engines()[0])
        found = [entry.future.result(timeout=LONGEST_S).hypotheses for entry in entries]
    finally:
        for dispatcher in dispatchers:
            dispatcher.stop()
    assert found == [alone(source, LONG) for source in sources]
    assert counted(metrics, "engine_restarts_total") == 1


_PARENT = """
import ray, sys, time
from service.cluster.engine_actor import EngineActor
from service.cluster.ray_engine import ActorOptions, RayEngine
from tests.service.tiny_models import tiny_bundle
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="error")
RayEngine(tiny_bundle(), ActorOptions(num_slots=8)).start()
print("started", flush=True)
time.sleep(1000)
"""


def test_actors_end_with_their_front_however_it_ends(cluster: Cluster) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, cluster.address], stdout=subprocess.PIPE, text=True
    )
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "started\n"
        (actor,) = engines()
        process = process_of(actor)
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: is_gone(process))
