"""A glossary as a key store keeps it: its contents are opaque to the store."""

from dataclasses import dataclass
from typing import Literal

PutOutcome = Literal["stored", "changed", "too_many", "too_large"]
"""`changed`: another process has stored, replaced or removed it meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GlossaryHead:
    """What a glossary is, without its terms."""

    id: str
    revision: str
    """Changes whenever the glossary does."""
    name: str
    size_bytes: int
    """Of its content, UTF-8."""
    description: str
    """JSON: see `service.api.glossaries.stored`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GlossaryRecord:
    """A glossary with its terms."""

    head: GlossaryHead
    content: str
    """JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GlossaryRoom:
    """What the glossaries of one key may take."""

    max_glossaries: int
    max_bytes: int
    """Of the content of all together."""


def refusal(
    others: list[tuple[str, int]], record: GlossaryRecord, room: GlossaryRoom
) -> PutOutcome | None:
    """Why there is no room for a glossary; None if there is.

    Args:
        others: Ids and sizes of the glossaries of its owner; an earlier state of it counts not.
        record: The glossary.
        room: Of its owner.
    """
    sizes = [size for other_id, size in others if other_id != record.head.id]
    if len(sizes) >= room.max_glossaries:
        return "too_many"
    if sum(sizes) + record.head.size_bytes > room.max_bytes:
        return "too_large"
    return None
