"""Terms whose translation is given."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GlossaryEntry:
    """A term and what it has to become."""

    source: str
    target: str
