"""A mirror on loopback: HTTP with ranges and faults, and indexes in their true formats."""

import gzip
import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")

RECORDS_PATH = "/v1/buckets/main/collections/translations-models-v2/records"
ATTACHMENTS_PATH = "/attachments/"
_RANGE = re.compile(r"bytes=(\d+)-")


@dataclass(slots=True, kw_only=True)
class Resource:
    """What the server answers under a path, and what is wrong with it."""

    content: bytes
    status: int = 200
    has_tag: bool = True
    breaks_after: list[int] = field(default_factory=list)
    """Bytes after which the connection ends, for each of the next answers."""
    announced_bytes: int | None = None
    """A length that is not the content's."""
    shifted_range: int = 0
    """Bytes by which a part starts elsewhere than asked for."""
    redirects_to: str | None = None
    stalls_after: int | None = None
    """Bytes after which the server waits for `released`."""
    stalled: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the server was asked."""

    path: str
    range_start: int | None


class Mirror:
    """The server's resources and what it was asked for."""

    def __init__(self) -> None:
        self.resources: dict[str, Resource] = {}
        self.requests: list[Request] = []
        self.url = ""

    def put(self, path: str, content: bytes | object, **faults: Any) -> Resource:  # noqa: ANN401
        """Serve bytes, or anything else as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.resources[path] = Resource(content=body, **faults)
        return self.resources[path]

    def asked(self, path: str) -> list[Request]:
        """Requests of a path."""
        return [request for request in self.requests if request.path == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mirror: ClassVar[Mirror]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0] if not self.path.startswith("/api/") else self.path
        path = re.sub(r"^http://[^/]*", "", path)  # as a proxy is asked
        found = _RANGE.fullmatch(self.headers.get("Range", ""))
        start = int(found[1]) if found else None
        self.mirror.requests.append(Request(path=path, range_start=start))
        resource = self.mirror.resources.get(path)
        if resource is None:
            self._send(404, b"no such file", {})
        elif resource.redirects_to:
            self._send(302, b"", {"Location": resource.redirects_to})
        else:
            self._answer(resource, start)

    do_HEAD = do_GET  # noqa: N815 - as the library calls it

    def _answer(self, resource: Resource, start: int | None) -> None:
        content, status, headers = resource.content, resource.status, {}
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        if resource.has_tag:
            headers["ETag"] = tag
        is_same = self.headers.get("If-Range", tag) == tag
        if start is not None and is_same and start >= (resource.announced_bytes or len(content)):
            self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})  # RFC 9110, 15.5.17
            return
        if start is not None and is_same and start < len(content):
            start += resource.shifted_range
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            status, content = 206, content[start:]
        breaks = resource.breaks_after.pop(0) if resource.breaks_after else None
        if resource.stalls_after is not None and not resource.released.is_set():
            self._stall(resource, content, headers)
            return
        self._send(status, content, headers, breaks, resource.announced_bytes)

    def _send(
        self,
        status: int,
        content: bytes,
        headers: Mapping[str, str],
        breaks_after: int | None = None,
        announced_bytes: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        announced = len(content) if announced_bytes is None else announced_bytes
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content if breaks_after is None else content[:breaks_after])
        if breaks_after is not None or announced != len(content):
            self.close_connection = True

    def _stall(self, resource: Resource, content: bytes, headers: Mapping[str, str]) -> None:
        """Send the beginning, and nothing more."""
        self._send(200, content, headers, resource.stalls_after)
        self.wfile.flush()
        resource.stalled.set()
        resource.released.wait()

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def serving_mirror() -> Iterator[Mirror]:
    """A running server on a free port of loopback."""
    mirror = Mirror()
    handler = type("Handler", (_Handler,), {"mirror": mirror})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    mirror.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield mirror
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def file_types(folder: Path) -> dict[str, Path]:
    """Files of a Firefox model by their type in Mozilla's records."""
    return {
        path.name.partition(".")[0]: path
        for path in sorted(folder.iterdir())
        if path.suffix in (".bin", ".spm")
    }


def put_firefox(
    mirror: Mirror,
    folder: Path,
    pair: str,
    *,
    version: str = "3.0",
    architecture: str = "tiny",
    filter_expression: str = "",
) -> list[dict[str, Any]]:
    """Serve a model's files as Remote Settings does, and add their records to the index."""
    source, _, target = pair.partition("-")
    records = []
    for file_type, path in file_types(folder).items():
        content = path.read_bytes()
        packed = zstandard.ZstdCompressor(level=3).compress(content)
        location = f"main/translations-models-v2/{_sha256(packed)[:32]}-{version}.zst"
        mirror.put(ATTACHMENTS_PATH + location, packed)
        record = {
            "name": path.name,
            "sourceLanguage": source,
            "targetLanguage": target,
            "architecture": architecture,
            "version": version,
            "fileType": file_type,
            "filter_expression": filter_expression,
            "decompressedSize": len(content),
            "decompressedHash": _sha256(content),
            "id": _sha256(location.encode())[:32],
            "schema": 1749570042331,
            "attachment": {
                "filename": f"{path.name}.zst",
                "location": location,
                "hash": _sha256(packed),
                "mimetype": "application/zstd",
                "size": len(packed),
            },
            "last_modified": 1749570511392,
        }
        records.append(record)
    put_records(mirror, [*records_of(mirror), *records])
    return records


