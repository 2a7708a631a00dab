"""Inspected sentences with maps that can be checked by hand."""

import numpy as np
from numpy.typing import NDArray

from service.engine.inspection import AttentionKind
from service.inspection.values import AttentionMaps, InspectedPair, InspectedSentence
from service.text.alignment.word_links import WordLink

# Two layers, one head: rows are Guten, Tag, </s>; columns Good, day.
CROSS = np.array(
    [
        [[[1.0, 0.0], [0.25, 0.75], [0.5, 0.5]]],
        [[[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]],
    ],
    dtype=np.float32,
)
TARGETS = ("▁Guten", "▁Tag", "</s>")


def inspected(
    maps: dict[AttentionKind, NDArray[np.float32]] | None = None,
    *,
    source: str = "Good day",
    translation: str = "Guten Tag",
    source_tokens: tuple[str, ...] = ("▁Good", "▁day"),
    target_tokens: tuple[str, ...] = TARGETS,
) -> InspectedSentence:
    """A sentence; the maps are those above unless told otherwise."""
    return InspectedSentence(
        source=source,
        translation=translation,
        source_span=(0, len(source)),
        target_span=(0, len(translation)),
        links=(
            WordLink(source=(0, 4), target=(0, 5), weight=0.875),
            WordLink(source=(5, 8), target=(6, 9), weight=0.5),
        ),
        attention=AttentionMaps(
            source_tokens=source_tokens,
            target_tokens=target_tokens,
            maps={"cross": CROSS} if maps is None else maps,
            alignment=np.full(
                (len(target_tokens), len(source_tokens)), 1 / len(source_tokens), dtype=np.float32
            ),
            token_log_probs=(-0.5,) * len(target_tokens),
        ),
    )


def pair_of(*sentences: InspectedSentence) -> InspectedPair:
    """A text of these sentences."""
    return InspectedPair(
        source=" ".join(sentence.source for sentence in sentences),
        translation=" ".join(sentence.translation for sentence in sentences),
        sentences=sentences,
    )


def large_map(size: int, *, layers: int = 2, heads: int = 3) -> InspectedSentence:
    """A long sentence that looks everywhere alike."""
    maps = np.full((layers, heads, size, size), 1 / size, dtype=np.float32)
    tokens = tuple(f"▁t{i}" for i in range(size))
    return inspected({"cross": maps}, source_tokens=tokens, target_tokens=tokens)
