import pytest

from service.engine.search.options import DecodeOptions
from service.engine.search.outcome import is_loop, may_end, options_without_loops
from service.engine.search.repetition import CHECK_EVERY, RETRY_NGRAM

VARIED = tuple(range(100, 100 + CHECK_EVERY))


@pytest.mark.parametrize(("max_loop_tokens", "expected"), [(7, True), (8, False), (None, False)])
def test_a_loop_is_a_tail_longer_than_the_limit(
    max_loop_tokens: int | None, expected: bool
) -> None:
    ids = (*VARIED, *(5,) * 8)
    assert is_loop(ids, DecodeOptions(max_loop_tokens=max_loop_tokens)) == expected


@pytest.mark.parametrize("length", [CHECK_EVERY - 1, CHECK_EVERY, CHECK_EVERY + 1])
def test_loops_are_looked_for_at_intervals_only(length: int) -> None:
    assert is_loop((5,) * length, DecodeOptions(max_loop_tokens=3)) == (length == CHECK_EVERY)


def test_an_output_no_longer_than_the_limit_is_no_loop() -> None:
    assert not is_loop((5,) * CHECK_EVERY, DecodeOptions(max_loop_tokens=CHECK_EVERY))


@pytest.mark.parametrize(("asked", "expected"), [(0, RETRY_NGRAM), (2, 2), (5, 5)])
def test_the_second_attempt_repeats_no_n_gram_and_is_not_checked(asked: int, expected: int) -> None:
    options = DecodeOptions(no_repeat_ngram=asked, max_loop_tokens=9, beam_size=3)
    restarted = options_without_loops(options)
    assert restarted == DecodeOptions(no_repeat_ngram=expected, max_loop_tokens=None, beam_size=3)


@pytest.mark.parametrize(
    ("length", "prefix_ids", "expected"),
    [(3, (), False), (4, (), True), (3, (7, 8), False), (2, (7, 8), True), (2, (7,), False)],
)
def test_an_end_is_allowed_after_the_minimum_or_within_the_prefix(
    length: int, prefix_ids: tuple[int, ...], expected: bool
) -> None:
    options = DecodeOptions(min_target_tokens=3, prefix_ids=prefix_ids)
    assert may_end(length, options) == expected
