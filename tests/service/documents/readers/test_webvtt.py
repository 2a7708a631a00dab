"""WebVTT: cues keep their times, settings, voices and tags; other blocks stay."""

import pytest

from service.documents.errors import DocumentError
from service.documents.readers.webvtt import read
from tests.service.documents.readers.office.capitals import CLOSE, OPEN, translated

HEAD = "WEBVTT\n\n00:01.000 --> 00:02.000 align:start\n"
NASTY = [
    "WEBVTT",
    "WEBVTT - a title\nKind: captions\nLanguage: en\n",
    "WEBVTT\r\n\r\n1\r\n00:01.000 --> 00:02.000\r\nTwo\r\nlines\r\n",
    "WEBVTT\n\nSTYLE\n::cue(b) { color: red }\n\nREGION\nid:a\nwidth:40%\n" + HEAD[6:] + "a",
    "WEBVTT\n\nNOTE\nfor translators\n\nNOTE one line\n" + HEAD[6:] + "a",
    HEAD + "<v Mary>Hello <i>you</i>",
    HEAD + "<v.loud Mary O'Neil>Hello</v>\n<v Tom>Hi",
    HEAD + "<c.yellow.bg_blue>Colours</c> and <lang en-GB>words</lang>",
    HEAD + "Sing <00:01.500>along <00:01.700>now",
    HEAD + "<ruby>漢<rt>kan</rt></ruby> is a letter",
    HEAD + "Tom &amp; Anna &lt;3 &nbsp;end&lrm;",
    HEAD + "- Who?\n- Me.",
    HEAD + "<b>never closed\nand <i>crossed</b> over</i>",
    HEAD + "a < b and > c",
    HEAD + "</i>closed only",
    HEAD + "♪ 12:30 ♪\n\n...\n\n" + HEAD[8:] + "123",
    "WEBVTT\n\n123:00:01.000 --> 123:00:02.000\nlong film\n",
    "\ufeffWEBVTT\n" + HEAD[7:] + "marked",
    HEAD + "a\n00:03.000 --> 00:04.000\nno blank line before",
    "WEBVTT\n\n\n\n" + HEAD[8:] + "a\n   \n \t\nthis stands behind a blank line",
    "WEBVTT\rX-TIMESTAMP-MAP=LOCAL:00:00.000\r\r00:01.000 --> 00:02.000\rold Mac\r",
]


def _capitals(data: str) -> str:
    document = read(data.encode())
    texts = [translated(string.text, string.format) for string in document.strings]
    return document.write(texts).decode()


@pytest.mark.parametrize("data", NASTY)
def test_unchanged_texts_give_the_same_file(data: str) -> None:
    document = read(data.encode())
    assert document.write([string.text for string in document.strings]).decode() == data


@pytest.mark.parametrize("data", NASTY)
def test_only_letters_change(data: str) -> None:
    written = _capitals(data)
    assert (
        sorted(written.count(mark) for mark in (OPEN, CLOSE))
        == [len(read(data.encode()).strings)] * 2
    )
    for mark in ("-->", "<", "STYLE", "::cue", "NOTE", "\r\n", "X-TIMESTAMP-MAP"):
        assert written.count(mark) >= data.count(mark) - data.count(" < ")


def test_voices_and_unclosed_tags_stand_outside() -> None:
    document = read((HEAD + "<v Mary>Hello\nyou").encode())
    assert [(string.text, string.format) for string in document.strings] == [("Hello you", "text")]
    assert document.write(["Hallo dir"]).decode() == HEAD + "<v Mary>Hallo\ndir"


def test_tags_within_become_tags_of_the_translator() -> None:
    document = read((HEAD + "Tom &amp; <b>Anna</b> <00:01.500>sing").encode())
    (string,) = document.strings
    assert (string.text, string.format) == ('Tom &amp; <g2>Anna</g2> <img id="g6">sing', "html")
    written = document.write(['<g2>Anna</g2> &amp; Tom <img id="g6">singen']).decode()
    assert written == HEAD + "<b>Anna</b> &amp; Tom <00:01.500>singen"


def test_a_lost_tag_stands_at_the_end() -> None:
    document = read((HEAD + "a <00:01.500>b").encode())
    assert document.write(["x y"]).decode() == HEAD + "x y<00:01.500>"


def test_each_speaker_has_a_line() -> None:
    texts = [s.text for s in read((HEAD + "<v A>One\ntwo\n<v B>Three").encode()).strings]
    assert texts == ["One", "two", "Three"]


@pytest.mark.parametrize("data", ["Hello", "1\n00:00:01,000 --> 00:00:02,000\na", "WEBVTTX"])
def test_another_text_is_refused(data: str) -> None:
    with pytest.raises(DocumentError, match=r"not a \.vtt"):
        read(data.encode())


@pytest.mark.parametrize("data", [text for text in NASTY if "old Mac" not in text])
def test_the_library_sees_the_same_cues(data: str) -> None:
    webvtt = pytest.importorskip("webvtt", reason="webvtt-py is not installed")
    before, after = webvtt.from_string(data), webvtt.from_string(_capitals(data))
    assert [(c.start, c.end, c.identifier, c.voice) for c in before] == [
        (c.start, c.end, c.identifier, c.voice) for c in after
    ]


@pytest.mark.parametrize(
    ("head", "written"),
    [
        ("WEBVTT\nKind: captions\nLanguage: en\n\n", "WEBVTT\nKind: captions\nLanguage: pt-BR\n\n"),
        ("WEBVTT - x\r\nLanguage:en \r\n\r\n", "WEBVTT - x\r\nLanguage:pt-BR \r\n\r\n"),
        ("WEBVTT\n\nLanguage: en\n\n", "WEBVTT\n\nLanguage: en\n\n"),
    ],
)
def test_the_header_names_the_language_of_the_translation(head: str, written: str) -> None:
    cue = "00:01.000 --> 00:02.000\nLanguage: en\n"
    document = read((head + cue).encode())
    assert [string.text for string in document.strings] == ["Language: en"]
    assert document.write(["Língua"], "pt-BR").decode() == written + cue.replace(
        "Language: en", "Língua"
    )
    assert document.write(["Language: en"]).decode() == head + cue


def test_numbers_in_tags_behind_a_word_stay() -> None:
    data = f"{HEAD}The room<i> 12</i> is\nthe last<b>*</b> one"
    expected = f"{HEAD}{OPEN}THE ROOM<i> 12</i> IS\nTHE LAST<b>*</b> ONE{CLOSE}"
    assert _capitals(data) == expected
