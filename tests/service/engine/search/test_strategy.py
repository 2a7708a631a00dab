import pytest

from service.engine.search.beam import BeamSearch
from service.engine.search.greedy import GreedySearch
from service.engine.search.options import DecodeOptions
from service.engine.search.strategy import begin_search
from tests.service.engine.toy_model import EOS


@pytest.mark.parametrize(
    ("beam_size", "kind"), [(1, GreedySearch), (2, BeamSearch), (8, BeamSearch)]
)
def test_a_beam_of_one_is_searched_greedily(beam_size: int, kind: type) -> None:
    assert type(begin_search(DecodeOptions(beam_size=beam_size), EOS)) is kind


@pytest.mark.parametrize(("is_retry", "reason"), [(False, "stop"), (True, "repetition")])
def test_a_second_attempt_says_why_it_was_made(is_retry: bool, reason: str) -> None:
    greedy = begin_search(DecodeOptions(), EOS, is_retry=is_retry)
    assert isinstance(greedy, GreedySearch)
    found = greedy.advance(EOS, -0.5)
    assert isinstance(found, tuple)
    assert found[0].finish_reason == reason
    beam = begin_search(DecodeOptions(beam_size=2, length_penalty=0.0), EOS, is_retry=is_retry)
    assert isinstance(beam, BeamSearch)
    best = beam.advance([(0, EOS, -0.5), (0, 1, -4.0)])
    assert isinstance(best, tuple)
    assert (best[0].finish_reason, best[0].has_ended) == (reason, True)


def test_the_first_attempt_is_the_default() -> None:
    greedy = begin_search(DecodeOptions(), EOS)
    assert isinstance(greedy, GreedySearch)
    found = greedy.advance(EOS, -0.5)
    assert isinstance(found, tuple)
    assert found[0].finish_reason == "stop"
