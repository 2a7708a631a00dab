"""Engine processes: the same results as in this process, and nothing lost when one dies."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bundle.reader import read_bundle
from service.engine.inspection import AttendRequest, PairOutputs
from service.engine.loop import Progress
from service.engine.prefill import DecodeRequest
from service.errors import StartupError, TranslationFailedError
from service.observability.metrics import Metrics
from service.scheduling.attend_queue import AttendQueue
from service.scheduling.job import Entry, JobResult
from service.scheduling.limits import AdmissionLimits
from service.scheduling.queue import AdmissionQueue
from service.scheduling.workers.dispatcher import Dispatcher
from service.scheduling.workers.engine_client import EngineDiedError
from service.scheduling.workers.process_engine import ProcessEngine, ProcessOptions
from tests.service.engine.tiny import EVERY_KIND, GREEDY, LIMIT, POISONED, alone, tiny_sources
from tests.service.scheduling.workers.pairs import EVERYTHING, asked, assert_attended, pairs
from tests.service.scheduling.workers.single_loop import counted, job_of
from tests.service.tiny_models import tiny_bundle
from tests.service.waiting import eventually

PATIENCE_S = 60
LONG = replace(GREEDY, max_target_tokens=LIMIT)


def engine(max_silence_s: float = 60.0) -> ProcessEngine:
    options = ProcessOptions(num_slots=8, max_silence_s=max_silence_s)
    return ProcessEngine(tiny_bundle(), options)


@contextmanager
def started(max_silence_s: float = 60.0) -> Iterator[ProcessEngine]:
    running = engine(max_silence_s)
    running.start()
    try:
        yield running
    finally:
        running.kill()


def results(running: ProcessEngine, count: int) -> Progress[int]:
    progress: Progress[int] = Progress()
    until_s = time.monotonic() + PATIENCE_S
    while len(progress.decoded) < count and time.monotonic() < until_s:
        progress.add(running.work(1.0))
    return progress


def test_a_process_gives_what_a_sentence_gives_alone() -> None:
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


def attended(running: ProcessEngine) -> Progress[int]:
    progress: Progress[int] = Progress()
    until_s = time.monotonic() + PATIENCE_S
    while not progress.attended and time.monotonic() < until_s:
        progress.add(running.work(1.0))
    return progress


def test_a_process_inspects_beside_its_sentences() -> None:
    sources = tiny_sources()[:5]
    with started() as running:
        running.attend(AttendRequest(handle=7, pairs=pairs(30), wanted=EVERYTHING))
        running.submit(
            [DecodeRequest(handle=n, source_ids=s, options=LONG) for n, s in enumerate(sources)]
        )
        progress = attended(running)
        (found,) = progress.attended
        progress.add(results(running, len(sources) - len(progress.decoded)))
    assert found.handle == 7
    assert_attended(found.pairs, 30)
    decoded = {each.handle: each.hypotheses for each in progress.decoded}
    assert decoded == {n: alone(source, LONG) for n, source in enumerate(sources)}


def test_the_parts_of_a_cancelled_pass_do_not_disturb_the_next() -> None:
    with started() as running:
        assert running.pid is not None
        running.attend(AttendRequest(handle=1, pairs=pairs(39) * 8, wanted=EVERYTHING))
        while not running._reports._parts:
            running.work(1.0)
        running.cancel([1])
        running.attend(AttendRequest(handle=2, pairs=pairs(3), wanted=EVERYTHING))
        progress = attended(running)
        (found,) = (each for each in progress.attended if each.handle == 2)
    assert_attended(found.pairs, 3)


def test_a_pass_that_fails_leaves_the_engine_at_work() -> None:
    with started() as running:
        bad = AttendRequest(handle=1, pairs=((POISONED, POISONED),), wanted=EVERYTHING)
        running.attend(bad)
        progress: Progress[int] = Progress()
        while not progress.failures:
            progress.add(running.work(1.0))
        assert progress.failures[0].handles == (1,)
        running.attend(AttendRequest(handle=2, pairs=pairs(1), wanted=EVERYTHING))
        assert_attended(attended(running).attended[0].pairs, 1)


def test_a_process_inspects_although_its_bundle_was_moved(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_bundle().path, folder)
    running = ProcessEngine(read_bundle(folder), ProcessOptions(num_slots=8))
    running.start()
    try:
        folder.rename(tmp_path / "elsewhere")
        running.attend(AttendRequest(handle=1, pairs=pairs(2), wanted=EVERYTHING))
        assert_attended(attended(running).attended[0].pairs, 2)
    finally:
        running.kill()


def test_a_process_that_was_killed_says_so() -> None:
    with started() as running:
        assert running.pid is not None
        os.kill(running.pid, signal.SIGKILL)
        with pytest.raises(EngineDiedError, match="killed by signal 9"):
            results(running, 1)


def test_a_process_that_hangs_is_noticed() -> None:
    with started(max_silence_s=1.0) as running:
        assert running.pid is not None
        os.kill(running.pid, signal.SIGSTOP)
        with pytest.raises(EngineDiedError, match="no report for 1 s"):
            results(running, 1)


def test_a_process_that_reads_nothing_is_noticed_by_its_writer() -> None:
    requests = [
        DecodeRequest(handle=n, source_ids=tuple(range(n, n + 10_000)), options=LONG)
        for n in range(200)
    ]
    with started(max_silence_s=0.5) as running:
        assert running.pid is not None
        os.kill(running.pid, signal.SIGSTOP)
        with pytest.raises(EngineDiedError, match="it takes no messages"):
            running.submit(requests)


@pytest.mark.parametrize("max_silence_s", [3e6, 1e300])
def test_silence_may_be_longer_than_a_socket_waits(max_silence_s: float) -> None:
    with started(max_silence_s) as running:
        running.submit([DecodeRequest(handle=1, source_ids=tiny_sources()[0], options=GREEDY)])
        assert [each.handle for each in results(running, 1).decoded] == [1]


def test_silence_lasts_from_report_to_report() -> None:
    with started() as running:
        assert running.pid is not None
        os.kill(running.pid, signal.SIGSTOP)
        eventually(lambda: running.work(0.01) is not None and running.silence_s > 1)
        os.kill(running.pid, signal.SIGCONT)
        eventually(lambda: running.work(0.01) is not None and running.silence_s < 0.5)


def test_a_start_that_hangs_is_given_up_when_the_service_ends() -> None:
    starting = engine()
    starting.launch()
    assert starting.pid is not None
    os.kill(starting.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as other:
        failed = other.submit(starting.start)
        starting.give_up()
        with pytest.raises(StartupError):
            failed.result(timeout=PATIENCE_S)
    assert starting.pid is None


def test_a_process_has_a_name_and_a_group_of_its_own() -> None:
    with started() as running:
        assert running.pid is not None
        assert Path(f"/proc/{running.pid}/comm").read_text("ascii") == "pellucid-engine\n"
        assert os.getpgid(running.pid) == running.pid
        assert len(list(Path(f"/proc/{running.pid}/task").iterdir())) == 1


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_descriptors_are_closed_with_their_engine() -> None:
    before = descriptors()
    with started():
        assert len(descriptors()) == len(before) + 2
    gc.collect()
    assert descriptors() <= before


def test_a_process_that_cannot_open_its_bundle_says_why(tmp_path: Path) -> None:
    bundle = replace(tiny_bundle(), path=tmp_path)
    with pytest.raises(StartupError, match=r"an engine cannot start: .*manifest\.json"):
        ProcessEngine(bundle, ProcessOptions(num_slots=8)).start()


def test_a_bundle_that_was_replaced_is_refused() -> None:
    bundle = replace(tiny_bundle(), sha256="0" * 64)
    with pytest.raises(StartupError, match="replaced after it was verified"):
        ProcessEngine(bundle, ProcessOptions(num_slots=8)).start()


def test_bytes_that_are_no_message_end_the_engine_alone() -> None:
    with started() as running:
        connection = running._connection
        assert connection is not None
        connection.sendall(b"\x05\0\0\0nope!")
        with pytest.raises(EngineDiedError):
            results(running, 1)


def test_a_process_imports_no_server_and_no_tokenizer() -> None:
    code = (
        "import service.scheduling.workers.engine_process, sys;"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    unwanted = {"fastapi", "starlette", "uvicorn", "prometheus_client", "pydantic_settings"}
    assert unwanted.isdisjoint(loaded)
    assert "sentencepiece" not in loaded


def test_engines_end_with_their_parent_however_it_ends() -> None:
    code = (
        "import sys, time; sys.path.insert(0, '.');"
        "from tests.service.scheduling.workers.test_process_engine import engine;"
        "e = engine(); e.start(); print(e.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert ends(pid)


def ends(pid: int) -> bool:
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        try:
            state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """Engines at work on a queue."""

    queue: AdmissionQueue
    metrics: Metrics
    engines: tuple[ProcessEngine, ...]

    attends: AttendQueue

    def inspect(self, count: int) -> Future[tuple[PairOutputs, ...]]:
        attend = asked(count)
        self.attends.add(attend)
        return attend.future

    def submit(self, source: tuple[int, ...]) -> Future[JobResult]:
        entry = Entry(job=job_of(source, LONG), submitted_s=time.monotonic())
        self.queue.add(entry)
        return entry.future


@contextmanager
def fed(engines: Sequence[ProcessEngine]) -> Iterator[Fed]:
    metrics = Metrics()
    queue = AdmissionQueue(AdmissionLimits(), metrics)
    attends = AttendQueue()
    dispatchers = [Dispatcher(each, queue, metrics, attends=attends) for each in engines]
    for dispatcher in dispatchers:
        dispatcher.launch()
    for dispatcher in dispatchers:
        dispatcher.start()
    try:
        yield Fed(queue=queue, metrics=metrics, engines=tuple(engines), attends=attends)
    finally:
        for dispatcher in dispatchers:
            dispatcher.stop()


def kill(victim: ProcessEngine) -> None:
    pid = victim.pid
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("num_engines", [1, 2])
def test_no_job_is_lost_when_an_engine_is_killed_at_work(num_engines: int) -> None:
    with fed([engine() for _ in range(num_engines)]) as service:
        sources = (tiny_sources() * 40)[:600]
        futures = [service.submit(source) for source in sources]
        futures[5].result(timeout=PATIENCE_S)
        kill(service.engines[0])
        hypotheses = [future.result(timeout=PATIENCE_S).hypotheses for future in futures]
        assert hypotheses == [alone(source, LONG) for source in sources]
        assert counted(service.metrics, "engine_restarts_total") == 1
        assert counted(service.metrics, "slots_in_use") == 0 or not service.queue.is_busy


class FragileEngine(ProcessEngine):
    """Dies whenever it gets one sentence."""

    def submit(self, requests: Sequence[DecodeRequest[int]], *, is_urgent: bool = False) -> None:
        if any(request.source_ids == POISONED for request in requests):
            kill(self)  # before it could decode the sentence
        super().submit(requests, is_urgent=is_urgent)


def test_a_job_that_was_alone_in_two_deaths_fails_alone() -> None:
    fragile = FragileEngine(tiny_bundle(), ProcessOptions(num_slots=8))
    with fed([fragile]) as service:
        sources = [*tiny_sources()[:3], POISONED, *tiny_sources()[3:6]]
        futures = [service.submit(source) for source in sources]
        with pytest.raises(TranslationFailedError):
            futures.pop(3).result(timeout=PATIENCE_S)
        sources.remove(POISONED)
        hypotheses = [future.result(timeout=PATIENCE_S).hypotheses for future in futures]
        assert hypotheses == [alone(source, LONG) for source in sources]
        assert counted(service.metrics, "engine_restarts_total") == 4, "twice with others"


class DyingOverPasses(ProcessEngine):
    """Is killed by the first passes that it gets."""

    num_deaths = 1

    def attend(self, request: AttendRequest[int]) -> None:
        if self.num_deaths:
            self.num_deaths -= 1
            kill(self)  # before it could answer
        super().attend(request)


@pytest.mark.parametrize("num_engines", [1, 2])
def test_the_pass_of_an_engine_that_dies_goes_to_another(num_engines: int) -> None:
    options = ProcessOptions(num_slots=8)
    dying = DyingOverPasses(tiny_bundle(), options)
    with fed([dying, *(engine() for _ in range(num_engines - 1))]) as service:
        eventually(lambda: ends_well(service) and dying.num_deaths == 0)
        eventually(lambda: counted(service.metrics, "engine_restarts_total") == 1)


def ends_well(service: Fed) -> bool:
    assert_attended(service.inspect(9).result(timeout=PATIENCE_S), 9)
    return True


def test_a_pass_over_which_two_engines_died_fails_alone() -> None:
    dying = DyingOverPasses(tiny_bundle(), ProcessOptions(num_slots=8))
    dying.num_deaths = 2
    with fed([dying]) as service:
        with pytest.raises(TranslationFailedError):
            service.inspect(2).result(timeout=PATIENCE_S)
        assert ends_well(service)
