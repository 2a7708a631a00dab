"""A piece of a text, and the white space that followed it there."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What is translated as one, and what is kept as it is."""

    text: str
    """Without white space at either end; empty where a text begins with white space."""
    separator: str
    """The white space up to the next segment, or to the end; may be empty."""
    start: int
    """Character offset of `text` in the whole text."""

    @property
    def end(self) -> int:
        """Character offset behind `text` in the whole text."""
        return self.start + len(self.text)


def join(segments: Iterable[Segment]) -> str:
    """The whole text again."""
    return "".join(segment.text + segment.separator for segment in segments)
