import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from service.engine.graphs.attention_pass import attend
from service.errors import DeadlineExceededError, InvalidRequestError, PayloadTooLargeError
from service.inspection.inspector import Inspector
from service.inspection.token_pairs import TokenPair
from service.inspection.values import AttentionMaps, AttentionSelection
from tests.service.tiny_models import Running, running

ALL = AttentionSelection(kinds=("encoder", "decoder", "cross"))


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running() as service:
        yield service


@pytest.fixture
def inspector() -> Inspector:
    return Inspector(max_cells=100_000)


def pairs(service: Running, count: int) -> list[TokenPair]:
    """Sentences of different lengths with any translation."""
    bundle = service.model.bundle
    words = (bundle.manifest.canary.source_text.split() * count)[:count]
    return [
        TokenPair(
            source_ids=tuple(bundle.tokenizer.encode_source(" ".join(words[i:]), service.pair)),
            target_ids=tuple(bundle.tokenizer.encode_target(" ".join(words[: i + 1]))),
        )
        for i in range(count)
    ]


def inspect(
    inspector: Inspector,
    service: Running,
    count: int,
    selection: AttentionSelection = ALL,
    timeout_s: float | None = None,
) -> list[AttentionMaps]:
    given = pairs(service, count)
    return asyncio.run(inspector.inspect(service.model, given, selection, timeout_s=timeout_s))


def test_maps_are_those_of_the_attention_pass(inspector: Inspector, service: Running) -> None:
    (pair,) = pairs(service, 1)
    (maps,) = inspect(inspector, service, 1)
    (expected,) = attend(service.model.sessions, [pair.source_ids], [pair.target_ids])
    np.testing.assert_array_equal(maps.maps["encoder"], expected.encoder)
    np.testing.assert_array_equal(maps.maps["decoder"], expected.decoder)
    np.testing.assert_array_equal(maps.maps["cross"], expected.cross)
    assert maps.token_log_probs == tuple(expected.log_probs.tolist())


def test_maps_do_not_depend_on_their_neighbours(inspector: Inspector, service: Running) -> None:
    together = inspect(inspector, service, 5)
    for pair, maps in zip(pairs(service, 5), together, strict=True):
        (alone,) = asyncio.run(inspector.inspect(service.model, [pair], ALL))
        assert maps.token_log_probs == alone.token_log_probs
        for kind, values in maps.maps.items():
            np.testing.assert_array_equal(values, alone.maps[kind])


def test_rows_sum_to_one_and_decoder_maps_are_causal(
    inspector: Inspector, service: Running
) -> None:
    for maps in inspect(inspector, service, 4):
        for values in maps.maps.values():
            np.testing.assert_allclose(values.sum(-1), 1, atol=1e-4)
        assert not np.triu(maps.maps["decoder"], k=1).any()


def test_axes_are_named_by_the_pieces(inspector: Inspector, service: Running) -> None:
    for maps in inspect(inspector, service, 3):
        assert maps.source_tokens[-1] == maps.target_tokens[-1] == "</s>"
        source, target = len(maps.source_tokens), len(maps.target_tokens)
        assert maps.maps["cross"].shape[2:] == (target, source)
        assert maps.maps["encoder"].shape[2:] == (source, source)
        assert maps.maps["decoder"].shape[2:] == (target, target)


def test_no_pairs_have_no_maps(inspector: Inspector, service: Running) -> None:
    assert inspect(inspector, service, 0) == []


def test_a_head_that_does_not_exist_is_refused(inspector: Inspector, service: Running) -> None:
    with pytest.raises(InvalidRequestError, match="head 99 does not exist"):
        inspect(inspector, service, 1, AttentionSelection(heads=(99,)))


def test_more_than_one_reply_may_have_is_refused(inspector: Inspector, service: Running) -> None:
    with pytest.raises(PayloadTooLargeError, match="the limit is 100,000"):
        inspect(inspector, service, 60)


def test_a_deadline_that_has_passed_is_told(inspector: Inspector, service: Running) -> None:
    with pytest.raises(DeadlineExceededError):
        inspect(inspector, service, 1, timeout_s=0.0)


def test_an_alignment_is_that_of_the_maps(inspector: Inspector, service: Running) -> None:
    given = pairs(service, 5)
    maps = inspect(inspector, service, 5)
    found = asyncio.run(inspector.align(service.model, given))
    for each, alignment in zip(maps, found, strict=True):
        np.testing.assert_array_equal(each.alignment, alignment)


def test_a_score_is_that_of_the_maps(inspector: Inspector, service: Running) -> None:
    scored = asyncio.run(inspector.score(service.model, pairs(service, 5)))
    maps = inspect(inspector, service, 5)
    assert [s.token_log_probs for s in scored] == [each.token_log_probs for each in maps]
    assert [s.target_tokens for s in scored] == [each.target_tokens for each in maps]
