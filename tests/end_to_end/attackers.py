"""The clients of an attack, in a process of their own: `python -m tests.end_to_end.attackers`.

Prints as JSON what they got, so that their work does not disturb the measurements beside them.
"""

import argparse
import contextlib
import json
import os
import random
import socket
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from tests.end_to_end.attacks import ATTACKS, Attack, Reading, Request

MAX_MIXED_CLIENTS = 64
_NICENESS = 19
"""The clients run beside the server, which shall not wait for a CPU that they use."""
_AUTOGROUP = Path("/proc/self/autogroup")
"""Niceness of a whole session; where the kernel groups processes so, the only one that counts."""
_KEPT_S = 3.0
"""How long a client keeps a connection on which it does not read."""
_PATIENCE_S = 90.0
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """What the clients of each attack got; safe between threads."""

    statuses: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    error_bytes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Size of the largest reply that was an error."""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def note(self, name: str, status: str, size_bytes: int) -> None:
        """Count a reply."""
        with self.lock:
            self.statuses[name][status] += 1
            if status >= "400" and status.isdigit():
                self.error_bytes[name] = max(self.error_bytes[name], size_bytes)

    def as_json(self) -> str:
        """All of it."""
        with self.lock:
            return json.dumps({"statuses": self.statuses, "error_bytes": self.error_bytes})


def send(address: tuple[str, int], request: Request, key: str) -> tuple[str, int]:
    """Send a request; returns the status, or the error, and the bytes that came back."""
    try:
        with socket.create_connection(address, timeout=_PATIENCE_S) as connection:
            if request.reading is Reading.UNASKED:
                connection.sendall(request.head(key)[:-2] + request.body)
                time.sleep(_KEPT_S)
                return "unasked", 0
            if request.reading is Reading.NOTHING:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            _send_all(connection, request.head(key) + request.body)
            if request.reading is Reading.NOTHING:
                time.sleep(_KEPT_S)
            return _receive(connection, request.reading)
    except OSError as error:
        return type(error).__name__, 0


def _send_all(connection: socket.socket, data: bytes) -> None:
    """An early answer may close the connection while the rest is sent."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(data)


def _receive(connection: socket.socket, reading: Reading) -> tuple[str, int]:
    start, size = b"", 0
    try:
        while part := connection.recv(1 << 16):
            start = start or part[:16]
            size += len(part)
            if reading is not Reading.ALL:
                break
    except ConnectionResetError:  # the reply came before the end of the request
        if not start:
            raise
    return start[9:12].decode("latin-1") or "closed", size


def clients(
    attacks: Sequence[Attack], seed: int
) -> Iterator[tuple[str, Iterator[tuple[str, Request]]]]:
    """What each client sends, without end.

    A single attack has its own number of clients; of several, each client has all in another order.
    """
    made = {attack.name: list(attack.requests()) for attack in attacks}
    if len(attacks) == 1:
        (attack,) = attacks
        for number in range(attack.num_clients):
            requests = made[attack.name]
            turned = requests[number % len(requests) :] + requests[: number % len(requests)]
            yield attack.name, cycle([(attack.name, each) for each in turned])
        return
    everything = [(name, each) for name, requests in made.items() for each in requests]
    for number in range(MAX_MIXED_CLIENTS):
        mixed = list(everything)
        random.Random(seed + number).shuffle(mixed)
        yield "mix", cycle(mixed)


def attack(
    address: tuple[str, int], attacks: Sequence[Attack], *, key: str, seconds: float, seed: int
) -> Harvest:
    """Let all clients send for some seconds."""
    harvest = Harvest()
    until_s = time.monotonic() + seconds

    def be_a_client(requests: Iterator[tuple[str, Request]]) -> None:
        for name, request in requests:
            if time.monotonic() >= until_s:
                return
            harvest.note(name, *send(address, request, key))
            time.sleep(_PAUSE_S)

    threads = [
        threading.Thread(target=be_a_client, args=(requests,), daemon=True)
        for _, requests in clients(attacks, seed)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
    return harvest


def _give_way() -> None:
    """Leave the CPUs to the server and to the measurement, each in a session of its own."""
    os.nice(_NICENESS)
    with contextlib.suppress(OSError):
        _AUTOGROUP.write_text(str(_NICENESS), "ascii")


def main() -> int:
    """Attack the server at an address."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("names", nargs="+")
    given = parser.parse_args()
    _give_way()
    chosen = [each for each in ATTACKS if each.name in given.names]
    key = os.environ["ATTACKER_KEY"]
    found = attack(
        (given.host, given.port), chosen, key=key, seconds=given.seconds, seed=given.seed
    )
    print(found.as_json(), flush=True)
    os._exit(0)  # clients that still wait for a reply are of no interest


if __name__ == "__main__":
    sys.exit(main())
