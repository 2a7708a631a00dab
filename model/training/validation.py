"""Validation: loss, BLEU and chrF on development pairs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import sacrebleu
import torch
from sentencepiece import SentencePieceProcessor

from model.data.batching import encode_corpus, encode_sources, epoch_batches, make_batch
from model.data.corpus import SentencePair
from model.greedy import greedy_translate
from model.training.optimization.loss import batch_loss
from model.transformer import Transformer

BATCH_SENTENCES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationSet:
    """Pairs of one direction and one source."""

    name: str
    """Source and direction: `dev en-de`."""
    pairs: tuple[SentencePair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationScores:
    """Scores on development pairs, decoded greedily."""

    loss: float
    """Mean per target token in nats, without label smoothing; NaN if every pair is too long."""
    bleu: float
    chrf: float
    samples: tuple[tuple[str, str, str], ...]
    """Source, translation and reference of the first pairs."""


@torch.inference_mode()
def validate(
    model: Transformer,
    tokenizer: SentencePieceProcessor,
    pairs: Sequence[SentencePair],
    *,
    max_tokens: int,
) -> ValidationScores:
    """Score `model`, which must be in evaluation mode, on `pairs`."""
    translations = translate_sources(
        model, tokenizer, encode_sources(pairs, tokenizer), max_tokens=max_tokens
    )
    references = [[p.target for p in pairs]]
    return ValidationScores(
        loss=loss_per_token(model, tokenizer, pairs, max_tokens),
        bleu=sacrebleu.corpus_bleu(translations, references).score,
        chrf=sacrebleu.corpus_chrf(translations, references).score,
        samples=tuple(
            (p.source, t, p.target) for p, t in zip(pairs[:3], translations[:3], strict=True)
        ),
    )


def mean_scores(scores: Sequence[ValidationScores]) -> ValidationScores:
    """Mean over sets of equal weight; samples are those of the first."""
    return ValidationScores(
        loss=fmean(s.loss for s in scores),
        bleu=fmean(s.bleu for s in scores),
        chrf=fmean(s.chrf for s in scores),
        samples=scores[0].samples,
    )


def translate_sources(
    model: Transformer,
    tokenizer: SentencePieceProcessor,
    sources: Sequence[Sequence[int]],
    *,
    max_tokens: int,
) -> list[str]:
    """Greedy translations of encoded sources, in order; batches are sorted by length."""
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    results = [""] * len(sources)
    for start in range(0, len(order), BATCH_SENTENCES):
        group = order[start : start + BATCH_SENTENCES]
        longest = min(max_tokens, 2 * len(sources[group[-1]]) + 10)
        ids = greedy_translate(model, [sources[i] for i in group], max_tokens=longest)
        for i, target in zip(group, ids, strict=True):
            results[i] = tokenizer.decode(target)
    return results


@torch.inference_mode()
def loss_per_token(
    model: Transformer,
    tokenizer: SentencePieceProcessor,
    pairs: Sequence[SentencePair],
    max_tokens: int,
) -> float:
    """Mean per target token in nats, without label smoothing; NaN if every pair is too long."""
    corpus = encode_corpus(pairs, [1.0] * len(pairs), tokenizer, max_tokens=max_tokens)
    ids, device = model.architecture, next(model.parameters()).device
    total, count = 0.0, 0
    for indices in epoch_batches(corpus, batch_tokens=2000, seed=0, epoch=0):
        batch = make_batch(corpus, indices, pad_id=ids.pad_id, bos_id=ids.bos_id).to(device)
        total += batch.num_target_tokens * float(batch_loss(model, batch, label_smoothing=0.0))
        count += batch.num_target_tokens
    return total / count if count else math.nan
