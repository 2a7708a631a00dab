"""One engine: takes sentences, encodes ahead, steps, and returns what has finished.

Single-threaded and without locks; its owner calls `turn` again and again. It knows no queue, no
deadline, no client and no process: those belong to the front.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic

from service.engine.batch_decoder import BatchDecoder
from service.engine.graphs.sessions import Sessions
from service.engine.prefill import DecodeRequest, Key, PreparedSentence
from service.engine.search.options import Hypothesis

MAX_GROUP_TOKENS = 768
"""Source tokens that are encoded between two steps of a running batch. Larger calls cost more a
token (docs/decisions/0045)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded(Generic[Key]):
    """A sentence that has ended, and where its time went, in seconds."""

    key: Key
    hypotheses: tuple[Hypothesis, ...]
    """Best first."""
    wait_s: float
    """Before the encoder and between encoder and first step."""
    encode_s: float
    decode_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Generic[Key]):
    """An exception of a graph or a search, and the sentences that were inside."""

    keys: tuple[Key, ...]
    error: str


@dataclass(slots=True, kw_only=True)
class Progress(Generic[Key]):
    """What one or several turns have done."""

    decoded: list[Decoded[Key]] = field(default_factory=list)
    failures: list[Failure[Key]] = field(default_factory=list)
    steps: Counter[int] = field(default_factory=Counter)
    """How many steps had how many rows."""
    groups: list[tuple[int, int]] = field(default_factory=list)
    """Tokens of every encoder call, and tokens with padding."""
    slots_in_use: int = 0
    """Rows that were reserved at the end of the last turn."""

    def add(self, later: "Progress[Key]") -> None:
        """Count what came after."""
        self.decoded += later.decoded
        self.failures += later.failures
        self.steps += later.steps
        self.groups += later.groups
        self.slots_in_use = later.slots_in_use


@dataclass(slots=True, kw_only=True)
class _Times:
    """Moments of one sentence on the clock, seconds."""

    submitted_s: float
    encoding_s: float = 0.0
    encoded_s: float = 0.0
    joined_s: float = 0.0


class EngineLoop(Generic[Key]):
    """Decodes up to `num_slots` rows at once."""

    def __init__(
        self,
        sessions: Sessions,
        *,
        num_slots: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Allocate the cache."""
        self._decoder: BatchDecoder[Key] = BatchDecoder(sessions, num_slots=num_slots)
        self._clock = clock
        self._waiting: dict[Key, DecodeRequest[Key]] = {}
        self._urgent: dict[Key, DecodeRequest[Key]] = {}
        self._encoding: list[DecodeRequest[Key]] = []
        self._prepared: deque[PreparedSentence[Key]] = deque()
        self._times: dict[Key, _Times] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no sentence is inside."""
        return not self._times

    @property
    def slots_in_use(self) -> int:
        """Rows that sentences in the batch have reserved."""
        return self._decoder.num_slots - self._decoder.free_slots

    def submit(self, requests: Sequence[DecodeRequest[Key]], *, is_urgent: bool = False) -> None:
        """Take sentences; they begin in this order as slots fall free.

        Urgent ones begin before all that have no slots yet, so that encoding ahead for one client
        costs another nothing.
        """
        now_s = self._clock()
        for request in requests:
            self._times[request.key] = _Times(submitted_s=now_s)
        taken = {request.key: request for request in requests}
        if is_urgent:
            self._urgent |= taken
        else:
            self._waiting |= taken

    def cancel(self, keys: Sequence[Key]) -> None:
        """Drop sentences, wherever they are; unknown keys have ended already."""
        dropped = {key for key in keys if self._times.pop(key, None) is not None}
        decoding = dropped.intersection(self._decoder.keys) if dropped else ()
        for key in decoding:
            self._decoder.remove(key)
        for key in dropped:
            self._waiting.pop(key, None)
            self._urgent.pop(key, None)
        if dropped:
            self._prepared = deque(s for s in self._prepared if s.request.key not in dropped)

    def turn(self, progress: Progress[Key]) -> None:
        """Encode some of what waits, let it join, give each row a token; adds to `progress`."""
        try:
            self._encode(progress)
            self._join()
            self._step(progress)
        except Exception as error:  # noqa: BLE001 - what a graph raises must not end the engine
            self._fail(progress, error)

    def _encode(self, progress: Progress[Key]) -> None:
        self._encoding = self._next_group()
        if not self._encoding:
            return
        encoding_s = self._clock()
        preparation = self._decoder.prepare(self._encoding)
        encoded_s = self._clock()
        for request in self._encoding:
            times = self._times[request.key]
            times.encoding_s, times.encoded_s = encoding_s, encoded_s
        if self._urgent:
            self._urgent.clear()
            self._prepared.extendleft(reversed(preparation.sentences))
        else:
            self._prepared.extend(preparation.sentences)
        for request in self._encoding:
            self._waiting.pop(request.key, None)
        progress.groups += [(g.num_tokens, g.num_padded_tokens) for g in preparation.groups]

    def _next_group(self) -> list[DecodeRequest[Key]]:
        """The sentences to encode now: none while enough are encoded already."""
        if self._urgent:
            return list(self._urgent.values())
        if len(self._prepared) > self._decoder.free_slots:
            return []
        group: list[DecodeRequest[Key]] = []
        num_tokens = 0
        for request in self._waiting.values():
            num_tokens += len(request.source_ids)
            if group and num_tokens > MAX_GROUP_TOKENS:
                break
            group.append(request)
        return group

    def _join(self) -> None:
        while self._prepared and self._prepared[0].num_slots <= self._decoder.free_slots:
            sentence = self._prepared.popleft()
            self._times[sentence.request.key].joined_s = self._clock()
            self._decoder.join([sentence])

    def _step(self, progress: Progress[Key]) -> None:
        rows = self._decoder.num_rows
        if not rows:
            return
        finished = self._decoder.step()
        progress.steps[rows] += 1
        now_s = self._clock()
        for result in finished:
            times = self._times.pop(result.key)
            progress.decoded.append(
                Decoded(
                    key=result.key,
                    hypotheses=result.hypotheses,
                    wait_s=times.encoding_s - times.submitted_s + times.joined_s - times.encoded_s,
                    encode_s=times.encoded_s - times.encoding_s,
                    decode_s=now_s - times.joined_s,
                )
            )

    def _fail(self, progress: Progress[Key], error: Exception) -> None:
        """Drop all that was touched: it is unknown which of the sentences was at fault."""
        for request in self._encoding:
            self._waiting.pop(request.key, None)
            self._urgent.pop(request.key, None)
        kept = {**self._urgent, **self._waiting}
        touched = tuple(key for key in self._times if key not in kept)
        progress.failures.append(Failure(keys=touched, error=f"{type(error).__name__}: {error}"))
        for key in touched:
            del self._times[key]
        self._decoder.clear()
        self._prepared.clear()
