"""Clients that go on asking while something happens to a server, and count what they get."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

import httpx

from tests.service.waiting import eventually

_LONGEST_S = 120.0
_PAUSE_S = 0.02
"""Between two requests of a client: who asks must leave processors to who answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyLoad:
    """What the clients got so far; safe between threads."""

    answers: "Counter[str]" = field(default_factory=Counter)
    """By status, or by the kind of exception where there was no answer."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def num_answers(self) -> int:
        return sum(self.answers.values())

    def go_on(self, count: int = 10) -> None:
        """Wait until so many further answers have come."""
        wanted = self.num_answers + count
        eventually(lambda: self.num_answers >= wanted)

    def ask(self, url: str, body: Callable[[], bytes]) -> None:
        """Be one client, until the end; every other request on a connection of its own."""
        connections = ("keep-alive", "close")
        with httpx.Client(timeout=_LONGEST_S) as client:
            for connection in cycle(connections):
                headers = {"Content-Type": "application/json", "Connection": connection}
                self._note(client, url, body(), headers)
                if self._ended.wait(_PAUSE_S):
                    return

    def end(self) -> None:
        self._ended.set()

    def _note(self, client: httpx.Client, url: str, body: bytes, headers: dict[str, str]) -> None:
        try:
            answer = str(client.post(url, content=body, headers=headers).status_code)
        except httpx.HTTPError as error:
            answer = type(error).__name__
        with self._lock:
            self.answers[answer] += 1


@contextmanager
def steady_load(url: str, bodies: Sequence[Callable[[], bytes]]) -> Iterator[SteadyLoad]:
    """One client for each of `bodies`, posting what it returns, from here to the end."""
    load = SteadyLoad()
    clients = [threading.Thread(target=load.ask, args=(url, body)) for body in bodies]
    for client in clients:
        client.start()
    try:
        load.go_on()
        yield load
        load.go_on()
    finally:
        load.end()
        for client in clients:
            client.join()
