"""Office documents over HTTP."""

import random
from pathlib import Path

import httpx
import pytest

from tests.service.api.fakes import UpperCaser
from tests.service.api.native.test_files import _app, _problem, _send, _with
from tests.service.documents.readers.office.archives import (
    MAIN,
    SUFFIXES,
    document,
    entries,
    paragraph,
    unzipped,
    zipped,
)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_document_is_translated_and_fetched(suffix: str, tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        reply = await _send(client, name=f"A report{suffix}", data=document(suffix))
        address = reply.json()["translatedFileUrl"]
        assert address.endswith(f"A_report_de{suffix}")
        fetched = (await client.get(address)).content
        assert "HELLO THERE" in unzipped(fetched, MAIN[suffix])

    _with(_app(UpperCaser(), tmp_path), test)


@pytest.mark.parametrize(
    "suffix",
    [".docx", *(pytest.param(s, marks=pytest.mark.slow) for s in SUFFIXES if s != ".docx")],
)
def test_a_broken_document_is_a_bad_file(suffix: str, tmp_path: Path) -> None:
    chance = random.Random(suffix)

    async def test(client: httpx.AsyncClient) -> None:
        data = document(suffix)
        broken = [b"", data[: len(data) // 2], zipped({**entries(suffix), MAIN[suffix]: b"<a>"})]
        broken += [zipped({**entries(suffix), MAIN[suffix]: b"<a/>" + b" " * 30_000_000})]
        for each in broken:
            reply = await _send(client, name=f"a{suffix}", data=each)
            assert reply.json()["code"] == "bad_file"
            _problem(reply, 400)
        for _ in range(30):
            changed = bytearray(document(suffix, paragraph(suffix) * 5))
            for _ in range(3):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            reply = await _send(client, name=f"a{suffix}", data=bytes(changed))
            assert reply.status_code in (200, 400), reply.text

    _with(_app(UpperCaser(), tmp_path), test)
