"""Translates one side of a corpus with a model, as training data for another model.

Kim and Rush (2016), "Sequence-Level Knowledge Distillation". In the opposite direction the same
pairs are back-translation (Sennrich et al. 2016), with the model's output as the source.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from sentencepiece import SentencePieceProcessor
from tqdm import tqdm

from model.data.batching import encode_sources
from model.data.corpus import SentencePair
from model.directions import Direction
from model.greedy import greedy_translate
from model.transformer import Transformer

MAX_LENGTH_RATIO = 2
FREE_TOKENS = 10
"""Additional tokens of the longest output; an output that reaches the limit is unfinished."""


def distilled(
    model: Transformer,
    tokenizer: SentencePieceProcessor,
    pairs: Sequence[SentencePair],
    direction: Direction,
    *,
    batch_tokens: int,
) -> Iterator[SentencePair]:
    """Pairs of a source and its greedy translation, longest source first.

    Unfinished and empty translations are left out; a repeated source is translated once.

    Args:
        model: Model in evaluation mode, on its device.
        tokenizer: The model's vocabulary.
        pairs: Pairs in the column order of the files; only the source of `direction` is read.
        direction: Direction of translation.
        batch_tokens: Source tokens of a batch, padding included.

    Yields:
        Pairs in column order, each with its origin.
    """
    by_source = {pair.towards(direction).source: pair.towards(direction) for pair in pairs}
    directed = list(by_source.values())
    encoded = encode_sources(directed, tokenizer)
    order = sorted(range(len(directed)), key=lambda i: len(encoded[i]), reverse=True)
    with tqdm(total=len(order), desc=str(direction), unit="sentence") as bar:
        for rows in _groups(order, [len(ids) for ids in encoded], batch_tokens):
            longest = MAX_LENGTH_RATIO * len(encoded[rows[0]]) + FREE_TOKENS
            longest = min(longest, model.architecture.max_positions)
            outputs = greedy_translate(model, [encoded[i] for i in rows], max_tokens=longest)
            bar.update(len(rows))
            for i, ids in zip(rows, outputs, strict=True):
                text = tokenizer.decode(ids).strip()
                if text and len(ids) < longest:
                    yield _undirected(directed[i], text, direction)


def _groups(order: Sequence[int], lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Consecutive indices of `order`, longest first, at most `batch_tokens` at a time."""
    begin = 0
    while begin < len(order):
        size = max(1, batch_tokens // lengths[order[begin]])
        yield list(order[begin : begin + size])
        begin += size


def _undirected(directed: SentencePair, text: str, direction: Direction) -> SentencePair:
    source, target = directed.source, text
    if direction.is_reversed:
        source, target = target, source
    return replace(directed, source=source, target=target, prefix=None)


def model_on(device: str, model: Transformer) -> Transformer:
    """The model in evaluation mode; in bfloat16 on an accelerator."""
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    return model.to(device=device, dtype=dtype).eval()
