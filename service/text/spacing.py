"""White space around what was put into a translation, set right after that of the source."""

from dataclasses import dataclass

_OPENING = "([{<\"'„“‚‘«‹/-_=#@"  # noqa: RUF001
_CLOSING = ")]}>\"'“”‘’»›/-_=.,%"  # noqa: RUF001
_FIRST_CJK = "\u2e80"
"""From here on, hardly any script puts spaces between words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """A stretch of a text."""

    text: str
    start: int
    end: int

    @property
    def before(self) -> str:
        """The character before it, a space at the beginning of the text."""
        return _at(self.text, self.start - 1)

    @property
    def behind(self) -> str:
        """The character behind it, a space at the end of the text."""
        return _at(self.text, self.end)


def respaced(target: Surroundings, source: Surroundings) -> tuple[int, int, str, str]:
    """How to space a stretch of a translation like the same stretch of the source.

    A space goes if the source had none beside a bracket, a quote or a hyphen, and the translation
    has one there; a space comes where a word of the translation would be glued to the stretch.

    Returns:
        The stretch with the spaces that have to go, and what has to stand before and behind it.
    """
    start, end = target.start, target.end
    if (
        target.before == " "
        and source.before in _OPENING
        and _at(target.text, start - 2) in _OPENING
    ):
        start -= 1
    if target.behind == " " and source.behind in _CLOSING and _at(target.text, end + 1) in _CLOSING:
        end += 1
    lead = " " if source.before.isspace() and _is_glued(target.before) else ""
    tail = " " if source.behind.isspace() and _is_glued(target.behind) else ""
    return start, end, lead, tail


def _at(text: str, index: int) -> str:
    return text[index] if 0 <= index < len(text) else " "


def _is_glued(character: str) -> bool:
    return character.isalnum() and character < _FIRST_CJK
