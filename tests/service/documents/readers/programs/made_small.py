"""Files of the small formats, made of three texts by the libraries and programs that write them."""

import csv
import io
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

Untyped: TypeAlias = Any
"""What the libraries make: most ship no types."""
Make = Callable[[Sequence[str]], bytes]

TEXTS: Mapping[str, Sequence[str]] = {
    "plain": ("Good morning", "The dog sleeps in the garden.", "Save the file"),
    "signs": (
        "It is \"quoted\" and 'single': 100 %",
        "Path C:\\new; a, b = c # d",
        "Yes - no & so",
    ),
    "letters": ("Grüße aus Köln", "naïve café – 10 € 😀", "Двор и дом"),
    "long": ("One long line, " * 12 + "which ends.", "Two\nlines", "  spaces around  "),
}
"""By what is special about them."""


def _cues(texts: Sequence[str]) -> Iterator[tuple[timedelta, timedelta, str]]:
    for number, text in enumerate(texts):
        yield timedelta(seconds=3 * number), timedelta(seconds=3 * number + 2.5), text.strip()


def srt_of_srt(texts: Sequence[str]) -> bytes:
    import srt

    return str(srt.compose([srt.Subtitle(None, *cue) for cue in _cues(texts)])).encode()


def _pysubs2(texts: Sequence[str], kind: str) -> bytes:
    import pysubs2

    subtitles = pysubs2.SSAFile()
    for start, end, text in _cues(texts):
        times = [int(time / timedelta(milliseconds=1)) for time in (start, end)]
        subtitles.append(pysubs2.SSAEvent(*times, text=text.replace("\n", "\\N")))
    data: bytes = subtitles.to_string(kind).encode()
    return data


def srt_of_pysubs2(texts: Sequence[str]) -> bytes:
    return _pysubs2(texts, "srt")


def vtt_of_pysubs2(texts: Sequence[str]) -> bytes:
    return _pysubs2(texts, "vtt")


def srt_of_pysrt(texts: Sequence[str]) -> bytes:
    import pysrt

    items = [
        pysrt.SubRipItem(
            number, str(start) + ",000", str(start + timedelta(seconds=2)) + ",000", text
        )
        for number, (start, _, text) in enumerate(_cues(texts), start=1)
    ]
    stream = io.StringIO()
    pysrt.SubRipFile(items).write_into(stream)
    return stream.getvalue().encode()


def _webvtt(texts: Sequence[str]) -> Untyped:
    import webvtt

    captions = webvtt.WebVTT()
    for start, _, text in _cues(texts):
        second = start.seconds
        times = f"00:00:{second:02}.000", f"00:00:{second + 2:02}.500"
        captions.captions.append(webvtt.Caption(*times, text, identifier=f"cue {second}"))
    return captions


def vtt_of_webvtt(texts: Sequence[str]) -> bytes:
    return str(_webvtt(texts).content).encode()


def srt_of_webvtt(texts: Sequence[str]) -> bytes:
    stream = io.StringIO()
    _webvtt(texts).write(stream, format="srt")
    return stream.getvalue().encode()


def vtt_of_srt(texts: Sequence[str]) -> bytes:
    import webvtt

    data = io.StringIO(srt_of_srt(texts).decode())
    return str(webvtt.from_buffer(data, format="srt").content).encode()


def _rows(texts: Sequence[str]) -> list[list[str]]:
    return [["id", "title"], *([str(number), text] for number, text in enumerate(texts))]


def _table(**options: Untyped) -> Make:
    def make(texts: Sequence[str]) -> bytes:
        stream = io.StringIO()
        csv.writer(stream, **options).writerows(_rows(texts))
        return stream.getvalue().encode()

    return make


def _tablib(kind: str) -> Make:
    def make(texts: Sequence[str]) -> bytes:
        import tablib

        head, *rows = _rows(texts)
        return str(tablib.Dataset(*rows, headers=head).export(kind)).encode()

    return make


