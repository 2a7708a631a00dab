"""A parsed file, in any format: strings to translate, and the text between them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from service.documents.encoding import Encoding

TextFormat = Literal["text", "html"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentString:
    """A part of a file that is translated as one text."""

    text: str
    """The text to translate, without the escapes of the format."""
    original: str | None
    """The file's spelling of `text`, written if the translation equals `text`; None: none."""
    format: TextFormat = "text"
    render: Callable[[str], str] = str
    """Converts a translation to the syntax of the format at this place."""

    def written(self, translation: str) -> str:
        """The file's spelling of `translation`."""
        if translation == self.text and self.original is not None:
            return self.original
        return self.render(translation)


class ParsedFile(Protocol):
    """What a reader makes of a file."""

    def iter_strings(self) -> Iterator[DocumentString]:
        """The strings to translate, in order."""

    @property
    def strings(self) -> tuple[DocumentString, ...]:
        """The strings to translate, in order."""

    def write(self, translations: Sequence[str], language: str = "") -> bytes:
        """The bytes of the file with a translation for each of its strings.

        Args:
            translations: One for each string.
            language: BCP-47 code of the translation, for formats that name their own.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file; writing its own strings back gives the same bytes."""

    parts: tuple[str | DocumentString, ...]
    """In the order of the file; a `str` is written unchanged."""
    encoding: Encoding

    def iter_strings(self) -> Iterator[DocumentString]:
        """The strings to translate, in order."""
        return (part for part in self.parts if isinstance(part, DocumentString))

    @property
    def strings(self) -> tuple[DocumentString, ...]:
        """The strings to translate, in order."""
        return tuple(self.iter_strings())

    def write(self, translations: Sequence[str], language: str = "") -> bytes:
        """The bytes of the file with a translation for each of `strings`.

        Args:
            translations: One for each string.
            language: Not used: a text file does not name its own.

        Raises:
            ValueError: The numbers of translations and strings differ.
        """
        del language
        written = iter(
            [s.written(t) for s, t in zip(self.iter_strings(), translations, strict=True)]
        )
        text = "".join(part if isinstance(part, str) else next(written) for part in self.parts)
        return self.encoding.encode(text)
