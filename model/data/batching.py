"""Batches of token ids: bucketed by length, in an order determined by the seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from torch import Tensor
from tqdm import tqdm

from model.data.corpus import SentencePair
from model.data.tokenizer import in_smaller_pieces
from model.errors import CorpusError

CHUNK = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedCorpus:
    """All pairs as token ids, one concatenated array per side."""

    source_ids: NDArray[np.uint16]
    """Concatenated sentences, each with its end token."""
    source_starts: NDArray[np.int64]
    """[pairs + 1]: pair i is `source_ids[starts[i]:starts[i + 1]]`."""
    target_ids: NDArray[np.uint16]
    target_starts: NDArray[np.int64]
    weights: NDArray[np.float32]
    """[pairs]: expected number of times that an epoch contains each."""

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def source_lengths(self) -> NDArray[np.int64]:
        """Tokens of each source, [pairs]."""
        return np.diff(self.source_starts)

    @property
    def target_lengths(self) -> NDArray[np.int64]:
        """Tokens of each target, [pairs]."""
        return np.diff(self.target_starts)

    def num_target_tokens(self, indices: NDArray[np.int64]) -> int:
        """Target tokens of the pairs at `indices`, without padding."""
        return int((self.target_starts[indices + 1] - self.target_starts[indices]).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The input of one forward and backward pass."""

    source_ids: Tensor
    """int64 [batch, source]."""
    source_mask: Tensor | None
    """Bool [batch, source]; None where all sources have the same length."""
    input_ids: Tensor
    """Start token and target, int64 [batch, target]."""
    label_ids: Tensor
    """Target and end token, then padding, int64 [batch, target]."""
    num_target_tokens: int

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`."""
        return replace(
            self,
            source_ids=self.source_ids.to(device),
            source_mask=None if self.source_mask is None else self.source_mask.to(device),
            input_ids=self.input_ids.to(device),
            label_ids=self.label_ids.to(device),
        )


def encode_corpus(
    pairs: Sequence[SentencePair],
    weights: Sequence[float],
    tokenizer: SentencePieceProcessor,
    *,
    max_tokens: int,
) -> EncodedCorpus:
    """Encode pairs and leave out those over `max_tokens` on either side."""
    starts = range(0, max(len(pairs), 1), CHUNK)
    # No bar for a single chunk, such as a development set.
    bar = tqdm(starts, desc="tokenising", unit="chunk", disable=len(starts) == 1)
    # As arrays, because lists of ids take twenty times as much memory.
    parts = [
        _encode_chunk(
            pairs[start : start + CHUNK],
            weights[start : start + CHUNK],
            tokenizer,
            max_tokens=max_tokens,
        )
        for start in bar
    ]
    return EncodedCorpus(
        source_ids=np.concatenate([part.source_ids for part in parts]),
        source_starts=_starts(np.concatenate([part.source_lengths for part in parts])),
        target_ids=np.concatenate([part.target_ids for part in parts]),
        target_starts=_starts(np.concatenate([part.target_lengths for part in parts])),
        weights=np.concatenate([part.weights for part in parts]),
    )


def _encode_chunk(
    pairs: Sequence[SentencePair],
    weights: Sequence[float],
    tokenizer: SentencePieceProcessor,
    *,
    max_tokens: int,
) -> EncodedCorpus:
    sources = encode_sources(pairs, tokenizer)
    targets = tokenizer.encode([p.target for p in pairs], add_eos=True, num_threads=2)
    kept = [
        (source, target, weight)
        for source, target, weight in zip(sources, targets, weights, strict=True)
        if len(source) <= max_tokens and len(target) <= max_tokens
    ]
    source_ids, source_starts = _flat([source for source, _, _ in kept])
    target_ids, target_starts = _flat([target for _, target, _ in kept])
    return EncodedCorpus(
        source_ids=source_ids,
        source_starts=source_starts,
        target_ids=target_ids,
        target_starts=target_starts,
        weights=np.array([weight for _, _, weight in kept], dtype=np.float32),
    )


def encode_sources(
    pairs: Sequence[SentencePair], tokenizer: SentencePieceProcessor
) -> list[list[int]]:
    """Ids of each source, its prefix first and the end token last."""
    encoded = tokenizer.encode([p.source for p in pairs], add_eos=True, num_threads=2)
    for i, pair in enumerate(pairs):
        if pair.is_split:
            encoded[i] = in_smaller_pieces(encoded[i], tokenizer, random.Random(pair.source))
    prefixes = [[tokenizer.piece_to_id(p.prefix)] if p.prefix else [] for p in pairs]
    return [prefix + ids for prefix, ids in zip(prefixes, encoded, strict=True)]


def epoch_batches(
    corpus: EncodedCorpus, *, batch_tokens: int, seed: int, epoch: int
) -> list[NDArray[np.int64]]:
    """Partition one epoch into batches of similar lengths, in random order.

    All sources of a batch have the same length, so that none is padded, unless the batch would
    then be less than half full.

    Args:
        corpus: What is trained on.
        batch_tokens: Target tokens of a batch, padding included.
        seed: Of the run.
        epoch: Determines sample and order together with the seed.

    Returns:
        Indices of the pairs of each batch.
    """
    random = np.random.default_rng((seed, epoch))
    chosen = _sample(corpus.weights, random)
    source, target = corpus.source_lengths[chosen], corpus.target_lengths[chosen]
    order = np.lexsort((random.random(len(chosen)), target, source))
    batches = _batch_bounds(source[order], target[order], batch_tokens)
    shuffled = random.permutation(len(batches))
    return [chosen[order[slice(*batches[i])]] for i in shuffled]


def make_batch(
    corpus: EncodedCorpus, indices: NDArray[np.int64], *, pad_id: int, bos_id: int
) -> Batch:
    """Pad the pairs at `indices` to tensors."""
    sources = _rows(corpus.source_ids, corpus.source_starts, indices)
    targets = _rows(corpus.target_ids, corpus.target_starts, indices)
    source_ids = _padded(sources, pad_id)
    label_ids = _padded(targets, pad_id)
    starts = torch.full((len(targets), 1), bos_id)
    return Batch(
        source_ids=source_ids,
        source_mask=None if len({len(s) for s in sources}) == 1 else source_ids != pad_id,
        input_ids=torch.cat((starts, label_ids[:, :-1]), dim=1),
        label_ids=label_ids,
        num_target_tokens=sum(map(len, targets)),
    )


def batch_stream(
    corpus: EncodedCorpus, *, batch_tokens: int, seed: int, epoch: int, position: int
) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """Endless stream of (epoch, position, indices), from batch `position` of `epoch` on.

    Raises:
        CorpusError: Epochs would have no batch.
    """
    if not corpus.weights.any():
        raise CorpusError(
            "no pair is left to train on: raise data.max_tokens or the weights of data.sources"
        )
    while True:
        batches = epoch_batches(corpus, batch_tokens=batch_tokens, seed=seed, epoch=epoch)
        for i in range(position, len(batches)):
            yield epoch, i, batches[i]
        epoch, position = epoch + 1, 0


def _flat(sentences: list[list[int]]) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    starts = _starts(np.array([len(s) for s in sentences], dtype=np.int64))
    ids = np.fromiter((i for s in sentences for i in s), dtype=np.uint16, count=int(starts[-1]))
    return ids, starts


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def _sample(weights: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.int64]:
    whole = np.floor(weights)
    copies = whole + (random.random(len(weights)) < weights - whole)
    return np.repeat(np.arange(len(weights)), copies.astype(np.int64))


def _batch_bounds(
    source: NDArray[np.int64], target: NDArray[np.int64], batch_tokens: int
) -> list[tuple[int, int]]:
    """(begin, end) of consecutive batches over pairs sorted by source, then target length."""
    bounds, begin, longest = [], 0, 0
    for i, (source_length, length) in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        size = i - begin
        is_full = size and (size + 1) * max(longest, length) > batch_tokens
        has_new_length = (
            size and source_length != source[begin] and size * longest > batch_tokens / 2
        )
        if is_full or has_new_length:
            bounds.append((begin, i))
            begin, longest = i, 0
        longest = max(longest, length)
    return [*bounds, (begin, len(source))] if len(source) else []


def _rows(
    ids: NDArray[np.uint16], starts: NDArray[np.int64], indices: NDArray[np.int64]
) -> list[NDArray[np.uint16]]:
    return [ids[starts[i] : starts[i + 1]] for i in indices]


def _padded(rows: list[NDArray[np.uint16]], pad_id: int) -> Tensor:
    padded = np.full((len(rows), max(map(len, rows))), pad_id, dtype=np.int64)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return torch.from_numpy(padded)
