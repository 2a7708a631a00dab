"""A client with a key and an address of its own, and what it sees of the service meanwhile."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import httpx

_ADDRESS = "127.0.0.2"
"""The share of requests is counted by address, and an attacker has another."""
_FORWARDED_FOR = "203.0.113.7"
"""The same, where all clients come through the proxy of a container."""
_PROBE_PAUSE_S = 0.1
_PAUSE_S = 0.05
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Answers to one kind of request, in the order in which they came."""

    seconds: list[float] = field(default_factory=list)
    statuses: "Counter[str]" = field(default_factory=Counter)

    def percentile_s(self, share: float) -> float:
        """Seconds within which such a share was answered; infinite without any answer."""
        return percentile(self.seconds, share)


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that such a share of all values does not exceed."""
    if not values:
        return float("inf")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bystander:
    """Asks whether the service lives, and for short translations, one after the other."""

    url: str
    key: str
    probes: Seen = field(default_factory=Seen)
    translations: Seen = field(default_factory=Seen)

    @contextmanager
    def watching(self) -> Iterator["Bystander"]:
        """Watch from here to the end."""
        ended = threading.Event()
        threads = [
            threading.Thread(target=each, args=(ended,)) for each in (self._probe, self._translate)
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            ended.set()
            for thread in threads:
                thread.join()

    def _probe(self, ended: threading.Event) -> None:
        with self._client() as client:
            while not ended.wait(_PROBE_PAUSE_S):
                self._note(self.probes, client, client.build_request("GET", f"{self.url}/livez"))

    def _translate(self, ended: threading.Event) -> None:
        numbers = count()
        with self._client() as client:
            while not ended.wait(_PAUSE_S):
                text = f"The weather is nice today, number {next(numbers)}."
                body = {"q": text, "source": "en", "target": "de"}
                request = client.build_request("POST", f"{self.url}/translate", json=body)
                self._note(self.translations, client, request)

    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}", "X-Forwarded-For": _FORWARDED_FOR}
        transport = httpx.HTTPTransport(local_address=_ADDRESS)
        return httpx.Client(transport=transport, headers=headers, timeout=_PATIENCE_S)

    @staticmethod
    def _note(seen: Seen, client: httpx.Client, request: httpx.Request) -> None:
        started_s = time.perf_counter()
        try:
            status = str(client.send(request).status_code)
        except httpx.HTTPError as error:
            status = type(error).__name__
        seen.seconds.append(time.perf_counter() - started_s)
        seen.statuses[status] += 1
