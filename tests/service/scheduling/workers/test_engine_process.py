"""The loop of an engine process, here in a thread, with a front that does not read."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from service.engine.inspection import AttendRequest
from service.engine.loop import Decoded, EngineLoop
from service.engine.prefill import DecodeRequest
from service.scheduling.workers.engine_process import EngineProcess
from service.scheduling.workers.messages import (
    PART_BYTES,
    Attend,
    Frames,
    Part,
    Report,
    Submit,
    decode_attended,
    encode,
)
from tests.service.engine.spy import DecoderSpy, spied
from tests.service.engine.tiny import GREEDY, alone, tiny_sessions, tiny_sources
from tests.service.scheduling.workers.pairs import EVERYTHING, assert_attended, pairs
from tests.service.waiting import eventually

BUFFER_BYTES = 4 << 20
COUNT = 39


@pytest.fixture
def served() -> Iterator[tuple[socket.socket, DecoderSpy]]:
    """The front's end of a connection to a running engine, and what its decoder does."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    sessions, spy = spied(tiny_sessions())
    engine = EngineProcess(theirs, EngineLoop(sessions, num_slots=8))
    thread = threading.Thread(target=_run_until_reset, args=(engine,), daemon=True)
    thread.start()
    try:
        yield ours, spy
    finally:
        ours.close()
        thread.join(timeout=60)
        theirs.close()
        assert not thread.is_alive()


def _run_until_reset(engine: EngineProcess) -> None:
    """As its process does: the front may go before it has read all."""
    with suppress(BrokenPipeError, ConnectionResetError):
        engine.run()


def test_an_engine_steps_on_while_no_part_of_its_maps_is_read(
    served: tuple[socket.socket, DecoderSpy],
) -> None:
    front, spy = served
    repeated = pairs(COUNT) * 20
    front.sendall(
        encode(Attend(request=AttendRequest(handle=1, pairs=repeated, wanted=EVERYTHING)))
    )
    sources = tiny_sources() * 3
    requests = [
        DecodeRequest(handle=n, source_ids=source, options=GREEDY)
        for n, source in enumerate(sources, start=2)
    ]
    front.sendall(encode(Submit(requests=tuple(requests))))
    least_steps = sum(len(alone(source, GREEDY)[0].target_ids) for source in sources) // 8
    eventually(lambda: len(spy.fed) >= least_steps)
    decoded: list[Decoded[int]] = []
    parts: list[Part] = []
    frames = Frames()
    while not (parts and parts[-1].is_last and len(decoded) == len(sources)):
        for message in frames.feed(front.recv(1 << 18)):
            match message:
                case Report(progress=progress):
                    decoded += progress.decoded
                case Part():
                    parts.append(message)
    assert {d.handle: d.hypotheses for d in decoded} == {
        n: alone(source, GREEDY) for n, source in enumerate(sources, start=2)
    }
    data = b"".join(part.data for part in parts)
    assert len(data) > BUFFER_BYTES, "or nothing had to wait"
    assert max(len(part.data) for part in parts) <= PART_BYTES
    attended = decode_attended(data)
    assert_attended(attended.pairs[:COUNT], COUNT)
    assert len(attended.pairs) == len(repeated)
