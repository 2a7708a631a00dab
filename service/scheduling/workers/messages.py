"""What crosses between the front and an engine process, and how it is framed.

Nothing but ids, options, numbers and error texts crosses; never text, never a key. `framing` says
how. `marshal` writes and reads tuples of numbers several times as fast as JSON or pickle, restores
floats exactly, and cannot name a class, so a body builds nothing but plain values. Both ends run
the same interpreter from the same files; a frame from anywhere else is refused, and ends the
engine, not the front.
"""

import marshal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from service.engine.loop import Decoded, Failure, Progress
from service.engine.prefill import DecodeRequest
from service.engine.search.options import DecodeOptions, Hypothesis
from service.scheduling.workers.framing import HEADER, REFUSED, frame

MAX_FRAME_BYTES = 64 << 20
"""A longer frame is a mistake."""


class BrokenFrameError(Exception):
    """Bytes that are no message of this protocol; the connection cannot go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The engine has opened its sessions and takes work."""

    num_slots: int
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The engine cannot start; it ends."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Sentences to decode, in the order in which they begin."""

    requests: tuple[DecodeRequest[int], ...]
    is_urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Sentences whose results are no longer wanted."""

    handles: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Leave at once; nothing is finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the iterations since the last report have done; without work a sign of life."""

    progress: Progress[int]


Message = Ready | Refused | Submit | Cancel | Stop | Report


def encode(message: Message) -> bytes:
    """The frame of a message."""
    return frame(_plain(message))


class Frames:
    """Cuts a stream of bytes into messages; keeps what is not whole yet."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are whole now.

        Raises:
            BrokenFrameError: The stream is none of this protocol.
        """
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= HEADER.size:
            (size,) = HEADER.unpack_from(self._buffer, start)
            if size > MAX_FRAME_BYTES:
                raise BrokenFrameError(f"a frame of {size} bytes; the limit is {MAX_FRAME_BYTES}")
            end = start + HEADER.size + size
            if end > len(self._buffer):
                break
            yield decode(bytes(self._buffer[start + HEADER.size : end]))
            start = end
        del self._buffer[:start]


def decode(body: bytes) -> Message:
    """The message of a frame's body.

    Raises:
        BrokenFrameError: It is none.
    """
    try:
        kind, *values = marshal.loads(body)  # nosec B302 - from our own child, see above
        return _READERS[kind](*values)
    except (ValueError, TypeError, KeyError, EOFError, IndexError) as error:
        raise BrokenFrameError(f"a frame that does not parse: {error}") from error


_OPTION_NAMES = tuple(field.name for field in fields(DecodeOptions))
_HYPOTHESIS_NAMES = tuple(field.name for field in fields(Hypothesis))
_options_of = attrgetter(*_OPTION_NAMES)
_fields_of = attrgetter(*_HYPOTHESIS_NAMES)


def _plain(message: Message) -> tuple[Any, ...]:
    match message:
        case Ready(num_slots=num_slots, pid=pid):
            return ("ready", num_slots, pid)
        case Refused(reason=reason):
            return (REFUSED, reason)
        case Submit(requests=requests, is_urgent=is_urgent):
            plain = [(r.handle, tuple(r.source_ids), _options_of(r.options)) for r in requests]
            return ("submit", plain, is_urgent)
        case Cancel(handles=handles):
            return ("cancel", handles)
        case Stop():
            return ("stop",)
        case Report(progress=progress):
            return (
                "report",
                [_plain_decoded(decoded) for decoded in progress.decoded],
                [(failure.handles, failure.error) for failure in progress.failures],
                dict(progress.steps),
                progress.groups,
                progress.slots_in_use,
            )


def _plain_decoded(decoded: Decoded[int]) -> tuple[Any, ...]:
    hypotheses = [_fields_of(hypothesis) for hypothesis in decoded.hypotheses]
    return (decoded.handle, hypotheses, decoded.wait_s, decoded.encode_s, decoded.decode_s)


def _submit(
    requests: Sequence[tuple[int, tuple[int, ...], tuple[Any, ...]]], is_urgent: bool
) -> Submit:
    return Submit(
        is_urgent=is_urgent,
        requests=tuple(
            DecodeRequest(
                handle=handle,
                source_ids=source_ids,
                options=DecodeOptions(**dict(zip(_OPTION_NAMES, options, strict=True))),
            )
            for handle, source_ids, options in requests
        ),
    )


def _report(
    decoded: Sequence[tuple[Any, ...]],
    failures: Sequence[tuple[tuple[int, ...], str]],
    steps: dict[int, int],
    groups: list[tuple[int, int]],
    slots_in_use: int,
) -> Report:
    progress: Progress[int] = Progress(
        decoded=[_decoded(*values) for values in decoded],
        failures=[Failure(handles=handles, error=error) for handles, error in failures],
        groups=groups,
        slots_in_use=slots_in_use,
    )
    progress.steps.update(steps)
    return Report(progress=progress)


def _decoded(
    handle: int,
    hypotheses: Sequence[tuple[Any, ...]],
    wait_s: float,
    encode_s: float,
    decode_s: float,
) -> Decoded[int]:
    return Decoded(
        handle=handle,
        hypotheses=tuple(
            Hypothesis(**dict(zip(_HYPOTHESIS_NAMES, values, strict=True))) for values in hypotheses
        ),
        wait_s=wait_s,
        encode_s=encode_s,
        decode_s=decode_s,
    )


_READERS: dict[str, Callable[..., Message]] = {
    "ready": lambda num_slots, pid: Ready(num_slots=num_slots, pid=pid),
    REFUSED: lambda reason: Refused(reason=reason),
    "submit": _submit,
    "cancel": lambda handles: Cancel(handles=tuple(handles)),
    "stop": Stop,
    "report": _report,
}
