"""A file as what is kept and what is translated; the same for every format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from service.documents.encoding import Encoding

TextFormat = Literal["text", "html"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentString:
    """A stretch of a file that is translated as one."""

    text: str
    """Free of the file's own escapes."""
    original: str | None
    """What the file has for `text`: written if the translation says the same. None: nothing yet."""
    format: TextFormat = "text"
    render: Callable[[str], str] = str
    """A translation as this format writes it here."""

    def written(self, translation: str) -> str:
        """What stands in the file for `translation`."""
        if translation == self.text and self.original is not None:
            return self.original
        return self.render(translation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file, read; unchanged translations give the same bytes."""

    parts: tuple[str | DocumentString, ...]
    """In the order of the file; text is kept as it is."""
    encoding: Encoding

    @property
    def strings(self) -> tuple[DocumentString, ...]:
        """What is to translate, in order."""
        return tuple(part for part in self.parts if isinstance(part, DocumentString))

    def write(self, translations: Sequence[str]) -> bytes:
        """The file with a translation for each of `strings`, in its own encoding.

        Raises:
            ValueError: There are more or fewer translations than strings.
        """
        written = iter([s.written(t) for s, t in zip(self.strings, translations, strict=True)])
        text = "".join(part if isinstance(part, str) else next(written) for part in self.parts)
        return self.encoding.encode(text)
