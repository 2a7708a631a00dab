"""Options of a translation, which `Translator` and `Client` share."""

import math
import reprlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypedDict

from service.engine.inspection import AttentionKind
from service.engine.search.options import MAX_BEAM_SIZE
from service.errors import InvalidRequestError

HeadIndices = tuple[AttentionKind, int, int]
"""Kind, layer and head of an attention head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """The numbers that an option may be."""

    kind: type[Integral] | type[Real]
    least: float = -math.inf
    most: float = math.inf
    description: str


_MAX_ALTERNATIVES = MAX_BEAM_SIZE - 1
_RANGES = {
    "beam_size": _Range(
        kind=Integral,
        least=1,
        most=MAX_BEAM_SIZE,
        description=f"a whole number from 1 to {MAX_BEAM_SIZE}",
    ),
    "length_penalty": _Range(
        kind=Real, least=0, most=sys.float_info.max, description="a finite number, 0 or more"
    ),
    "max_target_tokens": _Range(kind=Integral, least=1, description="a whole number, 1 or more"),
    "alternatives": _Range(
        kind=Integral,
        least=0,
        most=_MAX_ALTERNATIVES,
        description=f"a whole number from 0 to {_MAX_ALTERNATIVES}",
    ),
    "timeout_s": _Range(kind=Real, description="a number of seconds"),
}
"""Of the options that are numbers."""


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

    A `Client` waits no longer than that to send a refused request again, nor for a silent server.
    """


def check_options(options: CallOptions) -> None:
    """Check options of callers that no type checker has seen.

    Raises:
        TypeError: An option does not exist.
        InvalidRequestError: A number is none, or out of its range.
    """
    known = CallOptions.__annotations__
    if unknown := [name for name in options if name not in known]:
        raise TypeError(f"unknown option {unknown[0]!r}: it must be one of {', '.join(known)}")
    for name, value in options.items():
        if value is not None and name in _RANGES and not _is_valid(value, _RANGES[name]):
            raise InvalidRequestError(
                f"{name} is {reprlib.repr(value)}: give {_RANGES[name].description}"
            )


def _is_valid(value: Any, valid: _Range) -> bool:  # noqa: ANN401 - unchecked
    is_number = isinstance(value, valid.kind) and not isinstance(value, bool)
    return is_number and bool(valid.least <= value <= valid.most)  # false for `nan`