def _pyyaml(**options: Untyped) -> Make:
    def make(texts: Sequence[str]) -> bytes:
        import yaml

        content = {"title": texts[0], "items": [*texts[1:], 7], "map": {"a b": texts[1]}}
        return str(yaml.safe_dump(content, **options)).encode()

    return make


def yaml_of_ruamel(texts: Sequence[str]) -> bytes:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

    content = CommentedMap(title=texts[0], more=[*texts[1:]], count=3)
    content.yaml_set_start_comment("A comment")
    content.yaml_add_eol_comment("kept", "count")
    stream = io.BytesIO()
    YAML().dump(content, stream)
    return stream.getvalue()


def properties_of_javaproperties(texts: Sequence[str]) -> bytes:
    import javaproperties

    return str(javaproperties.dumps(_by_key(texts), comments="Kept")).encode("latin-1")


def properties_of_jproperties(texts: Sequence[str]) -> bytes:
    from jproperties import Properties

    properties = Properties()
    for key, text in _by_key(texts).items():
        properties[key] = text
    stream = io.BytesIO()
    properties.store(stream, encoding="utf-8", timestamp=False)
    return stream.getvalue()


def _by_key(texts: Sequence[str]) -> dict[str, str]:
    return {f"key.{number}": text for number, text in enumerate(texts)}


def _toolkit(module: str, factory: str, *arguments: str) -> Make:
    """Files of translate-toolkit with texts as values, or as sources of translations."""

    def make(texts: Sequence[str]) -> bytes:
        from importlib import import_module

        storage = import_module(f"translate.storage.{module}")
        store = getattr(storage, factory)(*([None, *arguments] if arguments else []))
        for key, text in _by_key(texts).items():
            if module == "properties":
                line = " ".join(text.split())  # it does not escape line ends
                unit = store.UnitClass(line, *arguments)
                unit.name, unit.value = key, line
                store.addunit(unit)
            else:
                store.addsourceunit(text)
        return bytes(store)

    return make


def po_of_polib(texts: Sequence[str]) -> bytes:
    import polib

    catalogue = polib.POFile(wrapwidth=40)
    catalogue.metadata = {"Content-Type": "text/plain; charset=utf-8", "Language": "en"}
    for text in texts:
        catalogue.append(polib.POEntry(msgid=text, occurrences=[("a.py", 1)], comment="Hint"))
    return str(catalogue).encode()


def po_of_babel(texts: Sequence[str]) -> bytes:
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import write_po

    catalogue = Catalog(locale="en")
    for text in texts:
        catalogue.add(text, locations=[("a.py", 1)])
    stream = io.BytesIO()
    write_po(stream, catalogue)
    return stream.getvalue()


def _gettext(*flags: str, is_filled: bool = True) -> Make:
    """A catalogue of Babel as `msgcat` writes it in another of its formats."""

    def make(texts: Sequence[str]) -> bytes:
        import polib

        catalogue = polib.pofile(po_of_polib([text.strip() for text in texts]).decode())
        for entry in catalogue:
            entry.msgstr = entry.msgid if is_filled else ""
        command = ["msgcat", *flags, "-"]
        return subprocess.run(
            command, input=str(catalogue).encode(), capture_output=True, check=True
        ).stdout

    return make


def _json(**options: Untyped) -> Make:
    def make(texts: Sequence[str]) -> bytes:
        content = {"title": texts[0], "items": [*texts[1:], 7], "map": {"a b": texts[1]}}
        return json.dumps(content, **options).encode()

    return make


def _pandoc(*flags: str) -> Make:
    """Paragraphs, the first of them a heading, as pandoc writes them."""

    def make(texts: Sequence[str]) -> bytes:
        blocks = [{"t": "Header", "c": [1, ["", [], []], _inlines(texts[0])]}]
        blocks += [{"t": "Para", "c": _inlines(text)} for text in texts[1:]]
        content = {"pandoc-api-version": [1, 22], "meta": {}, "blocks": blocks}
        command = ["pandoc", "--from", "json", *flags]
        given = json.dumps(content).encode()
        return subprocess.run(command, input=given, capture_output=True, check=True).stdout

    return make


