"""Measures every attention head: what it looks at, and what is lost without it.

Shares are means over the rows of its maps, teacher-forced over references. Losses compare the
bundle with itself without the head (`service.engine.ablation`), in the arithmetic that is served.
The idea of naming heads by what they look at is that of Voita et al. (2019), "Analyzing Multi-Head
Self-Attention".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bundle.manifest import Architecture, HeadName, HeadReport, HeadsReport
from export.lexicon.ibm_model_1 import learn_lexicon
from export.sentences.development_set import DevelopmentPair, DevelopmentSet
from export.verification.alignment_head import Origins, wordless_ids
from export.verification.quality import translate
from service.engine.ablation import Head, bundle_without
from service.engine.graphs.attention_pass import PairAttention, attend
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.inspection import AttentionKind, alignment_attention

NAMED_FROM = 0.4
"""Least mean weight that gives a head its name."""
MAX_TRANSLATIONS = 4_000
"""Translations of an export for all heads together: as many as BLEU takes in both directions."""
_BATCH = 16
_TINY = 1e-12
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Where the heads of one kind look, each float64 [layers, heads]; NaN where it has no sense."""

    entropy: Float64
    sink: Float64
    current: Float64
    previous: Float64
    following: Float64
    aligned: Float64


def measure_heads(sessions: Sessions, text: DevelopmentSet, num_sentences: int) -> HeadsReport:
    """Measure all heads of a bundle.

    Args:
        sessions: Of the bundle.
        text: Held-out sentences; a lexicon is learnt from all of them.
        num_sentences: The first of them, which are translated without each head.
    """
    from sacrebleu.metrics.bleu import BLEU

    manifest = sessions.bundle.manifest
    origins = _origins(sessions, text)
    some = replace(text, pairs=text.pairs[:num_sentences])
    bleu = BLEU()

    def score(variant: Sessions) -> float:
        texts = translate(variant, some, shows_progress=False)  # there is a bar of all heads
        return float(bleu.corpus_score(texts, [some.references]).score)

    whole, agreement = score(sessions), _agreement(sessions, some, origins)
    kinds = kinds_of(manifest.architecture)
    looks = {kind: look_of(sessions, some.pairs, origins, kind) for kind in kinds}
    reports: list[HeadReport] = []
    for head in tqdm(list(heads_of(manifest.architecture)), desc="heads", unit="head"):
        without = open_sessions(bundle_without(sessions.bundle, (head,)))
        left = _agreement(without, some, origins)
        losses = {
            "bleu_lost": round(whole - score(without), 2),
            "agreement_lost": _lost(agreement, left),
        }
        reports.append(described(head, looks[head.kind]).model_copy(update=losses))
    return HeadsReport(
        dataset=text.name,
        pair=text.pair,
        sentences=len(some.pairs),
        bleu=round(whole, 2),
        bleu_signature=str(bleu.get_signature()),
        agreement=None if agreement is None else round(agreement, 4),
        heads=tuple(reports),
    )


def _lost(whole: float | None, left: float | None) -> float | None:
    """What is lost of a share; None where it cannot be measured."""
    return None if whole is None or left is None else round(whole - left, 4)


