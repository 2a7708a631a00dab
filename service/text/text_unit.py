"""Words and punctuation marks of any script, with their offsets."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_WIDE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts without spaces: each character is a unit."""
_MARK = (
    "!-/:-@\\[-`{-~\xa1\xab\xb7\xbb\xbf\u2010-\u2027\u2030-\u205e\u3001-\u303f\uff01-\uff0f"
    "\uff1a-\uff20\ue000-\uf8ff"
)
_UNIT = re.compile(
    rf"[{_WIDE}]|[{_MARK}]|[^\s{_MARK}{_WIDE}]++(?:['’.-][^\s{_MARK}{_WIDE}]++)*+"  # noqa: RUF001
)
_IS_MARK = re.compile(rf"[{_MARK}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextUnit:
    """A word, or a punctuation mark."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """Offset behind it."""
        return self.start + len(self.text)

    @property
    def is_mark(self) -> bool:
        """Whether it is no word."""
        return _IS_MARK.match(self.text) is not None


def text_units(text: str, cuts: Iterable[int] = ()) -> list[TextUnit]:
    """All but the white space of `text`, in order; no unit goes on over one of `cuts`."""
    units: list[TextUnit] = []
    inner_cuts = iter(sorted({cut for cut in cuts if 0 < cut < len(text)}))
    cut = next(inner_cuts, len(text))
    for match in _UNIT.finditer(text):
        start = match.start()
        while start < match.end():
            while cut <= start:
                cut = next(inner_cuts, len(text))
            end = min(cut, match.end())
            units.append(TextUnit(text=text[start:end], start=start))
            start = end
    return units
