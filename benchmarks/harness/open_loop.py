"""Requests on a schedule, whether earlier ones were answered or not.

A closed loop waits for a slow server and so never overloads it. Times count from the moment when a
request was due, so delays of the sender are included (coordinated omission).
"""

import asyncio
import contextlib
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from benchmarks.harness.http_client import Connection
from benchmarks.harness.server_process import HOST
from benchmarks.harness.workload import Call

_SETTLE_S = 60.0
"""Time to wait for replies, after the last request was due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Rate and duration of the load."""

    rate: float
    """Mean requests per second; arrivals are a Poisson process."""
    seconds: float
    max_connections: int = 2000
    """Maximum open connections; a request without one is dropped and counted."""


@dataclass(slots=True, kw_only=True)
class Arrivals:
    """Outcomes of the requests of a plan."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    """Seconds from due to answered, by status."""
    num_dropped: int = 0
    num_broken: int = 0
    """Connections that ended without a reply."""

    def add(self, status: int, seconds: float) -> None:
        """Count a reply."""
        self.seconds.setdefault(status, []).append(seconds)

    @property
    def accepted(self) -> list[float]:
        """Seconds of the served requests."""
        return self.seconds.get(HTTPStatus.OK, [])

    @property
    def rejected(self) -> list[float]:
        """Seconds of the rejected requests."""
        return self.seconds.get(HTTPStatus.TOO_MANY_REQUESTS, [])


def percentile_ms(seconds: Sequence[float], percent: int) -> float | None:
    """Percentile in milliseconds; None for fewer than two values."""
    if len(seconds) < 2:
        return None
    return round(1000 * statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1], 1)


async def send_on_schedule(port: int, calls: Iterator[Call], plan: Plan, seed: int) -> Arrivals:
    """Send `calls` as planned and wait for all replies."""
    sender = _Sender(port, plan)
    chance = random.Random(seed)
    due_s = time.perf_counter()
    end_s = due_s + plan.seconds
    tasks: set[asyncio.Task[None]] = set()
    while (due_s := due_s + chance.expovariate(plan.rate)) < end_s:
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        task = asyncio.create_task(sender.send(next(calls), due_s))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    if tasks:
        await asyncio.wait(tasks, timeout=_SETTLE_S)
    await sender.close()
    return sender.arrivals


class _Sender:
    """Keeps idle connections for the next request."""

    def __init__(self, port: int, plan: Plan) -> None:
        self.arrivals = Arrivals()
        self._port = port
        self._plan = plan
        self._idle: list[Connection] = []
        self._num_open = 0

    async def send(self, call: Call, due_s: float) -> None:
        connection = await self._connection()
        if connection is None:
            self.arrivals.num_dropped += 1
            return
        try:
            status, _ = await connection.post(call.path, call.content)
        except (OSError, asyncio.IncompleteReadError):
            self.arrivals.num_broken += 1
            self._num_open -= 1
            return
        self.arrivals.add(status, time.perf_counter() - due_s)
        self._idle.append(connection)

    async def close(self) -> None:
        for connection in self._idle:
            with contextlib.suppress(OSError):
                await connection.__aexit__(None, None, None)

    async def _connection(self) -> Connection | None:
        if self._idle:
            return self._idle.pop()
        if self._num_open >= self._plan.max_connections:
            return None
        self._num_open += 1
        return await Connection(HOST, self._port).__aenter__()
