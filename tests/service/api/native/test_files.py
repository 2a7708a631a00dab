"""Files over HTTP: sent, asked for, fetched, removed."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from email.message import EmailMessage
from email.policy import HTTP
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from fastapi import FastAPI

from service.server.parts import create_file_jobs
from service.translation.values import TranslateRequest
from tests.service.api.fakes import UpperCaser, app_with, parts_of

KEY, OTHER_KEY = "key-of-the-tests", "other-key-of-the-tests"
FORM = {"source": "en", "target": "de"}
Test = Callable[[httpx.AsyncClient], Awaitable[None]]


def _app(translator: UpperCaser, folder: Path, **settings: object) -> FastAPI:
    app = app_with(translator, file_folder=folder, **settings)
    parts = parts_of(app)
    files = create_file_jobs(parts.settings, parts.translator)
    app.state.parts = replace(parts, files=files)
    return app


def _with(app: FastAPI, test: Test) -> None:
    """Run `test` with a client; several requests need one event loop."""

    async def run() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await test(client)
        await parts_of(app).files.close()

    asyncio.run(run())


async def _send(
    client: httpx.AsyncClient,
    name: str = "a.txt",
    data: bytes = b"one\r\n\r\ntwo",
    *,
    is_async: str = "false",
    **form: str,
) -> httpx.Response:
    form = {"async": is_async, **form}
    return await client.post("/translate_file", files={"file": (name, data)}, data=FORM | form)


async def _later(client: httpx.AsyncClient, job_id: str, status: str) -> dict[str, Any]:
    """The job once it has come to `status`."""
    for _ in range(10_000):
        job: dict[str, Any] = (await client.get(f"/jobs/{job_id}")).json()
        if job["status"] == status:
            return job
        await asyncio.sleep(0)  # nothing else lets the job go on
    raise AssertionError(f"still {job['status']}")


def _problem(reply: httpx.Response, status: int) -> str:
    assert reply.status_code == status, reply.text
    assert set(reply.json()) == {"error", "code"}
    return str(reply.json()["error"])


def test_files_count_against_the_queue_of_their_client(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        for key in (KEY, KEY, OTHER_KEY):
            assert (await _send(client, api_key=key)).status_code == 200

    translator = UpperCaser()
    _with(_app(translator, tmp_path, api_keys=f"{KEY},{OTHER_KEY}"), test)
    names = [request.client.name for request in translator.requests]
    assert len(set(names)) == 2
    assert names[0] != names[-1]


def test_libretranslates_way_answers_with_an_address(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        reply = await _send(client, "my file.txt", "\ufeffgrün\r\n\r\ntwo".encode())
        assert reply.status_code == 200
        assert set(reply.json()) == {"translatedFileUrl"}
        url = reply.json()["translatedFileUrl"]
        assert url.startswith("http://test/download_file/")
        file = await client.get(url)
        assert file.content == "\ufeffGRÜN\r\n\r\nTWO".encode()
        assert file.headers["Content-Disposition"] == 'attachment; filename="my_file_de.txt"'
        assert file.headers["X-Content-Type-Options"] == "nosniff"

    _with(_app(UpperCaser(), tmp_path), test)


def test_parameters_may_be_in_the_query(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        reply = await client.post("/translate_file", files={"file": ("a.md", b"x")}, params=FORM)
        assert reply.status_code == 200

    _with(_app(UpperCaser(), tmp_path), test)


def test_options_reach_the_translator(tmp_path: Path) -> None:
    translator = UpperCaser()

    async def test(client: httpx.AsyncClient) -> None:
        await _send(client, target="DE", unwrap="true", beam_size="4", length_penalty="0.5")
        request = translator.requests[-1]
        assert isinstance(request, TranslateRequest)
        assert (request.source, request.target) == ("en", "de")
        assert (request.unwrap, request.beam_size, request.length_penalty) == (True, 4, 0.5)

    _with(_app(translator, tmp_path), test)


def test_a_job_is_asked_for_until_it_is_done(tmp_path: Path) -> None:
    released = asyncio.Event()
    calls = iter([True])

    async def hold() -> None:
        if not next(calls, False):  # the first call only looks at the options
            await released.wait()

    async def test(client: httpx.AsyncClient) -> None:
        reply = await _send(client, is_async="true")
        job = reply.json()
        assert reply.status_code == 202
        assert reply.headers["Location"] == f"http://test/jobs/{job['id']}"
        assert (job["status"], job["strings"], job["progress"]) == ("waiting", 2, 0.0)
        job = await _later(client, job["id"], "running")
        assert "translatedFileUrl" not in job
        released.set()
        job = await _later(client, job["id"], "done")
        assert (job["status"], job["progress"], job["translated"]) == ("done", 1.0, 2)
        assert (await client.get(job["translatedFileUrl"])).content == b"ONE\r\n\r\nTWO"

    _with(_app(UpperCaser(hold), tmp_path), test)


def test_a_removed_job_takes_its_file_with_it(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        url = (await _send(client)).json()["translatedFileUrl"]
        job_id = url.rpartition("/")[2].partition(".")[0]
        reply = await client.delete(f"/jobs/{job_id}")
        assert (reply.status_code, reply.json()["status"]) == (200, "cancelled")
        assert "no such file" in _problem(await client.get(url), 404)

    _with(_app(UpperCaser(), tmp_path), test)


def test_a_failed_job_says_why(tmp_path: Path) -> None:
    calls = iter([True])

    async def fail() -> None:
        if not next(calls, False):
            raise RuntimeError("not for others")

    async def test(client: httpx.AsyncClient) -> None:
        job = (await _send(client, is_async="1")).json()
        job = await _later(client, job["id"], "failed")
        assert (job["status"], job["code"]) == ("failed", "translation_failed")
        assert "not for others" not in job["error"]

    _with(_app(UpperCaser(fail), tmp_path), test)


def test_files_need_a_key_where_texts_do(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        _problem(await _send(client), 400)
        assert _problem(await _send(client, api_key="wrong"), 403) == "Invalid API key"
        assert (await _send(client, api_key=KEY, data=b"x" * 9)).status_code == 200
        assert _problem(await _send(client, api_key=KEY, data=b"x" * 9), 429)

    _with(_app(UpperCaser(), tmp_path, api_keys=KEY, max_chars_per_key=10), test)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": FORM, "files": {"other": ("a.txt", b"x")}}, "missing file parameter"),
        ({"data": FORM, "files": {"file": (None, "x")}}, "missing file parameter"),
        (
            {"data": {"source": "en"}, "files": {"file": ("a.txt", b"x")}},
            "missing target parameter",
        ),
        ({"data": FORM, "files": {"file": ("a.exe", b"x")}}, "file format not supported"),
        ({"data": FORM, "files": {"file": ("a", b"x")}}, "file format not supported"),
        ({"data": FORM, "files": {"file": ("a.json", b"{")}}, "it is not valid JSON"),
        ({"data": FORM, "files": {"file": ("a.srt", b"hello")}}, "it is not a .srt file"),
        ({"data": FORM, "files": {"file": ("a.po", b"hello")}}, "it is not a .po file"),
        ({"data": FORM, "files": {"file": ("a.txt", b"\0\0\0")}}, "NUL"),
        ({"data": FORM | {"async": "soon"}, "files": {"file": ("a.txt", b"x")}}, "async: Input"),
        ({"data": FORM | {"beam_size": "99"}, "files": {"file": ("a.txt", b"x")}}, "beam_size: In"),
        (
            {"data": FORM, "files": [("file", ("a.txt", b"x")), ("file", ("b.txt", b"x"))]},
            "Too many files",
        ),
        ({"json": FORM}, "Content-Type must be multipart/form-data"),
        ({"data": FORM}, "Content-Type must be multipart/form-data"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, "Missing boundary"),
        (
            {
                "content": b"--x\r\nnonsense",
                "headers": {"Content-Type": "multipart/form-data; boundary=x"},
            },
            "Invalid request: ",
        ),
    ],
)
def test_bad_requests_are_named(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        assert message in _problem(await client.post("/translate_file", **options), 400)

    _with(_app(UpperCaser(), tmp_path), test)


@pytest.mark.parametrize("size", [101, 1_000_000])
def test_large_files_are_refused(tmp_path: Path, size: int) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        assert "in parts" in _problem(await _send(client, data=b"x" * size), 413)

    _with(_app(UpperCaser(), tmp_path, max_file_bytes=100), test)


def test_files_may_be_larger_than_other_bodies(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        assert (await _send(client, data=b"x" * 2_000)).status_code == 200
        body = FORM | {"q": "x" * 2_000}
        assert (await client.post("/translate", json=body)).status_code == 413

    _with(_app(UpperCaser(), tmp_path, max_body_bytes=1_000), test)


def test_too_many_files_are_told_to_slow_down(tmp_path: Path) -> None:
    calls = iter([True])

    async def hold() -> None:
        if not next(calls, False):
            await asyncio.Event().wait()

    async def test(client: httpx.AsyncClient) -> None:
        assert (await _send(client, is_async="true")).status_code == 202
        reply = await _send(client)
        assert _problem(reply, 429).startswith("Slowdown: ")
        assert int(reply.headers["Retry-After"]) > 0

    _with(_app(UpperCaser(hold), tmp_path, max_file_jobs=1), test)


@pytest.mark.parametrize("path", ["/jobs/none", "/download_file/none.txt", "/download_file/..%2fx"])
def test_what_does_not_exist_is_not_found(tmp_path: Path, path: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        _problem(await client.get(path), 404)

    _with(_app(UpperCaser(), tmp_path), test)


def test_a_closing_service_takes_no_files(tmp_path: Path) -> None:
    app = _app(UpperCaser(), tmp_path)

    async def test(client: httpx.AsyncClient) -> None:
        parts_of(app).in_flight.close()
        _problem(await _send(client), 503)

    _with(app, test)


NAMES = {
    "résumé 漢字.txt": "résumé_漢字_de.txt",
    'a;b"c.txt': "a_b_22c_de.txt",
    "a%41#?.txt": "a_41___de.txt",
}


@pytest.mark.parametrize(("given", "own"), NAMES.items())
def test_an_address_is_ascii_and_leads_to_the_file_under_its_name(
    tmp_path: Path, given: str, own: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        reply = await _send(client, given)
        url = reply.json()["translatedFileUrl"]
        assert url.isascii()
        file = await client.get(url)
        assert file.content == b"ONE\r\n\r\nTWO"
        assert _downloaded_as(file) == own

    _with(_app(UpperCaser(), tmp_path), test)


def _downloaded_as(reply: httpx.Response) -> str:
    """The name by RFC 6266: the extended one, if there is one."""
    header = reply.headers["Content-Disposition"]
    assert header.isascii()
    message = EmailMessage(policy=HTTP)
    message["Content-Disposition"] = header
    assert message.get_content_disposition() == "attachment"
    plain = message["Content-Disposition"].params["filename"]
    extended = re.search(r"filename\*=UTF-8''([\w%.~-]+)$", header)
    return unquote(extended[1]) if extended else plain


HOSTS = [
    ("localhost:8000", "", "http://localhost:8000"),
    ("10.0.0.7", "", "http://10.0.0.7"),
    ("translate.example.org", "translate.example.org", "http://translate.example.org"),
    ("translate.example.org", "*", "http://translate.example.org"),
    ("translate.example.org", "", ""),
    ("evil.example", "", ""),
]


@pytest.mark.parametrize(("host", "allowed", "start"), HOSTS)
def test_addresses_repeat_no_host_that_may_be_made_up(
    tmp_path: Path, host: str, allowed: str, start: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        client.headers["Host"] = host
        done = await _send(client)
        job = await _send(client, is_async="true")
        found = await _later(client, job.json()["id"], "done")
        assert done.json()["translatedFileUrl"].startswith(f"{start}/download_file/")
        assert found["translatedFileUrl"].startswith(f"{start}/download_file/")
        assert done.headers["Location"].startswith(f"{start}/jobs/")
        assert job.headers["Location"] == f"{start}/jobs/{job.json()['id']}"
        assert (await client.get(found["translatedFileUrl"])).is_success

    _with(_app(UpperCaser(), tmp_path, host="0.0.0.0", allowed_hosts=allowed), test)
