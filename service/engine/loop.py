"""One engine: takes sentences, encodes ahead, steps, and returns what has finished.

Single-threaded and without locks; its owner calls `iterate` again and again. It knows no queue, no
deadline, no client and no process: those belong to the front.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import Generic

from service.engine.batch_decoder import BatchDecoder
from service.engine.graphs.sessions import Sessions
from service.engine.inspection import Attended, AttendRequest, run_pass
from service.engine.prefill import DecodeRequest, HandleT, PrefilledSentence
from service.engine.search.options import Hypothesis

MAX_GROUP_TOKENS = 768
"""Source tokens that are encoded between two steps of a running batch. Larger calls cost more a
token (docs/decisions/0045)."""
MAX_OVERTAKES = 16
"""Urgent sentences that join in a row while another encoded one waits."""
STEPS_TO_PASS = 6.0
"""Steps follow a pass for so many times as long as it took, while there are rows: a pass takes as
long as ten steps or more, and each row would wait for it at every token."""
YOUNG_STEPS = 32
"""Steps after which most sentences that a person waits for have ended. A pass lets them end first,
for `STEPS_TO_PASS` times as long as it is expected to take."""
MAX_PASS_WAIT_S = 0.1
"""Longest wait for them: what a pass takes is guessed from the last one, which may be of a costlier
kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded(Generic[HandleT]):
    """A sentence that has ended, and where its time went, in seconds."""

    handle: HandleT
    hypotheses: tuple[Hypothesis, ...]
    """Best first."""
    wait_s: float
    """Before the encoder and between encoder and first step."""
    encode_s: float
    decode_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Generic[HandleT]):
    """An exception of a graph or a search, and the sentences, or the pass, that were inside."""

    handles: tuple[HandleT, ...]
    error: str


@dataclass(slots=True, kw_only=True)
class Progress(Generic[HandleT]):
    """What one or several iterations have done."""

    decoded: list[Decoded[HandleT]] = field(default_factory=list)
    failures: list[Failure[HandleT]] = field(default_factory=list)
    attended: list[Attended[HandleT]] = field(default_factory=list)
    steps: Counter[int] = field(default_factory=Counter)
    """How many steps had how many rows."""
    groups: list[tuple[int, int]] = field(default_factory=list)
    """Tokens of every encoder call, and tokens with padding."""
    slots_in_use: int = 0
    """Rows that were reserved at the end of the last iteration."""

    def add(self, later: "Progress[HandleT]") -> None:
        """Count what came after."""
        self.decoded += later.decoded
        self.failures += later.failures
        self.attended += later.attended
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
    joined_at_step: int | None = None


