"""Attention between words, from attention between the model's pieces."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from service.engine.inspection import AttentionKind
from service.inspection.values import AttentionMaps, Contributions
from service.text.alignment.word_links import Span, TokenizedText, words

_PARTIAL = re.compile(r"<0x[0-9A-F]{2}>|▁+")
"""A piece that is a byte of a character, or white space."""


def pooled(attention: AttentionMaps, source: TokenizedText, target: TokenizedText) -> AttentionMaps:
    """The same maps between words instead of pieces; `alignment` stays between pieces.

    The attention of a word to another is the mean over its own pieces of the sum over the other's
    pieces, so rows still sum to 1. Its log-probability is the sum of its pieces'.

    Args:
        attention: Of one sentence pair.
        source: Offsets of its source tokens.
        target: Offsets of its target tokens.
    """
    sources = word_starts(attention.source_tokens, source)
    targets = word_starts(attention.target_tokens, target)
    axes: dict[AttentionKind, tuple[list[int], list[int]]] = {
        "encoder": (sources, sources),
        "decoder": (targets, targets),
        "cross": (targets, sources),
    }
    source_tokens = _names(sources, attention.source_tokens, source)
    target_tokens = _names(targets, attention.target_tokens, target)
    log_probs = np.add.reduceat(np.array(attention.token_log_probs), targets)
    return replace(
        attention,
        source_tokens=source_tokens,
        target_tokens=target_tokens,
        maps={kind: pool(maps, *axes[kind]) for kind, maps in attention.maps.items()},
        token_log_probs=tuple(log_probs.tolist()),
        contributions=_pooled_contributions(
            attention.contributions, sources, targets, target_tokens
        ),
    )


def _pooled_contributions(
    found: Contributions | None,
    sources: Sequence[int],
    targets: Sequence[int],
    target_tokens: Sequence[str],
) -> Contributions | None:
    """Between words; the start token is one, and the other columns are one token later."""
    if found is None:
        return None
    count = len(found.prefix_tokens)
    begins = [start + 1 for start in targets if start + 1 < count]
    return replace(
        found,
        source=pool(found.source, targets, sources),
        target=pool(found.target, targets, [0, *begins]),
        prefix_tokens=(found.prefix_tokens[0], *target_tokens[: len(begins)]),
    )


def pool(
    maps: NDArray[np.float32], queries: Sequence[int], keys: Sequence[int]
) -> NDArray[np.float32]:
    """Mean over the pieces of a query, sum over the pieces of a key.

    Args:
        maps: float32 [..., query, key].
        queries: Where each word begins on the query axis; the first begins at 0.
        keys: The same on the key axis.
    """
    sums = np.add.reduceat(maps, keys, axis=-1)
    sums = np.add.reduceat(sums, queries, axis=-2)
    counts = np.diff(queries, append=maps.shape[-2]).astype(np.float32)
    return np.asarray(sums / counts[:, None])


def word_starts(tokens: Sequence[str], tokenized: TokenizedText) -> list[int]:
    """Indices of the tokens that begin a word; other tokens belong to the word before them.

    A piece that spans two words makes them one. A token without characters, like `</s>`, or before
    every word, like an invisible character, is a word of its own, but white space and the first
    bytes of a character belong to what follows.
    """
    found = words(tokenized.text)
    begins = [begin for begin, _ in found]
    starts: list[int] = []
    reach, first_waiting = -1, None
    for i, (token, span) in enumerate(zip(tokens, tokenized.spans, strict=True)):
        begin, end = _without_space(span, tokenized.text)
        is_empty = begin == end
        if is_empty and (span[0] < span[1] or _PARTIAL.fullmatch(token)):
            first_waiting = i if first_waiting is None else first_waiting
            continue
        first = i if first_waiting is None else first_waiting
        if is_empty:
            starts += [i] if starts or first == i else [first, i]
        elif begin >= reach:
            starts.append(first)
        word = bisect_right(begins, end - 1) - 1
        reach = -1 if is_empty else found[word][1] if word >= 0 else end
        first_waiting = None
    return starts or [0]


def _without_space(span: Span, text: str) -> Span:
    begin, end = span
    part = text[begin:end]
    shown = part.lstrip()
    begin = end - len(shown)
    return begin, begin + len(shown.rstrip())


def _names(
    starts: Sequence[int], tokens: Sequence[str], tokenized: TokenizedText
) -> tuple[str, ...]:
    """The text of each word; of a token without characters, the token."""
    ends = [*starts[1:], len(tokens)]
    return tuple(
        tokenized.text[tokenized.spans[start][0] : tokenized.spans[end - 1][1]].strip()
        or "".join(tokens[start:end])
        for start, end in zip(starts, ends, strict=True)
    )
