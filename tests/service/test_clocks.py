"""The clock on the wall may jump: only what is shown to people reads it."""

import ast
import asyncio
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.errors import DeadlineExceededError
from service.models.loaded_model import LoadedModel
from service.scheduling.job import Job, JobResult
from tests.service.engine.tiny import GREEDY, alone, tiny_sources
from tests.service.tiny_models import running
from tests.service.waiting import eventually

SERVICE = Path(__file__).parents[2] / "service"
WALL_CLOCKS = {"time", "time_ns", "now", "utcnow", "today", "fromtimestamp", "localtime", "gmtime"}
MODULES = {"time", "datetime", "date"}
ALLOWED = {
    "observability/logs.py": "the time of an event",
    "api/auth/api_keys.py": "which month a quota is for",
    "documents/jobs/file_jobs.py": "until when a file is kept, over restarts",
    "documents/jobs/survey.py": "how old a half-made job of another process is",
    "cli/stores/memory.py": "when a translation was last used",
    "translation/memory/client_memory.py": "when a translation was last used",
    "translation/memory/translation_memory.py": "when a translation was last used",
    "api/suggestions.py": "when a suggestion was made",
    "api/deepl/documents.py": "how long a document may still take, as people are told",
    "api/glossaries/stored.py": "when a glossary was made",
    "cli/stores/keys.py": "until when a key is good",
    "observability/tracing.py": "when a span began, for who collects spans of several machines",
}
YEARS_S = 10 * 365 * 86_400.0
PATIENCE_S = 30


def wall_clock_calls(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in MODULES:
                if name in WALL_CLOCKS:
                    yield f"{module}.{name}"
            case ast.ImportFrom(module="time", names=names):
                yield from (f"time.{n.name}" for n in names if n.name in WALL_CLOCKS)


def test_the_look_for_wall_clocks_finds_them(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("import time\nfrom time import time_ns\nstart = time.time\ndate.today()\n")
    assert set(wall_clock_calls(file)) == {"time.time", "time.time_ns", "date.today"}


def test_nothing_waits_or_expires_by_the_clock_on_the_wall() -> None:
    found = {
        str(path.relative_to(SERVICE)): sorted(wall_clock_calls(path))
        for path in SERVICE.rglob("*.py")
    }
    assert {name: calls for name, calls in found.items() if calls and name not in ALLOWED} == {}


@pytest.fixture
def jumping(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on the wall that goes ten years to and fro with every look."""
    jumps = itertools.cycle([YEARS_S, -YEARS_S, 0.0])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))


@pytest.mark.usefixtures("jumping")
def test_jumps_end_no_job_and_keep_none_alive() -> None:
    with running() as service:
        run = service.model.scheduler.run

        async def scenario() -> None:
            in_time = [job(source, timeout_s=PATIENCE_S) for source in tiny_sources()]
            late = job(tiny_sources()[0][::-1], timeout_s=0)
            *results, error = await asyncio.gather(
                *map(run, [*in_time, late]), return_exceptions=True
            )
            for source, result in zip(tiny_sources(), results, strict=True):
                assert isinstance(result, JobResult)
                assert result.hypotheses == alone(source, GREEDY)
            assert isinstance(error, DeadlineExceededError)

        asyncio.run(scenario())
        assert is_well(service.model)
        eventually(lambda: not service.registry.is_busy)


def is_well(model: LoadedModel) -> bool:
    return model.scheduler.is_alive(model.options.heartbeat_timeout_s) and model.fault is None


def job(source_ids: tuple[int, ...], *, timeout_s: float) -> Job:
    return Job(source_ids=source_ids, options=GREEDY, deadline_s=time.monotonic() + timeout_s)
