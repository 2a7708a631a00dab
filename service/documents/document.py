"""A parsed file, in any format: strings to translate, and the text between them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageCode:
    """Where a file names its own language."""

    original: str
    """The code as in the file; written if no language is given."""
    render: Callable[[str], str] = str
    """Converts a BCP-47 code to the syntax of the format at this place."""

    def written(self, language: str) -> str:
        """The file's spelling of `language`."""
        return self.render(language) if language else self.original


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedString:
    """A string, and the strings in its tags, which its translation has as well."""

    string: DocumentString
    in_tags: tuple[DocumentString, ...]
    insert: Callable[[str, Mapping[str, str]], str]
    """Replaces spellings in the tags of a translation."""

    def written(self, translations: Iterator[str]) -> str:
        """The file's spelling of the next translations."""
        text = self.string.written(next(translations))
        spellings = {str(each.original): each.written(next(translations)) for each in self.in_tags}
        return self.insert(text, spellings)


Part = str | DocumentString | TaggedString | LanguageCode


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

    parts: tuple[Part, ...]
    """Parts in the order of the file; a `str` is written unchanged."""
    encoding: Encoding

    def iter_strings(self) -> Iterator[DocumentString]:
        """The strings to translate, in order."""
        for part in self.parts:
            if isinstance(part, DocumentString):
                yield part
            elif isinstance(part, TaggedString):
                yield part.string
                yield from part.in_tags

    @property
    def strings(self) -> tuple[DocumentString, ...]:
        """The strings to translate, in order."""
        return tuple(self.iter_strings())

    def write(self, translations: Sequence[str], language: str = "") -> bytes:
        """The bytes of the file with a translation for each of `strings`.

        Args:
            translations: One for each string.
            language: BCP-47 code of the translation, for formats that name their own.

        Raises:
            ValueError: The numbers of translations and strings differ.
        """
        num_strings = sum(1 for _ in self.iter_strings())
        if len(translations) != num_strings:
            raise ValueError(f"{len(translations)} translations of {num_strings} strings")
        following = iter(translations)
        text = "".join(_written(part, following, language) for part in self.parts)
        return self.encoding.encode(text)


def _written(part: Part, translations: Iterator[str], language: str) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, LanguageCode):
        return part.written(language)
    if isinstance(part, TaggedString):
        return part.written(translations)
    return part.written(next(translations))
