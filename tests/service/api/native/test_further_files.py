"""Tables, catalogues, subtitles of the web and PDF files over HTTP."""

import random
from pathlib import Path

import httpx
import pytest

from service.documents.formats import LAYOUT_NOTE
from tests.service.api.fakes import UpperCaser
from tests.service.api.native.test_files import _app, _later, _problem, _send, _with
from tests.service.documents.readers.pdf.made_pdf import ENCRYPTION, IMAGE, Text, paragraph, pdf

_XLIFF = (
    b"<xliff version='2.0'><file><body><unit id='1'><source>hello</source></unit></body></file>"
    b"</xliff>"
)
SAMPLES = {
    "a.vtt": (b"WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n", b"--> 00:02.000\nHELLO\n"),
    "a.csv": (b'id,text\r\n1,"hello, you"\r\n', b'id,text\r\n1,"HELLO, YOU"\r\n'),
    "a.tsv": (b"id\ttext\n1\thello\n", b"id\ttext\n1\tHELLO\n"),
    "a.yaml": (b"a: hello # kept\n", b"a: HELLO # kept\n"),
    "a.yml": (b"- 'hello'\n", b"- 'HELLO'\n"),
    "a.properties": (b"# kept\na.b = hello\n", b"# kept\na.b = HELLO\n"),
    "a.strings": (b'/* kept */\n"a" = "hello";\n', b'/* kept */\n"a" = "HELLO";\n'),
    "a.xlf": (
        _XLIFF.replace(b"unit", b"trans-unit").replace(b"2.0", b"1.2"),
        b' state="needs-review-translation" state-qualifier="mt-suggestion">HELLO</target>',
    ),
    "a.xliff": (
        _XLIFF.replace(b"<source>", b"<segment><source>").replace(b"</unit>", b"</segment></unit>"),
        b'<segment state="translated"><source>hello</source><target>HELLO</target>',
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_is_translated_and_fetched(name: str, tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        data, expected = SAMPLES[name]
        reply = (await _send(client, name=name, data=data)).json()
        assert set(reply) == {"translatedFileUrl"}
        assert expected in (await client.get(reply["translatedFileUrl"])).content

    _with(_app(UpperCaser(), tmp_path), test)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_broken_file_is_a_bad_file_or_read(name: str, tmp_path: Path) -> None:
    chance = random.Random(name)

    async def test(client: httpx.AsyncClient) -> None:
        for _ in range(20):
            changed = bytearray(SAMPLES[name][0] * 2)
            for _ in range(3):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            reply = await _send(client, name=name, data=bytes(changed))
            assert reply.status_code in (200, 400), reply.text

    _with(_app(UpperCaser(), tmp_path), test)


def test_columns_of_a_table_are_chosen(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        data = b"id,title,text\na,b,c\n"
        reply = await _send(client, name="a.csv", data=data, columns="title")
        fetched = await client.get(reply.json()["translatedFileUrl"])
        assert fetched.content == b"id,title,text\na,B,c\n"
        reply = await _send(client, name="a.csv", data=data, columns="2, 3", is_async="true")
        job = await _later(client, reply.json()["id"], "done")
        fetched = await client.get(job["translatedFileUrl"])
        assert fetched.content == b"id,TITLE,TEXT\na,B,C\n"
        for name, columns in (("a.csv", "name"), ("a.txt", "1")):
            reply = await _send(client, name=name, data=data, columns=columns)
            assert "column" in _problem(reply, 400)

    _with(_app(UpperCaser(), tmp_path), test)


def test_a_pdf_becomes_a_page_and_the_reply_says_so(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed")
    data = pdf([Text(text="title", y=760, size=22), *paragraph("hello there.")])

    async def test(client: httpx.AsyncClient) -> None:
        reply = (await _send(client, name="My file.PDF", data=data)).json()
        assert reply["note"] == LAYOUT_NOTE
        assert reply["translatedFileUrl"].endswith("My_file_de.html")
        written = (await client.get(reply["translatedFileUrl"])).text
        assert '<html lang="de">' in written
        assert "<h1>TITLE</h1>\n<p>HELLO THERE.</p>" in written
        job = (await _send(client, name="a.pdf", data=data, is_async="true")).json()
        assert (await _later(client, job["id"], "done"))["note"] == LAYOUT_NOTE

    _with(_app(UpperCaser(), tmp_path), test)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pdf([IMAGE]), "images without text, as of a scanner"),
        (pdf([Text(text="Hello")], trailer=ENCRYPTION), "it is encrypted"),
        (b"%PDF-1.4\n", "damaged"),
    ],
)
def test_a_pdf_without_text_is_a_bad_file(data: bytes, message: str, tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed")

    async def test(client: httpx.AsyncClient) -> None:
        reply = await _send(client, name="a.pdf", data=data)
        assert message in _problem(reply, 400)
        assert reply.json()["code"] == "bad_file"

    _with(_app(UpperCaser(), tmp_path), test)