class EngineLoop(Generic[HandleT]):
    """Decodes up to `num_slots` rows at once."""

    def __init__(
        self,
        sessions: Sessions,
        *,
        num_slots: int,
        clock: Callable[[], float] = time.perf_counter,
        young_steps: int = YOUNG_STEPS,
    ) -> None:
        """Allocate the cache."""
        self._decoder: BatchDecoder[HandleT] = BatchDecoder(sessions, num_slots=num_slots)
        self._sessions = sessions
        self._clock = clock
        self._waiting: dict[HandleT, DecodeRequest[HandleT]] = {}
        self._urgent: dict[HandleT, DecodeRequest[HandleT]] = {}
        self._encoding: list[DecodeRequest[HandleT]] = []
        self._prefilled: deque[PrefilledSentence[HandleT]] = deque()
        self._prefilled_urgent: deque[PrefilledSentence[HandleT]] = deque()
        self._num_overtakes = 0
        self._attends: dict[HandleT, AttendRequest[HandleT]] = {}
        self._next_pass_s = 0.0
        self._waits_since_s = 0.0
        """When the pass that is next began to wait for steps."""
        self._pass_s_per_token = 0.0
        """Of the last pass."""
        self._young_steps = young_steps
        self._num_steps = 0
        self._times: dict[HandleT, _Times] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nothing is inside."""
        return not (self._times or self._attends)

    @property
    def slots_in_use(self) -> int:
        """Rows that sentences in the batch have reserved."""
        return self._decoder.num_slots - self._decoder.free_slots

    def submit(
        self, requests: Sequence[DecodeRequest[HandleT]], *, is_urgent: bool = False
    ) -> None:
        """Take sentences; they begin in this order as slots fall free.

        Urgent ones begin before others that have no slots yet, so that encoding ahead for one
        request costs another nothing; at most `MAX_OVERTAKES` of them before any one sentence.
        """
        now_s = self._clock()
        for request in requests:
            self._times[request.handle] = _Times(submitted_s=now_s)
        taken = {request.handle: request for request in requests}
        if is_urgent:
            self._urgent |= taken
        else:
            self._waiting |= taken

    def attend(self, request: AttendRequest[HandleT]) -> None:
        """Take pairs to inspect; while there are rows, passes have `1 / (1 + STEPS_TO_PASS)`."""
        if not self._attends:
            self._waits_since_s = self._clock()
        self._attends[request.handle] = request

    def cancel(self, handles: Sequence[HandleT]) -> None:
        """Drop sentences and passes, wherever they are; unknown handles have ended already."""
        for handle in handles:
            self._attends.pop(handle, None)
        dropped = {handle for handle in handles if self._times.pop(handle, None) is not None}
        decoding = dropped.intersection(self._decoder.handles) if dropped else ()
        for handle in decoding:
            self._decoder.remove(handle)
        for handle in dropped:
            self._waiting.pop(handle, None)
            self._urgent.pop(handle, None)
        if dropped:
            self._prefilled = _without(self._prefilled, dropped)
            self._prefilled_urgent = _without(self._prefilled_urgent, dropped)

    def iterate(self, progress: Progress[HandleT]) -> None:
        """Encode some of what waits, let it join, give each row a token; adds to `progress`.

        A pass comes first: what the last step has ended was reported before.
        """
        if self._attends and self._may_attend():
            self._attend(progress)
        try:
            self._encode(progress)
            self._join()
            self._step(progress)
        except Exception as error:  # noqa: BLE001 - what a graph raises must not end the engine
            self._fail(progress, error)

    def _may_attend(self) -> bool:
        if not self._times:
            return True
        now_s = self._clock()
        if now_s < self._next_pass_s:
            return False
        expected_s = self._pass_s_per_token * _num_tokens(self._next_attend)
        wait_s = min(STEPS_TO_PASS * expected_s, MAX_PASS_WAIT_S)
        is_due = now_s >= self._waits_since_s + wait_s
        return is_due or not self._has_young

    @property
    def _next_attend(self) -> AttendRequest[HandleT]:
        return next(iter(self._attends.values()))

    @property
    def _has_young(self) -> bool:
        """Whether a sentence has yet to begin, or is in its first steps."""
        begins = (times.joined_at_step for times in self._times.values())
        return any(b is None or self._num_steps - b < self._young_steps for b in begins)

    def _attend(self, progress: Progress[HandleT]) -> None:
        """Run the pass that has waited longest; sentences do not share its fate."""
        request = self._next_attend
        del self._attends[request.handle]
        began_s = self._clock()
        try:
            progress.attended.append(run_pass(self._sessions, request))
        except Exception as error:  # noqa: BLE001 - likewise
            progress.failures.append(Failure(handles=(request.handle,), error=_described(error)))
        self._waits_since_s = self._clock()
        took_s = self._waits_since_s - began_s
        self._next_pass_s = self._waits_since_s + STEPS_TO_PASS * took_s
        self._pass_s_per_token = took_s / max(1, _num_tokens(request))

    def _encode(self, progress: Progress[HandleT]) -> None:
        self._encoding = self._next_group()
        if not self._encoding:
            return
        encoding_s = self._clock()
        prefill = self._decoder.prefill(self._encoding)
        encoded_s = self._clock()
        for request in self._encoding:
            times = self._times[request.handle]
            times.encoding_s, times.encoded_s = encoding_s, encoded_s
        if self._urgent:
            self._urgent.clear()
            self._prefilled_urgent.extend(prefill.sentences)
        else:
            self._prefilled.extend(prefill.sentences)
        for request in self._encoding:
            self._waiting.pop(request.handle, None)
        progress.groups += [(g.num_tokens, g.num_padded_tokens) for g in prefill.groups]

    def _next_group(self) -> list[DecodeRequest[HandleT]]:
        """The sentences to encode now: none while enough are encoded already."""
        if self._urgent:
            return list(self._urgent.values())
        if len(self._prefilled) + len(self._prefilled_urgent) > self._decoder.free_slots:
            return []
        group: list[DecodeRequest[HandleT]] = []
        num_tokens = 0
        for request in self._waiting.values():
            num_tokens += len(request.source_ids)
            if group and num_tokens > MAX_GROUP_TOKENS:
                break
            group.append(request)
        return group

    def _join(self) -> None:
        while (upcoming := self._upcoming()) and (
            upcoming[0].num_slots <= self._decoder.free_slots
        ):
            has_overtaken = upcoming is self._prefilled_urgent and bool(self._prefilled)
            self._num_overtakes = self._num_overtakes + 1 if has_overtaken else 0
            sentence = upcoming.popleft()
            times = self._times[sentence.request.handle]
            times.joined_s, times.joined_at_step = self._clock(), self._num_steps
            self._decoder.join([sentence])

    def _upcoming(self) -> deque[PrefilledSentence[HandleT]]:
        """The encoded sentences of which one joins next."""
        is_due = bool(self._prefilled) and self._num_overtakes >= MAX_OVERTAKES
        return self._prefilled_urgent if self._prefilled_urgent and not is_due else self._prefilled

    def _step(self, progress: Progress[HandleT]) -> None:
        rows = self._decoder.num_rows
        if not rows:
            return
        finished = self._decoder.step()
        self._num_steps += 1
        progress.steps[rows] += 1
        now_s = self._clock()
        for result in finished:
            times = self._times.pop(result.handle)
            progress.decoded.append(
                Decoded(
                    handle=result.handle,
                    hypotheses=result.hypotheses,
                    wait_s=times.encoding_s - times.submitted_s + times.joined_s - times.encoded_s,
                    encode_s=times.encoded_s - times.encoding_s,
                    decode_s=now_s - times.joined_s,
                )
            )

    def _fail(self, progress: Progress[HandleT], error: Exception) -> None:
        """Drop all that was touched: it is unknown which of the sentences was at fault."""
        for request in self._encoding:
            self._waiting.pop(request.handle, None)
            self._urgent.pop(request.handle, None)
        kept = {**self._urgent, **self._waiting}
        touched = tuple(handle for handle in self._times if handle not in kept)
        progress.failures.append(Failure(handles=touched, error=_described(error)))
        for handle in touched:
            del self._times[handle]
        self._decoder.clear()
        self._prefilled.clear()
        self._prefilled_urgent.clear()


def _num_tokens(request: AttendRequest[HandleT]) -> int:
    return sum(len(source) + len(target) for source, target in request.pairs)


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _without(
    sentences: deque[PrefilledSentence[HandleT]], dropped: Set[HandleT]
) -> deque[PrefilledSentence[HandleT]]:
    return deque(s for s in sentences if s.request.handle not in dropped)
