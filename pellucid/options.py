"""Options of a translation, which `Translator` and `Client` share."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from service.engine.inspection import AttentionKind

HeadIndices = tuple[AttentionKind, int, int]
"""Kind, layer and head of an attention head."""


class TranslateOptions(TypedDict, total=False):
    """Options of translations; an absent one has the model's default."""

    beam_size: int
    """Hypotheses that are kept alive; 1 is greedy search, the fastest."""
    length_penalty: float
    """Alpha of Wu et al. (2016)."""
    max_target_tokens: int
    """Longest output of a sentence."""
    alternatives: int
    """Further translations, in `Translation.alternatives`."""
    glossary: Mapping[str, str]
    """Terms, and what they have to become."""
    html: bool
    """Whether the text is HTML, whose tags are kept."""
    unwrap: bool
    """Whether line breaks within a paragraph are only where the line was full."""
    alignment: bool
    """Whether sentences in `Translation.sentences` have their `alignment`."""
    search: bool
    """Whether sentences in `Translation.sentences` have their `search`, token by token."""
    without_heads: Sequence[HeadIndices]
    """Attention heads that the model does without; needs a named source language."""


class CallOptions(TranslateOptions, total=False):
    """Options of one call; absent languages are those of the translator."""

    source: str
    """Language of the text, or `auto`: detected."""
    target: str
    """Language to translate to."""
    timeout_s: float
    """Time for the translation; beyond it `DeadlineExceededError`.

    A `Client` waits no longer than that to send a refused request again.
    """


def check_names(options: CallOptions) -> None:
    """Check options of callers that no type checker has seen.

    Raises:
        TypeError: An option does not exist.
    """
    known = CallOptions.__annotations__
    if unknown := [name for name in options if name not in known]:
        raise TypeError(f"unknown option {unknown[0]!r}: it must be one of {', '.join(known)}")
