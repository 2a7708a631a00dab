"""Documents through real child processes."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from service.documents.errors import DocumentError
from service.documents.processes.pool import DocumentLimits, DocumentPool
from service.documents.processes.strings_file import (
    StringsSize,
    read_strings,
    translations_line,
)
from tests.service.documents.readers.pdf.made_pdf import Text, pdf

Test = Callable[[DocumentPool], Awaitable[None]]


def _with(test: Test, limits: DocumentLimits | None = None) -> None:
    async def run() -> None:
        pool = DocumentPool(limits or DocumentLimits())
        try:
            await test(pool)
        finally:
            await pool.close()

    asyncio.run(run())


def test_a_document_is_read_and_written(tmp_path: Path) -> None:
    document, strings, result = (tmp_path / name for name in ("document", "strings", "result"))
    document.write_bytes(b"\xef\xbb\xbfone\r\n\r\ntwo " + b"word " * 3_000)
    first, second = tmp_path / "1", tmp_path / "2"

    async def test(pool: DocumentPool) -> None:
        assert (await pool.read("a.txt", document, strings, "")).num_strings == 3
        texts = [string.text for string in read_strings(strings)]
        assert texts[0] == "one"
        first.write_bytes(translations_line({2: texts[2].upper()}) + b'[[0],["torn')
        second.write_bytes(translations_line({0: "ONE", 1: texts[1].upper()}))
        size = await pool.write("a.txt", document, [first, second], result, "")
        assert size == document.stat().st_size
        upper = document.read_bytes().decode().upper().encode()
        assert result.read_bytes() == upper

    _with(test)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"1", "2", "document", "result", "strings"}, "and nothing half made"


def test_strings_of_all_characters_come_back(tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_text('"\\" \U0001f600 \x07 \u2028 ü"', encoding="utf-8")

    async def test(pool: DocumentPool) -> None:
        await pool.read("a.txt", path, tmp_path / "strings", "")
        (string,) = read_strings(tmp_path / "strings")
        assert (string.text, string.format) == (path.read_text(encoding="utf-8"), "text")

    _with(test)


def test_a_bad_document_is_named_and_the_process_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "document"

    async def test(pool: DocumentPool) -> None:
        for data, message in ((b"[" * 100_000, "too deeply"), (b"{", "not valid JSON")):
            path.write_bytes(data)
            with pytest.raises(DocumentError, match=message):
                await pool.read("a.json", path, tmp_path / "strings", "")
        path.write_bytes(b'"a"')
        assert (await pool.read("a.json", path, tmp_path / "strings", "")).num_strings == 1

    _with(test)


def test_limits_are_named(tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_bytes(b"a\n\n" * 300_000)
    small = DocumentLimits(max_memory_bytes=33_554_432)

    async def too_large(pool: DocumentPool) -> None:
        with pytest.raises(DocumentError, match="more than 33554432 bytes of memory"):
            await pool.read("a.txt", path, tmp_path / "strings", "")

    async def too_slow(pool: DocumentPool) -> None:
        path.write_bytes(b"[a](b) *c*\n\n" * 300_000)
        with pytest.raises(DocumentError, match=r"more than 0\.1 s of processor time"):
            await pool.read("a.md", path, tmp_path / "strings", "")
        path.write_bytes(b"a")
        assert (await pool.read("a.md", path, tmp_path / "strings", "")).num_strings == 1

    _with(too_large, small)
    _with(too_slow, DocumentLimits(max_cpu_s=0.1))


def test_process_of_a_large_front_serves_several_documents(tmp_path: Path) -> None:
    """The kernel counts the memory of the front for a child until its program starts."""
    path = tmp_path / "document"
    path.write_bytes(b"one")
    ballast = bytearray(b"x") * (160 << 20)

    async def test(pool: DocumentPool) -> None:
        processes = []
        for _ in range(2):
            assert await pool.read("a.txt", path, tmp_path / "strings", "") == StringsSize(
                num_strings=1, num_chars=3
            )
            processes.append(_children())
        assert len(processes[0]) == 1
        assert processes[0] == processes[1]

    _with(test)
    assert len(ballast) == 160 << 20


def _children() -> list[int]:
    """Document processes of this one."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, name, rest = stat.read_text("utf-8").replace(")", "(").split("(")
        except (OSError, ValueError):
            continue  # it ended meanwhile, or has brackets in its name
        if name == "pellucid-docume" and int(rest.split()[1]) == os.getpid():
            found.append(int(stat.parent.name))
    return found


def test_a_file_that_is_not_there_is_an_error_of_the_disk(tmp_path: Path) -> None:
    async def test(pool: DocumentPool) -> None:
        with pytest.raises(FileNotFoundError):
            await pool.read("a.txt", tmp_path / "none", tmp_path / "strings", "")

    _with(test)


def test_a_cancelled_task_ends_its_process_and_the_next_one_gets_another(tmp_path: Path) -> None:
    path = tmp_path / "document"

    async def test(pool: DocumentPool) -> None:
        path.write_bytes(b"[a](b) *c*\n\n" * 300_000)
        reading = asyncio.create_task(pool.read("a.md", path, tmp_path / "strings", ""))
        await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        path.write_bytes(b"a")
        assert (await pool.read("a.txt", path, tmp_path / "strings", "")).num_strings == 1

    _with(test)


def test_a_file_that_ends_its_process_is_refused(tmp_path: Path) -> None:
    """PDFium ends the process where memory is short; the next one goes on."""
    pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed")
    path = tmp_path / "document"
    path.write_bytes(pdf([" " * (1 << 28), Text(text="Hello")], is_packed=True))
    assert path.stat().st_size < 1 << 19

    async def test(pool: DocumentPool) -> None:
        with pytest.raises(DocumentError, match="damaged, or to read the file needs more than"):
            await pool.read("a.pdf", path, tmp_path / "strings", "")
        path.write_bytes(pdf([Text(text="Hello")]))
        assert (await pool.read("a.pdf", path, tmp_path / "strings", "")).num_strings == 1

    _with(test)


def test_columns_are_those_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_bytes(b"id,text,note\na,b,c\n")
    done = tmp_path / "done"
    done.write_bytes(translations_line({0: "B"}))

    async def test(pool: DocumentPool) -> None:
        assert (await pool.read("a.csv", path, tmp_path / "strings", "", "text")).num_strings == 1
        result = tmp_path / "result"
        await pool.write("a.csv", path, [done], result, "", "de", "text")
        assert result.read_bytes() == b"id,text,note\na,B,c\n"
        with pytest.raises(DocumentError, match="no column 'x'"):
            await pool.read("a.csv", path, tmp_path / "strings", "", "x")
        with pytest.raises(DocumentError, match=r"columns are for \.csv and \.tsv"):
            await pool.read("a.txt", path, tmp_path / "strings", "", "x")

    _with(test)