def affordable_sentences(architecture: Architecture, wanted: int) -> int:
    """As many sentences as are wanted, or as all heads together may take."""
    num_heads = sum(1 for _ in heads_of(architecture))
    return max(1, min(wanted, MAX_TRANSLATIONS // num_heads))


def kinds_of(architecture: Architecture) -> list[AttentionKind]:
    """The kinds of attention that have heads: a recurrence has none."""
    if architecture.decoder_cell == "self_attention":
        return ["encoder", "decoder", "cross"]
    return ["encoder", "cross"]


def heads_of(architecture: Architecture) -> Iterator[Head]:
    """All heads, kind by kind and layer by layer."""
    for kind in kinds_of(architecture):
        is_encoder = kind == "encoder"
        count = architecture.num_encoder_layers if is_encoder else architecture.num_decoder_layers
        for layer in range(count):
            for head in range(architecture.num_heads):
                yield Head(kind, layer, head)


def look_of(
    sessions: Sessions,
    pairs: Sequence[DevelopmentPair],
    origins: Origins,
    kind: AttentionKind,
) -> Looks:
    """Where the heads of a kind look, mean over the rows of all pairs."""
    found: list[Float64] = []
    for pair, attention in attended(sessions, pairs):
        maps = getattr(attention, kind).astype(np.float64)  # [layers, heads, query, key]
        rows = _cross_rows(maps, origins.of(pair)) if kind == "cross" else _self_rows(maps, kind)
        found.append(np.stack(rows))  # [fields, layers, heads, query]
    rows_of_all = np.concatenate(found, axis=-1)
    counts = (~np.isnan(rows_of_all)).sum(axis=-1)
    means = np.nansum(rows_of_all, axis=-1) / np.where(counts, counts, np.nan)
    return _cross_looks(means) if kind == "cross" else _self_looks(means)


def described(head: Head, looks: Looks) -> HeadReport:
    """A head by what it looks at; its losses are still 0."""

    def share(values: Float64) -> float | None:
        value = float(values[head.layer, head.head])
        return None if np.isnan(value) else round(min(max(value, 0.0), 1.0), 4)

    shares: dict[HeadName, float | None] = {
        "sink": share(looks.sink),
        "current": share(looks.current),
        "previous": share(looks.previous),
        "next": share(looks.following),
        "aligner": share(looks.aligned),
    }
    return HeadReport(
        kind=head.kind,
        layer=head.layer,
        head=head.head,
        name=name_of(shares),
        entropy=round(max(0.0, float(looks.entropy[head.layer, head.head])), 4),
        on_sink=shares["sink"] or 0.0,
        on_current=shares["current"],
        on_previous=shares["previous"] or 0.0,
        on_next=shares["next"],
        on_aligned=shares["aligner"],
        bleu_lost=0.0,
        agreement_lost=None,
    )


def name_of(shares: Mapping[HeadName, float | None]) -> HeadName | None:
    """What has most of the weight, if it has enough of it."""
    best = max(shares, key=lambda name: shares[name] or 0.0)
    return best if (shares[best] or 0.0) >= NAMED_FROM else None


def _self_rows(maps: Float64, kind: AttentionKind) -> list[Float64]:
    """Entropy, and weight on sink, current, previous and next token, each [layers, heads, query].

    A row of the decoder has read the token before the one that it predicts: that is its own. NaN
    where there is no such token.
    """
    keys = np.arange(maps.shape[-1])
    sink = maps[..., 0] if kind == "decoder" else maps[..., -1]
    following = keys + 1 if kind == "encoder" else np.full_like(keys, -1)
    return [_entropy(maps), sink, _at(maps, keys), _at(maps, keys - 1), _at(maps, following)]


def _self_looks(means: Float64) -> Looks:
    entropy, sink, current, previous, following = means
    return Looks(
        entropy=entropy,
        sink=sink,
        current=current,
        previous=previous,
        following=following,
        aligned=np.full_like(entropy, np.nan),
    )


def _cross_rows(maps: Float64, origins: NDArray[np.int64]) -> list[Float64]:
    """Entropy, sink, and weight on the aligned token, the one before and after it, twice.

    First for heads that look while they write a token, then for those that look one step later.
    """
    rows = [_entropy(maps), maps[..., -1]]
    for shift in (0, 1):
        # The row of the end token has no origin; with a shift neither has the first row.
        keys = np.full(maps.shape[-2], -1)
        keys[shift : shift + len(origins)] = origins
        has_origin = keys >= 0
        for step in (0, -1, 1):
            rows.append(_at(maps, np.where(has_origin, keys + step, -1)))
    return rows


def _cross_looks(means: Float64) -> Looks:
    """Of both shifts the one at which a head looks more at the aligned token."""
    entropy, sink, *by_shift = means
    at_once, later = np.stack(by_shift[:3]), np.stack(by_shift[3:])
    aligned, previous, following = np.where(later[0] > at_once[0], later, at_once)
    return Looks(
        entropy=entropy,
        sink=sink,
        current=np.full_like(entropy, np.nan),
        previous=previous,
        following=following,
        aligned=aligned,
    )


def _at(maps: Float64, keys: NDArray[np.int64]) -> Float64:
    """The weight of each row on one key, [layers, heads, query]; NaN where the key is outside."""
    exists = (keys >= 0) & (keys < maps.shape[-1])
    rows = np.arange(maps.shape[-2])
    return np.where(exists, maps[..., rows, np.where(exists, keys, 0)], np.nan)


def _entropy(maps: Float64) -> Float64:
    return np.asarray(-(maps * np.log(np.maximum(maps, _TINY))).sum(axis=-1))


def _agreement(sessions: Sessions, text: DevelopmentSet, origins: Origins) -> float | None:
    """Share of the target pieces at whose origin the bundle's alignment head looks most."""
    head = sessions.bundle.manifest.alignment_head
    if head is None:
        return None
    num_sure = num_hits = 0
    for pair, attention in attended(sessions, text.pairs):
        from_where = origins.of(pair)
        (places,) = np.nonzero(from_where >= 0)
        looked_at = alignment_attention(attention, head).argmax(axis=-1)
        num_sure += len(places)
        num_hits += int((looked_at[places] == from_where[places]).sum())
    return num_hits / num_sure if num_sure else None


def attended(
    sessions: Sessions, pairs: Sequence[DevelopmentPair]
) -> Iterator[tuple[DevelopmentPair, PairAttention]]:
    """Each pair with its attention, teacher-forced over the reference."""
    for start in range(0, len(pairs), _BATCH):
        batch = pairs[start : start + _BATCH]
        maps = attend(sessions, [p.source_ids for p in batch], [p.target_ids for p in batch])
        yield from zip(batch, maps, strict=True)


def _origins(sessions: Sessions, text: DevelopmentSet) -> Origins:
    vocab_size = sessions.bundle.manifest.architecture.vocab_size
    pairs = [pair for pair in text.pairs if len(pair.target_ids) > 1]
    lexicon = learn_lexicon(
        [list(pair.source_ids) for pair in pairs],
        [list(pair.target_ids[:-1]) for pair in pairs],
        vocab_size,
    )
    return Origins(lexicon, vocab_size, wordless_ids(sessions))
