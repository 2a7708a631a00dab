"""What every test finds, and how the tests are spread over processes."""

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from service.observability.logs import JsonFormatter
from service.server.cpu_quota import available_cpus

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling
    from xdist.workermanage import WorkerController

# Property tests on any machine: how long an example takes is never what is tested. Built on the
# current profile, which differs where hypothesis finds itself in CI.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# Models that are installed on this machine are no part of what is tested.
os.environ["XDG_DATA_HOME"] = str(Path(tempfile.gettempdir()) / "pellucid-tests-without-data")

CONTAINERS = "tests/docker/"
MAX_PROCESSES = 8
"""Each grows to a gigabyte, and with more of them the longest file is all that is waited for."""
NUM_LEFT_OUT = pytest.StashKey[int]()
"""Slow tests that were not asked for."""
_LEVEL = logging.getLogger().level


@pytest.fixture(autouse=True, scope="session")
def _records_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Servers of the tests leave nothing in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELLUCID_CACHE_FOLDER", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _logging_as_at_the_start() -> None:
    """A server in this process, maybe of another module, has sent the logs where it wanted them."""
    root = logging.getLogger()
    root.handlers = [x for x in root.handlers if not isinstance(x.formatter, JsonFormatter)]
    root.setLevel(_LEVEL)
    logging.captureWarnings(False)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: the CPUs that this container may use, not those that the machine has."""
    return min(available_cpus(), MAX_PROCESSES)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: "Producer"
) -> "LoadFileScheduling | None":
    """`--dist loadfile`, but that one process has the one Docker engine and its image."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return CONTAINERS if file.startswith(CONTAINERS) else file

    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: begun last, one process would go on alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (not item.nodeid.startswith(CONTAINERS), item.path not in slow))


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("slow"):
            item.config.stash[NUM_LEFT_OUT] = item.config.stash.get(NUM_LEFT_OUT, 0) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker: only workers collect, and so know."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(NUM_LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: "WorkerController") -> None:
    """Every worker has collected the same, unless it broke down."""
    left_out = getattr(node, "workeroutput", {}).get("left_out", 0)
    node.config.stash[NUM_LEFT_OUT] = max(node.config.stash.get(NUM_LEFT_OUT, 0), left_out)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if num_left_out := config.stash.get(NUM_LEFT_OUT, 0):
        terminalreporter.write_line(
            f"slow tests left out: {num_left_out} (`make test-all` runs them too)"
        )
