"""What crosses between the front and an engine process, and how it is framed.

Nothing but ids, options, numbers and error texts crosses; never text, never a key. `framing` says
how. `marshal` writes and reads tuples of numbers several times as fast as JSON or pickle, restores
floats exactly, and cannot name a class, so a body builds nothing but plain values. Both ends run
the same interpreter from the same files; a frame from anywhere else is refused, and ends the
engine, not the front.

Attention maps may be megabytes: they come back in `Part`s of at most `PART_BYTES`, between which
the engine goes on stepping. The parts of one pass follow each other; those of a pass that was
cancelled meanwhile end early, which the first part of the next one shows.
"""

import marshal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.inspection import Attended, AttendRequest, IdPair, PairOutputs, WantedOutputs
from service.engine.loop import Decoded, Failure, Progress
from service.engine.prefill import DecodeRequest
from service.engine.search.options import DecodeOptions, Hypothesis
from service.engine.search.trace import Candidate, SearchTrace, StopReason
from service.scheduling.workers.framing import HEADER, MARSHAL_VERSION, REFUSED, frame

MAX_FRAME_BYTES = 64 << 20
"""A longer frame is a mistake."""
PART_BYTES = 1 << 17
"""Less than an empty socket takes at once, so that an engine never waits for the front."""


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
class Attend:
    """Finished pairs to inspect."""

    request: AttendRequest[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Sentences and passes whose results are no longer wanted."""

    handles: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Leave at once; nothing is finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the iterations since the last report have done; without work a sign of life."""

    progress: Progress[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some of what a pass has found; all parts together are read by `decode_attended`."""

    handle: int
    data: bytes
    is_last: bool


Message = Ready | Refused | Submit | Attend | Cancel | Stop | Report | Part


def encode(message: Message) -> bytes:
    """The frame of a message."""
    return frame(_plain(message))


def encode_attended(attended: Attended[int]) -> bytes:
    """What a pass has found, to be sent in parts."""
    pairs = [
        (
            [(kind, _plain_array(values)) for kind, values in pair.maps.items()],
            _plain_array(pair.alignment),
            _plain_array(pair.log_probs),
            [_plain_array(values) for values in pair.layers],
        )
        for pair in attended.pairs
    ]
    return marshal.dumps((attended.handle, pairs), MARSHAL_VERSION)


def decode_attended(data: bytes) -> Attended[int]:
    """What `encode_attended` has written.

    Raises:
        BrokenFrameError: It has not.
    """
    try:
        handle, pairs = marshal.loads(data)  # nosec B302 - from our own child, see above
        return Attended(handle=handle, pairs=tuple(_pair_outputs(*pair) for pair in pairs))
    except (ValueError, TypeError, EOFError) as error:
        raise BrokenFrameError(f"attention maps that do not parse: {error}") from error


def parts_of(attended: Attended[int]) -> Iterator[Part]:
    """What a pass has found, cut into messages."""
    data = encode_attended(attended)
    for start in range(0, len(data), PART_BYTES):
        end = start + PART_BYTES
        yield Part(handle=attended.handle, data=data[start:end], is_last=end >= len(data))


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
assert _HYPOTHESIS_NAMES[-1] == "trace", "it is written by itself"
_WANTED_NAMES = tuple(field.name for field in fields(WantedOutputs))
_options_of = attrgetter(*_OPTION_NAMES)
_wanted_of = attrgetter(*_WANTED_NAMES)
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
        case Attend(request=request):
            wanted = _wanted_of(request.wanted)
            return ("attend", request.handle, request.pairs, wanted)
        case Part(handle=handle, data=data, is_last=is_last):
            return ("part", handle, data, is_last)
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
    hypotheses = [_plain_hypothesis(hypothesis) for hypothesis in decoded.hypotheses]
    return (decoded.handle, hypotheses, decoded.wait_s, decoded.encode_s, decoded.decode_s)


def _plain_hypothesis(hypothesis: Hypothesis) -> tuple[Any, ...]:
    *values, trace = _fields_of(hypothesis)
    if trace is None:
        return (*values, None)
    # A plain tuple each: `marshal` writes no class, not even a named tuple.
    return (*values, ([[*map(tuple, step)] for step in trace.steps], trace.stop))


def _hypothesis(
    *values: Any,  # noqa: ANN401 - of every type that a field has
    trace: tuple[Sequence[Sequence[tuple[Any, ...]]], StopReason] | None,
) -> Hypothesis:
    found = Hypothesis(**dict(zip(_HYPOTHESIS_NAMES[:-1], values, strict=True)))
    if trace is None:
        return found
    steps, stop = trace
    read = tuple(tuple(Candidate(*each) for each in step) for step in steps)
    return replace(found, trace=SearchTrace(steps=read, stop=stop))


_PlainArray = tuple[tuple[int, ...], bytes]


def _plain_array(values: NDArray[np.float32] | None) -> _PlainArray | None:
    return None if values is None else (values.shape, values.tobytes())


def _array(plain: _PlainArray | None) -> NDArray[np.float32] | None:
    if plain is None:
        return None
    shape, data = plain
    return np.frombuffer(data, dtype=np.float32).reshape(shape)


def _pair_outputs(
    maps: Sequence[tuple[Any, _PlainArray]],
    alignment: _PlainArray | None,
    log_probs: _PlainArray | None,
    layers: Sequence[_PlainArray | None],
) -> PairOutputs:
    return PairOutputs(
        maps={kind: values for kind, plain in maps if (values := _array(plain)) is not None},
        alignment=_array(alignment),
        log_probs=_array(log_probs),
        layers=tuple(values for plain in layers if (values := _array(plain)) is not None),
    )


def _attend(handle: int, pairs: tuple[IdPair, ...], wanted: tuple[Any, ...]) -> Attend:
    outputs = WantedOutputs(**dict(zip(_WANTED_NAMES, wanted, strict=True)))
    return Attend(request=AttendRequest(handle=handle, pairs=pairs, wanted=outputs))


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
        hypotheses=tuple(_hypothesis(*values, trace=trace) for *values, trace in hypotheses),
        wait_s=wait_s,
        encode_s=encode_s,
        decode_s=decode_s,
    )


_READERS: dict[str, Callable[..., Message]] = {
    "ready": lambda num_slots, pid: Ready(num_slots=num_slots, pid=pid),
    REFUSED: lambda reason: Refused(reason=reason),
    "submit": _submit,
    "attend": _attend,
    "part": lambda handle, data, is_last: Part(handle=handle, data=data, is_last=is_last),
    "cancel": lambda handles: Cancel(handles=tuple(handles)),
    "stop": Stop,
    "report": _report,
}
