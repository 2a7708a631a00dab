"""Searches over many sentences give each of them what a plain search gives it alone."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.search.beam import BeamSearch
from service.engine.search.greedy import GreedySearch
from service.engine.search.options import DecodeOptions
from service.engine.search.outcome import Hypotheses
from tests.service.engine.toy_model import (
    EOS,
    LOOPING,
    Model,
    RandomModel,
    beam_step,
    greedy_step,
    plain_search,
    run_beam,
)

LONGEST = 12
VOCAB_SIZE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    model: Model
    options: DecodeOptions
    arrival: int
    """Step before which it joins."""


class Rows:
    """What the decoder knows of the sentences of a search, in the order of the search."""

    def __init__(self) -> None:
        self.indices: list[int] = []
        self.beams: list[list[tuple[int, ...]]] = []

    def remove(self, index: int) -> None:
        self.indices[index], self.beams[index] = self.indices[-1], self.beams[-1]
        self.indices.pop()
        self.beams.pop()


models = st.builds(
    RandomModel,
    seed=st.integers(0, 10_000),
    vocab_size=st.just(VOCAB_SIZE),
    is_coarse=st.booleans(),
    eos_bias=st.sampled_from([0.0, -2.0, -5.0]),
)


@st.composite
def sentences(draw: st.DrawFn, beam_size: int) -> Sentence:
    longest = draw(st.integers(1, LONGEST))
    options = DecodeOptions(
        beam_size=beam_size,
        num_hypotheses=draw(st.integers(1, beam_size)),
        length_penalty=draw(st.sampled_from([0.0, 0.6, 1.0, 2.5, 1e6])),
        max_target_tokens=longest,
        min_target_tokens=draw(st.integers(0, longest - 1)),
        no_repeat_ngram=draw(st.sampled_from([0, 0, 1, 2])),
        prefix_ids=tuple(draw(st.lists(st.integers(1, VOCAB_SIZE - 1), max_size=min(3, longest)))),
        max_loop_tokens=draw(st.sampled_from([None, 3, 5])),
        with_scores=draw(st.booleans()),
    )
    return Sentence(model=draw(models), options=options, arrival=draw(st.integers(0, 6)))


def together(asked: list[Sentence], beam_size: int) -> list[tuple[Hypotheses, int]]:
    """Results and numbers of steps of sentences that share one search."""
    search: GreedySearch | BeamSearch
    if beam_size == 1:
        search = GreedySearch(EOS)
    else:
        search = BeamSearch(len(asked), LONGEST, EOS, beam_size=beam_size)
    rows, results, num_steps = Rows(), dict[int, Hypotheses](), [0] * len(asked)
    for step in range(40):
        for index, sentence in enumerate(asked):
            if sentence.arrival == step:
                assert search.begin(sentence.options) == len(rows.indices)
                rows.indices.append(index)
                rows.beams.append([()])
        if not rows.indices:
            continue
        for index in rows.indices:
            num_steps[index] += 1
        sharing = [asked[index].model for index in rows.indices]
        if isinstance(search, GreedySearch):
            finished, prefixes = greedy_step(search, sharing, [beam[0] for beam in rows.beams])
            rows.beams = [[prefix] for prefix in prefixes]
        else:
            finished, rows.beams = beam_step(search, sharing, rows.beams)
        for place in sorted(finished, reverse=True):
            results[rows.indices[place]] = finished[place]
            search.remove(place)
            rows.remove(place)
    assert not search.num_sentences
    return [(results[index], num_steps[index]) for index in range(len(asked))]


@pytest.mark.parametrize("beam_size", [1, 2, 4, 8])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_sentences_that_share_a_search_get_what_they_get_alone(
    beam_size: int, data: st.DataObject
) -> None:
    asked = data.draw(st.lists(sentences(beam_size), min_size=1, max_size=6))
    expected = [plain_search(sentence.model, sentence.options) for sentence in asked]
    assert together(asked, beam_size) == expected


@settings(max_examples=300, deadline=None)
@given(model=models, lookahead=st.integers(0, 9), sentence=st.integers(2, 8).flatmap(sentences))
def test_a_beam_is_the_plain_one_at_every_lookahead(
    model: Model, lookahead: int, sentence: Sentence
) -> None:
    options = replace(sentence.options, max_loop_tokens=None)
    assert run_beam(model, options, lookahead) == plain_search(model, options, lookahead)


@pytest.mark.parametrize("beam_size", [1, 2, 4])
def test_sentences_that_loop_begin_again_beside_others(beam_size: int) -> None:
    loops = DecodeOptions(
        beam_size=beam_size, min_target_tokens=9, max_target_tokens=LONGEST, max_loop_tokens=3
    )
    plain = DecodeOptions(beam_size=beam_size, max_target_tokens=LONGEST)
    models: list[Model] = [LOOPING, RandomModel(seed=5, vocab_size=3, eos_bias=-2), LOOPING]
    asked = [
        Sentence(model=model, options=options, arrival=arrival)
        for arrival, (model, options) in enumerate(zip(models, [loops, plain, loops], strict=True))
    ]
    found = together(asked, beam_size)
    assert found == [plain_search(sentence.model, sentence.options) for sentence in asked]
    assert {hypotheses[0].finish_reason for hypotheses, _ in found[::2]} == {"repetition"}
