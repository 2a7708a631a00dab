"""A text that translation services are known to damage, and the properties that it keeps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.service.fidelity.properties import (
    LINES,
    NESTING,
    NO_ARTEFACTS,
    NO_LOOP,
    NOT_EMPTY,
    OUTER_SPACE,
    PROPORTION,
    TAGS,
    TAGS_AS_WRITTEN,
    UNCHANGED,
    Property,
)

Format = Literal["text", "html"]
Row = tuple[str, str, *tuple[Property, ...]]
"""Name, text, and what it keeps beside what every text keeps."""

_EVERY = (NOT_EMPTY, NO_ARTEFACTS, OUTER_SPACE, PROPORTION, NO_LOOP)
_OF_FORMAT: dict[Format, tuple[Property, ...]] = {
    "text": (*_EVERY, LINES),
    "html": (*_EVERY, TAGS, TAGS_AS_WRITTEN, NESTING),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NastyText:
    """English, if it is in any language."""

    id: str
    category: str
    text: str = field(repr=False)
    properties: tuple[Property, ...] = field(repr=False)
    format: Format = "text"
    options: dict[str, Any] = field(default_factory=dict)
    """Further parameters of the request; only ours knows them."""
    may_refuse: bool = False
    """Whether 400 is as good an answer as a translation."""


def table(
    category: str,
    rows: Iterable[Row],
    *,
    format: Format = "text",  # noqa: A002 - what the API calls it
    options: dict[str, Any] | None = None,
    may_refuse: bool = False,
    has_tags: bool = True,
) -> tuple[NastyText, ...]:
    """The texts of one category.

    Args:
        category: What they have in common.
        rows: Their names, texts and own properties.
        format: How they are to be read.
        options: See `NastyText`.
        may_refuse: See `NastyText`.
        has_tags: False where it is anyone's guess what in a marked-up text is a tag.
    """
    every = _OF_FORMAT[format] if has_tags else _EVERY
    return tuple(
        NastyText(
            id=f"{category}-{name}",
            category=category,
            text=text,
            properties=_all_properties(properties, every),
            format=format,
            options=options or {},
            may_refuse=may_refuse,
        )
        for name, text, *properties in rows
    )


def _all_properties(own: Sequence[Property], every: tuple[Property, ...]) -> tuple[Property, ...]:
    """What does not change at all keeps everything."""
    return tuple(own) if UNCHANGED in own else (*own, *every)
