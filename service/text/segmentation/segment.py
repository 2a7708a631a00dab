"""A segment of a text, with the white space behind it."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of a text that is translated as one, and the white space behind it."""

    text: str
    """Without white space at either end; empty for white space that a text begins with."""
    separator: str
    """The white space up to the next segment or the end of the text; may be empty."""
    start: int
    """Character offset of `text` in the whole text."""

    @property
    def end(self) -> int:
        """Character offset behind `text` in the whole text."""
        return self.start + len(self.text)


def join(segments: Iterable[Segment]) -> str:
    """The text that was split into `segments`."""
    return "".join(segment.text + segment.separator for segment in segments)
