import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from service.engine.batch_decoder import BatchDecoder
from service.engine.errors import NonFiniteLogitsError
from service.engine.graphs.sessions import Sessions
from service.engine.prefill import DecodeRequest
from service.engine.search.options import DecodeOptions
from tests.service.engine.spy import DecoderSpy, Tensors, spied
from tests.service.engine.tiny import (
    BEAM,
    EVERY_KIND,
    GREEDY,
    LIMIT,
    POISONED,
    alone,
    tiny,
    tiny_sessions,
    tiny_sources,
)

Requests = list[DecodeRequest[int]]


def request(key: int, options: DecodeOptions = GREEDY) -> DecodeRequest[int]:
    return DecodeRequest(handle=key, source_ids=tiny_sources()[key], options=options)


def mixed_requests() -> Requests:
    """Every sentence, with every kind of search beside every other."""
    return [request(i, EVERY_KIND[i % len(EVERY_KIND)]) for i in range(len(tiny_sources()))]


def expected(asked: DecodeRequest[int]) -> object:
    return alone(tuple(asked.source_ids), asked.options)


def admit(decoder: BatchDecoder[int], requests: Sequence[DecodeRequest[int]]) -> object:
    """Let sentences join at once; the groups in which they were encoded."""
    prefill = decoder.prefill(requests)
    decoder.join(prefill.sentences)
    return prefill.groups


def run_all(decoder: BatchDecoder[int], waiting: Requests, *, burst: int) -> dict[int, object]:
    """Admit in order, at most `burst` between two steps, until all have ended."""
    results: dict[int, object] = {}
    waiting = list(waiting)
    for _ in range(LIMIT * (len(waiting) + 1)):
        admitted: Requests = []
        free_slots = decoder.free_slots
        while waiting and len(admitted) < burst and waiting[0].options.beam_size <= free_slots:
            free_slots -= waiting[0].options.beam_size
            admitted.append(waiting.pop(0))
        admit(decoder, admitted)
        results |= {finished.handle: finished.hypotheses for finished in decoder.step()}
    return results


@pytest.mark.parametrize("num_slots", [8, 13, 32])
@pytest.mark.parametrize("burst", [1, 3, 32])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_result_depends_on_the_rest_of_the_batch(num_slots: int, burst: int, seed: int) -> None:
    requests = mixed_requests()
    random.Random(seed).shuffle(requests)
    decoder: BatchDecoder[int] = BatchDecoder(tiny_sessions(), num_slots=num_slots)
    results = run_all(decoder, requests, burst=burst)
    assert results == {asked.handle: expected(asked) for asked in requests}
    assert (decoder.free_slots, decoder.num_rows, decoder.handles) == (num_slots, 0, [])


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_shortest_length_does_not_lift_the_rule_against_repetition(
    size: int, beam_size: int
) -> None:
    options = DecodeOptions(
        beam_size=beam_size, no_repeat_ngram=size, min_target_tokens=20, max_target_tokens=LIMIT
    )
    for source in tiny_sources(6):
        (best, *_) = alone(source, options)
        ids = best.target_ids
        ngrams = [ids[start : start + size] for start in range(len(ids) - size + 1)]
        assert len(set(ngrams)) == len(ngrams) and len(ids) >= 20


class BatchDecoderMachine(RuleBasedStateMachine):
    """Sentences join, leave, end and are thrown out in any order."""

    NUM_SLOTS = 12

    def __init__(self) -> None:
        super().__init__()
        sessions, self.spies = self.opened()
        self.decoder: BatchDecoder[int] = BatchDecoder(sessions, num_slots=self.NUM_SLOTS)
        self.inside: dict[int, DecodeRequest[int]] = {}
        self.next_key = 0

    def opened(self) -> tuple[Sessions, list[DecoderSpy]]:
        """Sessions, and a spy for each graph that decodes."""
        sessions, spy = spied(tiny_sessions())
        return sessions, [spy]

    @rule(
        asked=st.lists(
            st.tuples(st.sampled_from(tiny_sources(12)), st.sampled_from(EVERY_KIND)), max_size=4
        )
    )
    def admit(self, asked: list[tuple[tuple[int, ...], DecodeOptions]]) -> None:
        requests: Requests = []
        free_slots = self.decoder.free_slots
        for source, options in asked:
            if options.beam_size <= free_slots:
                free_slots -= options.beam_size
                requests.append(
                    DecodeRequest(handle=self.next_key, source_ids=source, options=options)
                )
                self.next_key += 1
        admit(self.decoder, requests)
        self.inside |= {r.handle: r for r in requests}

    @rule(count=st.integers(1, 8))
    def step(self, count: int) -> None:
        for _ in range(count):
            self.one_step()

    def one_step(self) -> None:
        num_rows = self.decoder.num_rows
        for spy in self.spies:
            spy.fed.clear()
        for finished in self.decoder.step():
            assert finished.hypotheses == expected(self.inside.pop(finished.handle))
        fed = [shapes["input_ids"] for spy in self.spies for shapes in spy.fed]
        assert sum(rows for rows, _ in fed) == num_rows

    @precondition(lambda self: self.inside)
    @rule(choice=st.integers(0, 99))
    def remove(self, choice: int) -> None:
        key = list(self.inside)[choice % len(self.inside)]
        self.decoder.remove(key)
        del self.inside[key]

    @precondition(lambda self: self.inside)
    @rule(row=st.integers(0, 99))
    def break_down(self, row: int) -> None:
        for spy in self.spies:
            spy.after = spoil_row(row)
        with pytest.raises(NonFiniteLogitsError):
            self.decoder.step()
        for spy in self.spies:
            spy.after = None
        self.decoder.clear()
        self.inside.clear()

    @invariant()
    def no_slot_is_lost(self) -> None:
        reserved = sum(r.options.beam_size for r in self.inside.values())
        assert self.decoder.free_slots == self.NUM_SLOTS - reserved
        assert len(self.inside) <= self.decoder.num_rows <= reserved
        assert set(self.decoder.handles) == set(self.inside)

    def teardown(self) -> None:
        for _ in range(LIMIT):
            self.one_step()
        assert not self.inside
        assert (self.decoder.free_slots, self.decoder.num_rows) == (self.NUM_SLOTS, 0)


