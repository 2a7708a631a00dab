"""Texts of the small formats, and what is between them, as libraries read them."""

import csv
import html
import io
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias
from xml.etree import ElementTree

Value: TypeAlias = Any
"""Of a YAML file."""
_LINE_END = re.compile(r"(?<!\\)\\n")
_LANGUAGE = re.compile(r"(?<=Language: )\w+")
"""In the header of gettext: the one thing that changes there."""
Read = Callable[[bytes], tuple[list[str], object]]


def _srt(data: bytes) -> tuple[list[str], object]:
    import srt

    cues = [*srt.parse(data.decode())]
    return [cue.content for cue in cues], [(cue.start, cue.end) for cue in cues]


def _vtt(data: bytes) -> tuple[list[str], object]:
    import webvtt

    cues = webvtt.from_buffer(io.BytesIO(data), format="vtt").captions
    return [html.unescape(cue.text) for cue in cues], [
        (cue.start, cue.end, cue.identifier) for cue in cues
    ]


def _table(data: bytes) -> tuple[list[str], object]:
    text = data.decode()
    mark = next(mark for mark in "\t;," if mark in text.partition("\n")[0])
    rows = [*csv.reader(io.StringIO(text, newline=""), delimiter=mark)]
    return [row[1] for row in rows[1:]], [rows[0], *([row[0], len(row)] for row in rows[1:])]


def _json(data: bytes) -> tuple[list[str], object]:
    content = json.loads(data)
    return [*_texts(content)], _without_texts(content)


def _pandoc(kind: str) -> Read:
    """The paragraphs as pandoc reads them, and what blocks there are."""

    def read(data: bytes) -> tuple[list[str], object]:
        command = ["pandoc", "--from", kind, "--to", "json"]
        found = subprocess.run(command, input=data, capture_output=True, check=True).stdout
        blocks = json.loads(found)["blocks"]
        return [_words(block["c"]) for block in blocks], [block["t"] for block in blocks]

    return read


def _words(value: Value) -> str:
    if isinstance(value, list):
        return "".join(map(_words, value))
    if not isinstance(value, dict) or value["t"] not in ("Str", "Quoted"):
        return ""
    return str(value["c"]) if value["t"] == "Str" else _words(value["c"])


def _plain(data: bytes) -> tuple[list[str], object]:
    paragraphs = re.split(r"\n{2,}", data.decode().strip("\n"))
    return paragraphs, re.findall(r"\n{2,}", data.decode())


def _yaml(data: bytes) -> tuple[list[str], object]:
    import yaml

    content = yaml.safe_load(data)
    return [*_texts(content)], _without_texts(content)


def _texts(value: Value) -> Iterator[str]:
    if isinstance(value, str) and not value.isdecimal():
        yield value
    for each in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from _texts(each)


def _without_texts(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _without_texts(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_texts(each) for each in value]
    return str if isinstance(value, str) else value


def _properties(data: bytes) -> tuple[list[str], object]:
    import javaproperties

    is_escaped = data.isascii()
    found = javaproperties.loads(data.decode("latin-1" if is_escaped else "utf-8"))
    return [*found.values()], [*found]


def _strings(data: bytes) -> tuple[list[str], object]:
    import dotstrings

    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    entries = dotstrings.loads(text)
    texts = [
        re.sub(r"\\(\W)", r"\1", _LINE_END.sub("\n", entry.value)) for entry in entries if entry.key
    ]
    header = [_LANGUAGE.sub("", entry.value) for entry in entries if not entry.key]
    return texts, [*header, *(entry.key for entry in entries)]


def _po(data: bytes) -> tuple[list[str], object]:
    import polib

    entries = polib.pofile(data.decode())
    texts = [entry.msgstr or entry.msgid for entry in entries]
    return texts, [(entry.msgid, entry.comment, entry.occurrences) for entry in entries]


def _xliff(data: bytes) -> tuple[list[str], object]:
    texts, ids = [], []
    for unit in ElementTree.fromstring(data).iter():
        if unit.tag.endswith(("}trans-unit", "}segment")):
            found = {each.tag.rpartition("}")[2]: "".join(each.itertext()) for each in unit}
            texts.append(found.get("target") or found["source"])
            ids.append((unit.get("id"), found["source"]))
    return texts, ids


READERS: Mapping[str, Read] = {
    ".json": _json,
    ".html": _pandoc("html"),
    ".md": _pandoc("commonmark"),
    ".txt": _plain,
    ".srt": _srt,
    ".vtt": _vtt,
    ".csv": _table,
    ".tsv": _table,
    ".yaml": _yaml,
    ".properties": _properties,
    ".strings": _strings,
    ".po": _po,
    ".xlf": _xliff,
    ".xliff": _xliff,
}
"""By suffix: a list of texts, and all that a translation must leave as it is."""
