"""Scores pairs by the cross-entropy of a model, to leave out the worst of a noisy corpus."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that every reader of torch code expects
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from torch import Tensor
from tqdm import tqdm

from model.data.batching import Batch, encode_corpus, epoch_batches, make_batch
from model.data.corpus import SentencePair
from model.directions import Direction
from model.transformer import Transformer

BATCH_TOKENS = 4000


def likeliest(
    pairs: Sequence[SentencePair], scores: NDArray[np.float32], share: float
) -> list[SentencePair]:
    """The `share` of `pairs` with the lowest scores, in their order."""
    ranks = np.argsort(np.argsort(scores, kind="stable"))
    count = round(share * len(pairs))
    return [pair for pair, rank in zip(pairs, ranks, strict=True) if rank < count]


def dual_cross_entropies(
    model: Transformer,
    tokenizer: SentencePieceProcessor,
    pairs: Sequence[SentencePair],
    directions: Sequence[Direction],
) -> NDArray[np.float32]:
    """Mean plus spread of the cross-entropies over the directions, in nats, float32 [pairs].

    Lower is better. Pairs that are unlikely both ways are noise; in pairs that are likely one way
    only, one side mostly says less than the other. Junczys-Dowmunt (2018), "Dual Conditional
    Cross-Entropy Filtering of Noisy Parallel Corpora", section 2.1. With one direction it is the
    cross-entropy.
    """
    entropies = np.stack(
        [
            cross_entropies(model, tokenizer, [pair.towards(direction) for pair in pairs])
            for direction in directions
        ]
    )
    dual: NDArray[np.float32] = entropies.mean(axis=0) + np.ptp(entropies, axis=0)
    return dual


@torch.inference_mode()
def cross_entropies(
    model: Transformer, tokenizer: SentencePieceProcessor, pairs: Sequence[SentencePair]
) -> NDArray[np.float32]:
    """Cross-entropy of each target given its source, mean per token in nats, float32 [pairs].

    Args:
        model: In evaluation mode.
        tokenizer: Its vocabulary.
        pairs: With their prefix; none longer than the model's positions.
    """
    ids, weights = model.architecture, [1.0] * len(pairs)
    corpus = encode_corpus(pairs, weights, tokenizer, max_tokens=ids.max_positions)
    batches = epoch_batches(corpus, batch_tokens=BATCH_TOKENS, seed=0, epoch=0)
    scores = np.zeros(len(pairs), dtype=np.float32)
    for indices in tqdm(batches, desc="scoring", unit="batch"):
        batch = make_batch(corpus, indices, pad_id=ids.pad_id, bos_id=ids.bos_id)
        scores[indices] = _losses(model, batch).numpy()
    return scores


def _losses(model: Transformer, batch: Batch) -> Tensor:
    """Cross-entropy of each row, mean per token, float32 [batch]."""
    logits = model(batch.source_ids, batch.source_mask, batch.input_ids).float()
    pad_id = model.architecture.pad_id
    losses = F.cross_entropy(
        logits.transpose(1, 2), batch.label_ids, ignore_index=pad_id, reduction="none"
    )
    return losses.sum(dim=1) / (batch.label_ids != pad_id).sum(dim=1)