def _inlines(text: str) -> list[dict[str, Untyped]]:
    words: list[dict[str, Untyped]] = []
    for word in text.split():
        words += [{"t": "Space"}, {"t": "Str", "c": word}]
    return words[1:]


def html_of_markdown_it(texts: Sequence[str]) -> bytes:
    from markdown_it import MarkdownIt

    return str(MarkdownIt().render(_pandoc("--to=commonmark")(texts).decode())).encode()


def xliff_of_devxliff(texts: Sequence[str]) -> bytes:
    from xml.etree import ElementTree

    from devXliff.XLIFF import XLIFF

    made = XLIFF("a.txt", "en", "de")
    for text in texts:
        made.add_trans_unit(text, "")
    return bytes(ElementTree.tostring(made.xliff, "utf-8"))


SMALL_FILES: Mapping[str, Mapping[str, Make]] = {
    ".json": {
        "json": _json(), "json in lines": _json(indent=2, ensure_ascii=False),
        "tablib": _tablib("json"),
    },
    ".html": {
        "pandoc": _pandoc("--to=html"), "pandoc as XHTML": _pandoc("--to=html4", "--wrap=none"),
        "markdown-it": html_of_markdown_it,
    },
    ".md": {
        "pandoc": _pandoc("--to=markdown"), "pandoc as CommonMark": _pandoc("--to=commonmark"),
        "pandoc as GitHub": _pandoc("--to=gfm", "--columns=30"),
    },
    ".txt": {
        "pandoc": _pandoc("--to=plain"),
        "pandoc in long lines": _pandoc("--to=plain", "--wrap=none"),
        "pandoc in short lines": _pandoc("--to=plain", "--columns=30"),
    },
    ".srt": {
        "srt": srt_of_srt, "pysubs2": srt_of_pysubs2, "pysrt": srt_of_pysrt,
        "webvtt-py": srt_of_webvtt,
    },
    ".vtt": {
        "webvtt-py": vtt_of_webvtt, "pysubs2": vtt_of_pysubs2, "webvtt-py from srt": vtt_of_srt,
    },
    ".csv": {
        "csv": _table(), "csv of Unix": _table(dialect="unix"),
        "csv of Europe": _table(delimiter=";"), "tablib": _tablib("csv"),
    },
    ".tsv": {
        "csv": _table(dialect="excel-tab"),
        "csv in quotes": _table(dialect="excel-tab", quoting=csv.QUOTE_ALL),
        "tablib": _tablib("tsv"),
    },
    ".yaml": {
        "PyYAML": _pyyaml(),
        "PyYAML in one line": _pyyaml(default_flow_style=True, allow_unicode=True),
        "PyYAML in quotes": _pyyaml(default_style='"', width=30),
        "PyYAML in blocks": _pyyaml(default_style="|", allow_unicode=True),
        "ruamel.yaml": yaml_of_ruamel,
        "tablib": _tablib("yaml"),
    },
    ".properties": {
        "javaproperties": properties_of_javaproperties,
        "jproperties": properties_of_jproperties,
        "msgcat": _gettext("--properties-output"),
        "translate-toolkit": _toolkit("properties", "propfile", "java-utf8"),
    },
    ".strings": {
        "msgcat": _gettext("--stringtable-output"),
        "translate-toolkit": _toolkit("properties", "propfile", "strings"),
        "translate-toolkit in UTF-8": _toolkit("properties", "propfile", "strings-utf8"),
    },
    ".xlf": {
        "translate-toolkit": _toolkit("xliff", "xlifffile"),
        "translate-toolkit of po": _toolkit("poxliff", "PoXliffFile"),
        "devxliff": xliff_of_devxliff,
    },
    ".xliff": {"translate-toolkit 2.0": _toolkit("xliff2", "Xliff2File")},
    ".po": {
        "polib": po_of_polib,
        "Babel": po_of_babel,
        "msgcat": _gettext("--width=30", is_filled=False),
        "msgcat in one line": _gettext("--no-wrap", "--no-location", is_filled=False),
    },
}  # fmt: skip
"""By suffix and the program that writes them."""