def put_records(mirror: Mirror, records: list[dict[str, Any]]) -> None:
    """Serve the index of Remote Settings, and the server's description of itself."""
    base = mirror.url + ATTACHMENTS_PATH
    mirror.put("/v1/", {"capabilities": {"attachments": {"base_url": base}}})
    mirror.put(RECORDS_PATH, {"data": records})


def records_of(mirror: Mirror) -> list[dict[str, Any]]:
    """The records that are served now."""
    resource = mirror.resources.get(RECORDS_PATH)
    return list(json.loads(resource.content)["data"]) if resource else []


def attachment_path(record: Mapping[str, Any]) -> str:
    """Path of a record's file on the mirror."""
    return ATTACHMENTS_PATH + str(record["attachment"]["location"])


def put_models_json(
    mirror: Mirror, models: Mapping[str, Path], architecture: str = "base-memory"
) -> str:
    """Serve models by pair as Mozilla's bucket does, gzipped; returns the URL of `models.json`."""
    names = {"lex": "lexicalShortlist", "srcvocab": "srcVocab", "trgvocab": "trgVocab"}
    listed: dict[str, list[dict[str, Any]]] = {}
    for pair, folder in models.items():
        files = {}
        for file_type, path in file_types(folder).items():
            location = f"models/{pair}/{architecture}/exported/{path.name}.gz"
            mirror.put(f"/bucket/{location}", gzip.compress(path.read_bytes()))
            files[names.get(file_type, file_type)] = {
                "path": location,
                "uncompressedSize": path.stat().st_size,
                "uncompressedHash": _sha256(path.read_bytes()),
            }
        source, _, target = pair.partition("-")
        model = {
            "architecture": architecture,
            "releaseStatus": "Release",
            "sourceLanguage": source,
            "targetLanguage": target,
            "files": files,
        }
        listed[pair] = [model]
    mirror.put("/bucket/db/models.json", {"baseUrl": f"{mirror.url}/bucket", "models": listed})
    return f"{mirror.url}/bucket/db/models.json"


def argos_zip(folder: Path, name: str) -> bytes:
    """A package of Argos Translate: a zip with everything in one folder."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                package.write(path, f"{name}/{path.relative_to(folder)}")
        package.writestr(f"{name}/stanza/resources.json", "{}")
    return packed.getvalue()


def put_argos(mirror: Mirror, package: bytes, source: str, target: str) -> str:
    """Serve a package and an index of it; returns the URL of the index."""
    name = f"translate-{source}_{target}-1_9.argosmodel"
    mirror.put(f"/v1/{name}", package)
    index = [
        {
            "package_version": "1.0",
            "argos_version": "1.0",
            "from_code": source,
            "from_name": "English",
            "to_code": target,
            "to_name": "German",
            "links": [f"{mirror.url}/v1/older.argosmodel"],
            "code": f"translate-{source}_{target}",
        },
        {
            "package_version": "1.9",
            "argos_version": "1.9.0",
            "from_code": source,
            "from_name": "English",
            "to_code": target,
            "to_name": "German",
            "links": [
                "ipfs://QmV5bmf8iqKpoGoyuTzEppaSWdceuW6zgiePaUr5ThPCpW",
                f"{mirror.url}/v1/{name}",
            ],
            "code": f"translate-{source}_{target}",
        },
    ]
    mirror.put("/argos/index.json", index)
    return f"{mirror.url}/argos/index.json"


def put_hub(mirror: Mirror, folder: Path, repository: str, licence: str) -> None:
    """Serve a repository as the Hugging Face hub does."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    siblings = []
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        mirror.put(f"/{repository}/resolve/{commit}/{path.name}", content)
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        sibling: dict[str, Any] = {"rfilename": path.name, "size": len(content)}
        sibling["blobId"] = blob.hexdigest()
        if path.suffix == ".safetensors":
            sibling["lfs"] = {"sha256": _sha256(content), "size": len(content), "pointerSize": 134}
        siblings.append(sibling)
    info = {
        "_id": "1",
        "id": repository,
        "modelId": repository,
        "sha": commit,
        "private": False,
        "tags": ["translation", f"license:{licence}"],
        "cardData": {"license": licence},
        "siblings": siblings,
    }
    mirror.put(f"/api/models/{repository}?blobs=True", info)
    summary = {"id": repository, "modelId": repository, "tags": [], "private": False}
    mirror.put("/api/models?search=opus-mt&author=Helsinki-NLP", [summary])
    mirror.put("/api/models?author=Helsinki-NLP&search=opus-mt", [summary])


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
