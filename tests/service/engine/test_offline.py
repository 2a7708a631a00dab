import pytest

from service.engine.graphs.sessions import open_sessions
from service.engine.offline import decode_batch, decode_stream
from service.engine.search.options import DecodeOptions
from tests.service.engine.tiny import (
    BEAM,
    EVERY_KIND,
    GREEDY,
    alone,
    tiny,
    tiny_sessions,
    tiny_sources,
)


@pytest.mark.parametrize("options", EVERY_KIND, ids=repr)
@pytest.mark.parametrize("num_slots", [8, 11, 32])
def test_a_batch_gives_what_each_sentence_gives_alone(
    options: DecodeOptions, num_slots: int
) -> None:
    sources = tiny_sources()
    found = decode_batch(tiny_sessions(), sources, options, num_slots=num_slots)
    assert found == [alone(source, options) for source in sources]


def test_every_sentence_is_yielded_once_as_soon_as_it_has_ended() -> None:
    sources = tiny_sources()
    stream = list(decode_stream(tiny_sessions(), sources, GREEDY, num_slots=4))
    assert sorted(index for index, _ in stream) == list(range(len(sources)))
    assert [index for index, _ in stream] != sorted(index for index, _ in stream)


def test_equal_sentences_are_sentences_of_their_own() -> None:
    source = tiny_sources()[0]
    assert decode_batch(tiny_sessions(), [source] * 3, BEAM) == [alone(source, BEAM)] * 3


def test_more_threads_change_nothing() -> None:
    sources = tiny_sources()
    sessions = open_sessions(tiny(), num_threads=2)
    for options in (GREEDY, BEAM):
        expected = [alone(source, options) for source in sources]
        assert decode_batch(sessions, sources, options) == expected


def test_nothing_is_translated_to_nothing() -> None:
    assert decode_batch(tiny_sessions(), [], GREEDY) == []


def test_a_beam_wider_than_the_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="beam_size is 4; the batch has 3 slots"):
        decode_batch(tiny_sessions(), tiny_sources(), BEAM, num_slots=3)