TestBatchDecoder = BatchDecoderMachine.TestCase
TestBatchDecoder.settings = settings(max_examples=60, stateful_step_count=25)


def spoil_row(row: int, value: float = math.nan) -> Callable[[Tensors], None]:
    def spoil(tensors: Tensors) -> None:
        scores = tensors.get("logits", tensors.get("top_log_probs"))
        assert scores is not None
        scores[row % len(scores)] = value

    return spoil


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_logits_that_are_no_numbers_stop_the_batch_and_clearing_it_helps(value: float) -> None:
    sessions, spy = spied(tiny_sessions())
    decoder: BatchDecoder[int] = BatchDecoder(sessions, num_slots=16)
    requests = [request(0), request(1, BEAM), request(2)]
    admit(decoder, requests)
    decoder.step()
    spy.after = spoil_row(2, value)
    with pytest.raises(NonFiniteLogitsError):
        decoder.step()
    spy.after = None
    decoder.clear()
    assert (decoder.free_slots, decoder.num_rows, decoder.handles) == (16, 0, [])
    assert run_all(decoder, requests, burst=8) == {r.handle: expected(r) for r in requests}


def test_one_nan_is_enough() -> None:
    def spoil(tensors: Tensors) -> None:
        tensors["logits"][0, 7] = math.nan

    sessions, spy = spied(tiny_sessions())
    spy.after = spoil
    decoder: BatchDecoder[int] = BatchDecoder(sessions, num_slots=1)
    admit(decoder, [request(0)])
    with pytest.raises(NonFiniteLogitsError):
        decoder.step()


def test_a_step_feeds_one_token_per_live_hypothesis() -> None:
    sessions, spy = spied(tiny_sessions())
    decoder: BatchDecoder[int] = BatchDecoder(sessions, num_slots=16)
    asked = request(0, replace(BEAM, num_hypotheses=1)), request(1)
    admit(decoder, asked)
    while decoder.num_rows:
        decoder.step()
    fed = [shapes["input_ids"] for shapes in spy.fed]
    (best, *_), (other,) = (alone(tuple(r.source_ids), r.options) for r in asked)
    longer = max(len(best.token_log_probs), len(other.token_log_probs))
    # The beam begins as one row, not as four copies of it.
    assert fed[:2] == [(2, 1), (5, 1)]
    assert set(fed[2:]) <= {(5, 1), (4, 1), (1, 1)}
    assert longer <= len(fed) <= LIMIT


def refusals() -> list[tuple[str, Requests]]:
    longest = tiny().manifest.max_source_tokens
    too_long = DecodeRequest(handle=2, source_ids=[5] * (longest + 1), options=GREEDY)
    empty = DecodeRequest(handle=2, source_ids=(), options=GREEDY)
    return [
        ("5 slots are needed, 4 are free", [request(2), request(3, BEAM)]),
        (f"a source has {longest + 1} tokens, not 1 to {longest}", [request(3), too_long]),
        (f"a source has 0 tokens, not 1 to {longest}", [request(3), empty]),
        (
            f"max_target_tokens is {LIMIT + 1}; the limit is {LIMIT}",
            [request(3), request(2, DecodeOptions(max_target_tokens=LIMIT + 1))],
        ),
    ]


@pytest.mark.parametrize(("message", "asked"), refusals(), ids=lambda value: str(value)[:20])
def test_a_request_that_does_not_fit_is_refused_with_its_group(
    message: str, asked: Requests
) -> None:
    decoder: BatchDecoder[int] = BatchDecoder(tiny_sessions(), num_slots=5)
    admit(decoder, [request(0)])
    with pytest.raises(ValueError, match=message):
        admit(decoder, asked)
    assert (decoder.handles, decoder.free_slots, decoder.num_rows) == ([0], 4, 1)
    assert run_all(decoder, [], burst=1) == {0: alone(tiny_sources()[0], GREEDY)}


def test_no_sentence_joins_when_the_encoder_fails() -> None:
    decoder: BatchDecoder[int] = BatchDecoder(tiny_sessions(), num_slots=8)
    admit(decoder, [request(0)])
    poisoned = DecodeRequest(handle=1, source_ids=POISONED, options=GREEDY)
    with pytest.raises(Exception, match="out of data bounds"):
        admit(decoder, [request(2), poisoned])
    assert (decoder.handles, decoder.free_slots) == ([0], 7)
    assert run_all(decoder, [request(2)], burst=1) == {
        key: alone(tiny_sources()[key], GREEDY) for key in (0, 2)
    }


def test_an_empty_batch_takes_an_empty_step() -> None:
    sessions, spy = spied(tiny_sessions())
    decoder: BatchDecoder[int] = BatchDecoder(sessions, num_slots=8)
    assert admit(decoder, []) == ()
    assert decoder.step() == []
    assert spy.fed == []
