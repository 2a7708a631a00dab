"""Chooses the head of the cross-attention that aligns words best.

The score of a head is the share of target pieces at which it attends most to the source piece that
IBM Model 1 aligns with them. A decoder may attend to a source piece while it generates the target
piece, or one step later, when that is its input: both are tried.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import AlignmentHead
from export.lexicon.ibm_model_1 import Lexicon
from export.sentences.development_set import DevelopmentPair
from service.engine.graphs.attention_pass import attend
from service.engine.graphs.sessions import Sessions

MAX_PAIRS = 400
"""More do not change the choice."""
SURE = 0.1
"""Least probability at which the lexicon's alignment counts."""
_BATCH = 16


def choose_alignment_head(
    sessions: Sessions, pairs: Sequence[DevelopmentPair], lexicon: Lexicon
) -> AlignmentHead | None:
    """Score every head on sentence pairs.

    Args:
        sessions: Of the bundle.
        pairs: Development data, references as targets.
        lexicon: Learnt from parallel text of the same vocabulary.

    Returns:
        The best head; None if the lexicon aligns no piece of the pairs.
    """
    origins = Origins(
        lexicon, sessions.bundle.manifest.architecture.vocab_size, wordless_ids(sessions)
    )
    return best_head(_attention(sessions, pairs[:MAX_PAIRS]), origins)


def best_head(
    seen: Iterable[tuple[DevelopmentPair, NDArray[np.float32]]], origins: "Origins"
) -> AlignmentHead | None:
    """The head that attends most often to the aligned source piece.

    Args:
        seen: Pairs, each with its cross-attention, float32 [layers, heads, target, source].
        origins: Alignments by the lexicon.
    """
    agreed: NDArray[np.int64] | None = None
    num_sure = 0
    for pair, cross in seen:
        from_where = origins.of(pair)
        (places,) = np.nonzero(from_where >= 0)
        num_sure += len(places)
        looked_at = cross.argmax(axis=-1)  # [layers, heads, target]
        hits = [(looked_at[..., places + shift] == from_where[places]) for shift in (0, 1)]
        counts = np.stack([hit.sum(axis=-1) for hit in hits], axis=-1)
        agreed = counts if agreed is None else agreed + counts
    if agreed is None or not num_sure:
        return None
    layer, head, shift = (int(axis) for axis in np.unravel_index(agreed.argmax(), agreed.shape))
    agreement = round(int(agreed.max()) / num_sure, 4)
    return AlignmentHead(layer=layer, head=head, shift=shift, agreement=agreement)


def wordless_ids(sessions: Sessions) -> list[int]:
    """Source ids that align with no target piece: end tokens and language prefixes."""
    manifest, tokenizer = sessions.bundle.manifest, sessions.bundle.tokenizer
    prefixes = [tokenizer.source_id(p.source_prefix) for p in manifest.pairs if p.source_prefix]
    return [*manifest.special_ids.ends_of_source, *prefixes]


def _attention(
    sessions: Sessions, pairs: Sequence[DevelopmentPair]
) -> Iterator[tuple[DevelopmentPair, NDArray[np.float32]]]:
    """Each pair with its cross-attention, float32 [layers, heads, target, source]."""
    for start in range(0, len(pairs), _BATCH):
        batch = pairs[start : start + _BATCH]
        maps = attend(sessions, [p.source_ids for p in batch], [p.target_ids for p in batch])
        yield from zip(batch, (each.cross for each in maps), strict=True)


class Origins:
    """Aligns target pieces with source pieces by a lexicon."""

    def __init__(self, lexicon: Lexicon, vocab_size: int, wordless: Sequence[int]) -> None:
        """Take a lexicon; source ids of `wordless` align with no target piece."""
        self._keys = lexicon.source_ids * vocab_size + lexicon.target_ids
        self._probabilities = lexicon.probabilities
        self._vocab_size = vocab_size
        self._wordless = wordless

    def of(self, pair: DevelopmentPair) -> NDArray[np.int64]:
        """The likeliest source piece of each target piece, without the end token.

        Returns:
            Positions in the source, int64 [target - 1]; -1 where the probability is too small, or
            the likeliest source piece is wordless.
        """
        sources, targets = np.array(pair.source_ids), np.array(pair.target_ids[:-1], dtype=np.int64)
        wanted = sources[None, :] * self._vocab_size + targets[:, None]
        places = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        found = np.where(self._keys[places] == wanted, self._probabilities[places], 0)
        best = found.argmax(axis=1)
        is_sure = found[np.arange(len(targets)), best] >= SURE
        return np.where(is_sure & ~np.isin(sources[best], self._wordless), best, -1)
