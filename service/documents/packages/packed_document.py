"""An archive some of whose entries are translated."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from service.documents.document import DocumentString
from service.documents.errors import DocumentError
from service.documents.packages.archive import Archive
from service.documents.packages.slots import Slots, XmlPart
from service.documents.packages.xml_tree import XmlSource, parse_xml

MAX_TEXT_CHARS = 4_194_304
"""Characters of all strings: a small packed file may hold more text than any text file."""
FindSlots = Callable[[XmlSource, Slots], None]
"""Adds what changes in an entry."""


class PackedDocument:
    """A parsed archive; its entries are parsed one at a time, whenever they are needed."""

    def __init__(self, archive: Archive, entries: Mapping[str, FindSlots]) -> None:
        """A document.

        Args:
            archive: The file.
            entries: How to find what changes, by the name of an entry, in the order of reading.
        """
        self._archive = archive
        self._entries = entries

    def iter_strings(self) -> Iterator[DocumentString]:
        """The strings to translate, in order.

        Raises:
            DocumentError: An entry cannot be parsed, or there is too much text.
        """
        self._archive.begin()
        num_chars = 0
        for name in self._entries:
            for string in self._part(name)[0].iter_strings():
                num_chars += len(string.text)
                if num_chars > MAX_TEXT_CHARS:
                    raise DocumentError(
                        f"it has over {MAX_TEXT_CHARS} characters of text: divide it"
                    )
                yield string

    @property
    def strings(self) -> tuple[DocumentString, ...]:
        """The strings to translate, in order."""
        return tuple(self.iter_strings())

    def write(self, translations: Sequence[str], language: str = "") -> bytes:
        """The bytes of the file with a translation for each of `strings`.

        Args:
            translations: One for each string.
            language: BCP-47 code of the translation, where the document names its own.

        Raises:
            DocumentError: An entry cannot be parsed.
            ValueError: The numbers of translations and strings differ.
        """
        self._archive.begin()
        rest, changed = iter(translations), {}
        for name in self._entries:
            part, content = self._part(name)
            try:
                written = part.write(rest, language)
            except StopIteration:
                raise ValueError("translations are shorter than the strings") from None
            if written != content:
                changed[name] = written
        if next(rest, None) is not None:
            raise ValueError("translations are longer than the strings")
        return self._archive.write(changed)

    def _part(self, name: str) -> tuple[XmlPart, bytes]:
        content = self._archive.read(name)
        source = parse_xml(content, name)
        slots = Slots(source)
        self._entries[name](source, slots)
        return slots.build(), content
