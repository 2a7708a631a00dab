"""Subtitles keep their numbers, times and lines."""

import pytest
import srt

from service.documents.errors import DocumentError
from service.documents.readers.subtitles import read

HEAD = "7\n00:00:01,000 --> 00:00:02,500\n"


def _texts(data: str) -> list[str]:
    return [string.text for string in read(data.encode()).strings]


def _capitals(data: str) -> str:
    document = read(data.encode())
    return document.write([string.text.upper() for string in document.strings]).decode()


def test_lines_of_a_subtitle_are_one_text() -> None:
    assert _texts(f"{HEAD}The weather is\nnice today.\n") == ["The weather is nice today."]


def test_a_translation_has_as_many_lines() -> None:
    document = read(f"{HEAD}One two\r\nthree\r\n\r\n".encode())
    assert (
        document.write(["Eins zwei drei vier"]).decode() == f"{HEAD}Eins zwei\r\ndrei vier\r\n\r\n"
    )


def test_speakers_keep_their_lines() -> None:
    assert _texts(f"{HEAD}- Who?\n- Me.\n") == ["- Who?", "- Me."]
    assert _texts(f"{HEAD}ANNA: Who?\nTOM: Me.\n") == ["ANNA: Who?", "TOM: Me."]


def test_positions_and_tags_are_no_text() -> None:
    document = read(f"{HEAD}{{\\an8}}<i>Hello</i>\n".encode())
    (string,) = document.strings
    assert (string.text, string.format) == ("<i>Hello</i>", "html")
    assert document.write(["<i>Hallo</i>"]).decode() == f"{HEAD}{{\\an8}}<i>Hallo</i>\n"


def test_override_tags_within_a_text_are_tags() -> None:
    document = read(f"{HEAD}My {{\\i1}}good{{\\i0}} {{\\c&HFF&}}R&B <3, {{\\fnA B}}man\n".encode())
    (string,) = document.strings
    assert string.format == "html"
    assert string.text == 'My <g2>good</g2> <img id="g6">R&amp;B &lt;3, <img id="g8">man'
    translation = 'Mein <g2>guter</g2> <img id="g6">R&amp;B &lt;3, <img id="g8">Mann'
    assert document.write([translation]).decode() == (
        f"{HEAD}Mein {{\\i1}}guter{{\\i0}} {{\\c&HFF&}}R&B <3, {{\\fnA B}}Mann\n"
    )


def test_override_tags_around_a_text_are_no_text() -> None:
    data = f"{HEAD}<i>{{\\b1}}We go{{\\b0}}\n{{\\an8\\fs20}}home</i>{{\\r}}\n"
    assert _texts(data) == ['<g1>We go</g1> <img id="g5">home']
    assert _texts(f"{HEAD}{{\\an8}}{{\\i1}}Go{{\\i0}} on\n") == ["<g1>Go</g1> on"]
    assert _texts(f"{HEAD}<b>Go!</b>{{\\r}}\n{HEAD}Go!{{\\r}}\n") == ["Go!", "Go!"]
    assert _texts(f"{HEAD}{{\\an8}}- Who?\n{{\\i1}}- Me.{{\\i0}}\n") == ["- Who?", "- Me."]


def test_override_tags_without_a_pair_stay() -> None:
    document = read(f"{HEAD}a {{\\b0}}b <I>{{\\i1}}c</i> {{\\s}}d{{1}}{{\\p\n".encode())
    (string,) = document.strings
    assert document.write([string.text.replace("{1}", "{2}")]).decode() == (
        f"{HEAD}a {{\\b0}}b <I>{{\\i1}}c</i> {{\\s}}d{{2}}{{\\p\n"
    )


def test_a_number_may_be_said() -> None:
    assert _texts(f"{HEAD}3\n2\n1\n\n{HEAD}Go!\n") == ["3 2 1", "Go!"]


def test_the_library_sees_the_same_subtitles() -> None:
    data = "".join(
        f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},900 X1:10\nText {n}\nand more\n\n"
        for n in range(1, 40)
    )
    before, after = list(srt.parse(data)), list(srt.parse(_capitals(data)))
    assert [(s.index, s.start, s.end, s.proprietary) for s in before] == [
        (s.index, s.start, s.end, s.proprietary) for s in after
    ]
    assert [s.content.upper() for s in before] == [s.content for s in after]


@pytest.mark.parametrize(
    "data",
    [
        f"{HEAD}",
        f"{HEAD}\n\n\n",
        f"\n\njunk\n{HEAD}a\r\rb",
        f"{HEAD}  a  \n   \n b\n{HEAD}{{\\an8}}\n",
        f"{HEAD}a{{\\b1}}\n{{\\i1}}b{{\\i0}} c\n{HEAD}{{\\an8}}\n{{\\b1}}1{{\\b0}}\n",
        "00:01:02.5 --> 1:2:3.44\nno number\n",
        f"{HEAD}a\n" * 300,
    ],
)
def test_unchanged_texts_give_the_same_file(data: str) -> None:
    document = read(data.encode())
    assert document.write([string.text for string in document.strings]).decode() == data


def test_a_text_is_no_subtitles() -> None:
    with pytest.raises(DocumentError, match=r"not a \.srt"):
        read(b"Hello\nworld\n")
    assert read(b"").strings == ()
