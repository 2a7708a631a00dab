"""Lets a model translate one side of a text, so that another one may learn from it.

Kim and Rush (2016), "Sequence-Level Knowledge Distillation". Trained the other way the same pairs
are back-translation (Sennrich et al. 2016): what the model wrote is then the source.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from sentencepiece import SentencePieceProcessor
from tqdm import tqdm

from model.batching import encode_sources
from model.corpus import SentencePair
from model.directions import Direction
from model.greedy import greedy_translate
from model.transformer import Transformer

MAX_LENGTH_RATIO = 2
FREE_TOKENS = 10
"""An output may have this many tokens more than twice its source; one that has them has no end."""


def distilled(
    model: Transformer,
    tokenizer: SentencePieceProcessor,
    pairs: Sequence[SentencePair],
    direction: Direction,
    *,
    batch_tokens: int,
) -> Iterator[SentencePair]:
    """Pairs whose far side is the model's greedy translation of the near one.

    Args:
        model: In evaluation mode, on the device that it should run on.
        tokenizer: Its vocabulary.
        pairs: In the order of the files' columns; of what is translated only the near side counts.
        direction: Which side is near.
        batch_tokens: Of a batch, padding included.

    Yields:
        Pairs in the order of the columns, each with its origin, longest first. Outputs without an
        end and empty ones are left out, and a text that comes twice is translated once.
    """
    near = {pair.towards(direction).source: pair.towards(direction) for pair in pairs}
    directed = list(near.values())
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
    """Consecutive rows, the longest first, within `batch_tokens`."""
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
    """The model in evaluation mode, in bfloat16 where the device is an accelerator."""
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    return model.to(device=device, dtype=dtype).eval()
