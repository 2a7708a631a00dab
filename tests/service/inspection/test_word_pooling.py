"""Maps between words, from maps between pieces."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.engine.inspection import ATTENTION_KINDS
from service.inspection.values import AttentionMaps
from service.inspection.word_pooling import pool, pooled, word_starts
from service.text.alignment.word_links import TokenizedText
from tests.service.tiny_models import tiny_bundle


def tokenized(text: str, *spans: tuple[int, int]) -> TokenizedText:
    return TokenizedText(text=text, spans=spans)


SOURCE = ("▁Good", "▁even", "ing", "</s>")
SOURCE_TEXT = tokenized("Good evening", (0, 4), (4, 9), (9, 12), (12, 12))
TARGET = ("▁Guten", "▁A", "bend", "</s>")
TARGET_TEXT = tokenized("Guten Abend", (0, 5), (5, 7), (7, 11), (11, 11))


def maps_of(cross: Sequence[Sequence[float]]) -> AttentionMaps:
    weights = np.array([[cross]], dtype=np.float32)
    return AttentionMaps(
        source_tokens=SOURCE,
        target_tokens=TARGET,
        maps={"cross": weights},
        alignment=weights[0, 0],
        token_log_probs=(-0.5, -0.25, -1.25, -0.125),
    )


def test_queries_are_averaged_and_keys_are_summed() -> None:
    words = pooled(
        maps_of(
            [
                [0.5, 0.25, 0.25, 0.0],
                [0.0, 0.5, 0.25, 0.25],
                [0.5, 0.0, 0.25, 0.25],
                [0.0, 0.0, 0.0, 1.0],
            ]
        ),
        SOURCE_TEXT,
        TARGET_TEXT,
    )
    assert words.source_tokens == ("Good", "evening", "</s>")
    assert words.target_tokens == ("Guten", "Abend", "</s>")
    assert words.maps["cross"].tolist() == [
        [
            [
                [0.5, 0.5, 0.0],
                [0.25, 0.5, 0.25],
                [0.0, 0.0, 1.0],
            ]
        ]
    ]
    assert words.token_log_probs == (-0.5, -1.5, -0.125)


def test_the_map_that_aligns_stays_one_of_pieces() -> None:
    pieces = maps_of(np.eye(4).tolist())
    np.testing.assert_array_equal(
        pooled(pieces, SOURCE_TEXT, TARGET_TEXT).alignment, pieces.alignment
    )


def test_each_kind_has_its_words() -> None:
    square = np.full((2, 3, 4, 4), 0.25, dtype=np.float32)
    maps = maps_of(np.eye(4).tolist())
    for kind in ATTENTION_KINDS:
        maps.maps[kind] = square
    one_word = tokenized("evening", (0, 2), (2, 3), (3, 7), (7, 7))
    words = pooled(maps, one_word, TARGET_TEXT)
    shapes = {kind: values.shape for kind, values in words.maps.items()}
    assert shapes == {"encoder": (2, 3, 2, 2), "decoder": (2, 3, 3, 3), "cross": (2, 3, 3, 2)}


@pytest.mark.parametrize(
    ("tokens", "text", "starts"),
    [
        (SOURCE, SOURCE_TEXT, [0, 1, 3]),
        # A stop is a word of its own; white space goes with what follows it.
        (("▁a", "▁", "b", "."), tokenized("a b.", (0, 1), (1, 2), (2, 3), (3, 4)), [0, 1, 3]),
        # The first two bytes of a character have no place in the text, the last one has it.
        (
            ("▁na", "<0xC3>", "<0xAF>", "ve"),
            tokenized("naïve", (0, 2), (2, 2), (2, 3), (3, 5)),
            [0],
        ),
        (
            ("▁a", "▁", "<0xC3>", "<0xA4>"),
            tokenized("a ä", (0, 1), (1, 2), (2, 2), (2, 3)),
            [0, 1],
        ),
        # The space that is put before every text has no place in it.
        (("▁", "n", "a"), tokenized("na", (0, 0), (0, 1), (1, 2)), [0]),
        # One piece for two marks makes them one word.
        (("▁x", '."', "</s>"), tokenized('x."', (0, 1), (1, 3), (3, 3)), [0, 1, 2]),
        # Hyphens and apostrophes join, however they are cut.
        (("▁it", "'", "s"), tokenized("it's", (0, 2), (2, 3), (3, 4)), [0]),
        (("▁well", "-", "known"), tokenized("well-known", (0, 4), (4, 5), (5, 10)), [0]),
        # A language's own token is a word, and so are two of them.
        ((">>de<<", "▁a", "</s>"), tokenized("a", (0, 0), (0, 1), (1, 1)), [0, 1, 2]),
        ((">>a<<", ">>b<<", "▁x"), tokenized("x", (0, 0), (0, 0), (0, 1)), [0, 1, 2]),
        # Space with nothing behind it goes with what was before.
        (("▁a", "▁", "</s>"), tokenized("a ", (0, 1), (1, 2), (2, 2)), [0, 2]),
        (("▁", "</s>"), tokenized(" ", (0, 1), (1, 1)), [0, 1]),
        (("</s>",), tokenized("", (0, 0)), [0]),
        (("▁",), tokenized(" ", (0, 1)), [0]),
    ],
)
def test_words_begin_where_they_do(
    tokens: tuple[str, ...], text: TokenizedText, starts: list[int]
) -> None:
    assert word_starts(tokens, text) == starts


@given(st.data())
def test_rows_keep_their_sum_and_decoder_maps_their_triangle(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 12))
    more = data.draw(st.sets(st.integers(1, size - 1)) if size > 1 else st.just(set()))
    starts = [0, *sorted(more)]
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    weights = np.tril(random.random((2, size, size), dtype=np.float32) + 0.01)
    weights /= weights.sum(-1, keepdims=True)
    words = pool(weights, starts, starts)
    np.testing.assert_allclose(words.sum(-1), 1, rtol=1e-5)
    assert not np.triu(words, k=1).any()


@given(st.text())
@example("\x1b")  # has a token, but no word
@example("\u200bword")
def test_every_token_of_any_text_is_in_one_word(text: str) -> None:
    bundle = tiny_bundle()
    pair = bundle.manifest.pairs[0]
    ids = bundle.tokenizer.encode_source(text, pair)
    shown, spans = bundle.tokenizer.source_text_and_spans(ids)
    pieces = bundle.tokenizer.source_pieces(ids)
    starts = word_starts(pieces, TokenizedText(text=shown, spans=tuple(spans)))
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert starts[-1] == len(pieces) - 1, "the end token is a word"
