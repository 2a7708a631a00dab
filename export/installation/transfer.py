"""Downloads over HTTP: bounded, resumed where they broke off, checked against the index.

Proxies are those of the environment (`https_proxy`, `no_proxy`). Knows no models.
"""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from export.errors import InstallError
from export.installation.offers import MAX_FILE_BYTES, Digest, RemoteFile
from export.installation.progress import download_progress

MAX_INDEX_BYTES = 64 << 20
ATTEMPTS = 3
"""Attempts at a transfer that breaks off; each resumes where the last one ended."""
CHUNK_BYTES = 1 << 18
_AGENT = "pellucid-install"
_PARTIAL, _NOT_SATISFIABLE = 206, 416


class _BrokenOffError(Exception):
    """The connection ended before the file did."""


class _BeyondEndError(Exception):
    """The server's file has no bytes from where it was asked for them."""

    def __init__(self, size_bytes: int | None) -> None:
        """Take the size of the server's file; None: it does not say."""
        super().__init__(f"the server's file has {size_bytes} bytes")
        self.size_bytes = size_bytes


class Transfers:
    """Reads URLs and files."""

    def __init__(self, timeout_s: float) -> None:
        """Prepare an opener that knows HTTP and nothing else: a redirect may not lead elsewhere.

        Args:
            timeout_s: Without a byte.
        """
        self._timeout_s = timeout_s
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.UnknownHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPErrorProcessor(),
        ):
            self._opener.add_handler(handler)

    def read_index(self, where: str) -> bytes:
        """The content of an index.

        Args:
            where: URL or file.

        Raises:
            InstallError: It cannot be read, or is larger than any index.
        """
        if not is_url(where):
            content = _read_file(local_path(where))
        else:
            with self._open(where, {}) as response:
                content = _read_all(response, where)
        if len(content) > MAX_INDEX_BYTES:
            raise InstallError(f"{where} has over {MAX_INDEX_BYTES:,} bytes: it is no index")
        return content

    def download(self, file: RemoteFile, path: Path) -> None:
        """Download a file to a path, where an earlier attempt may have left a part of it.

        Raises:
            InstallError: It cannot be downloaded, or is not what the index says.
        """
        if not is_url(file.url):
            _copy_file(file, path)
        elif not (path.exists() and _is_whole(path, file)):
            self._fetch(file, path)
        try:
            check_file(path, file.name, file.size_bytes, file.digest)
        except InstallError:
            path.unlink(missing_ok=True)  # the next attempt starts anew
            raise

    def _fetch(self, file: RemoteFile, path: Path) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._fetch_rest(file, path)
            except _BrokenOffError as error:
                if attempt == ATTEMPTS:
                    raise InstallError(
                        f"{file.url}: {error}, {ATTEMPTS} times: run the same command again, "
                        "which goes on from there"
                    ) from error
            else:
                return

    def _fetch_rest(self, file: RemoteFile, path: Path) -> None:
        tag = _tag_path(path)
        start = path.stat().st_size if path.exists() and tag.exists() else 0
        if start == file.size_bytes:  # but broken, or it would not be fetched
            start = 0
        headers = {"Range": f"bytes={start}-", "If-Range": tag.read_text("utf-8")} if start else {}
        try:
            response = self._open(file.url, headers)
        except _BeyondEndError as error:
            if error.size_bytes == start:
                return  # an index without sizes does not say that all of it is here already
            path.unlink()
            raise _BrokenOffError("the server has another file than before") from error
        with response:
            if response.status == _PARTIAL and _range_start(response) != start:
                path.unlink(missing_ok=True)
                raise _BrokenOffError("the server sends another part than was asked for")
            start = start if response.status == _PARTIAL else 0
            expected_bytes = _expected_bytes(file, response, start)
            _remember(tag, response)
            with (
                path.open("ab" if start else "wb") as out,
                download_progress(file.name, expected_bytes, start) as advance,
            ):
                _receive(response, out, start, expected_bytes, advance)

    def _open(self, url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        """The response of a server; close it.

        Raises:
            InstallError: There is none, or it is an error.
            _BeyondEndError: The range that is asked for begins at the end of the file or later.
        """
        given = {"User-Agent": _AGENT, "Accept-Encoding": "identity", **headers}
        try:
            host = urlsplit(url).hostname
            request = urllib.request.Request(url, headers=given)
            response = self._opener.open(request, timeout=self._timeout_s)
        except urllib.error.HTTPError as error:
            if error.code == _NOT_SATISFIABLE and "Range" in headers:
                raise _BeyondEndError(_whole_bytes(error.headers)) from error
            raise InstallError(f"{url}: the server answers {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(host or url, error) from error
        except ValueError as error:  # brackets or labels of its host that no address has
            raise InstallError(f"{url} is no address ({error}): correct it") from error
        assert isinstance(response, http.client.HTTPResponse)
        return response


def is_url(where: str) -> bool:
    """Whether an index or a file is reached over HTTP; else it is a path."""
    return where.lower().startswith(("http://", "https://"))


def local_path(where: str) -> Path:
    """The path of a file that is no URL; `file:` is allowed."""
    return Path(unquote(urlsplit(where).path)) if where.startswith("file:") else Path(where)


def check_file(path: Path, name: str, size_bytes: int | None, digest: Digest | None) -> None:
    """Compare a file with what the index says of it.

    Raises:
        InstallError: They differ.
    """
    have_bytes = path.stat().st_size
    if size_bytes is not None and have_bytes != size_bytes:
        raise InstallError(
            f"{name} has {have_bytes:,} bytes, the index says {size_bytes:,}: {_MISMATCH}"
        )
    if digest is not None and digest_of(path, digest.algorithm) != digest.value:
        raise InstallError(f"{name}: its {digest.algorithm} is not that of the index: {_MISMATCH}")


_MISMATCH = "nothing was installed; try again, or another mirror with --index"


def digest_of(path: Path, algorithm: str) -> str:
    """The hexadecimal digest of a file."""
    hasher = hashlib.sha256()
    if algorithm == "git-sha1":
        hasher = hashlib.sha1(usedforsecurity=False)
        hasher.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
    return hasher.hexdigest()


def _receive(
    response: http.client.HTTPResponse,
    out: IO[bytes],
    start: int,
    expected_bytes: int | None,
    advance: Callable[[int], object],
) -> None:
    received = start
    limit_bytes = expected_bytes or MAX_FILE_BYTES
    while chunk := _next_chunk(response):
        received += len(chunk)
        if received > limit_bytes:
            raise InstallError(f"the server sends more than {limit_bytes:,} bytes: {_MISMATCH}")
        out.write(chunk)
        out.flush()
        advance(len(chunk))
    if expected_bytes is not None and received < expected_bytes:
        raise _BrokenOffError(f"ended after {received:,} of {expected_bytes:,} bytes")


def _next_chunk(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK_BYTES)  # what has arrived, so that it is kept
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOffError("the connection broke off") from error


def _read_all(response: http.client.HTTPResponse, where: str) -> bytes:
    try:
        return response.read(MAX_INDEX_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise InstallError(f"{where}: the connection broke off: try again") from error


def _expected_bytes(file: RemoteFile, response: http.client.HTTPResponse, start: int) -> int | None:
    """Bytes of the whole file, by the index, else by the server.

    Raises:
        InstallError: They say different things.
    """
    announced = response.headers.get("Content-Length", "")
    total = start + int(announced) if announced.isdecimal() else None
    if file.size_bytes is None or total is None or total == file.size_bytes:
        return file.size_bytes or total
    raise InstallError(
        f"{file.url}: the server announces {total:,} bytes, the index {file.size_bytes:,}: "
        f"{_MISMATCH}"
    )


def _range_start(response: http.client.HTTPResponse) -> int | None:
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    first = rest.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdecimal() else None


def _whole_bytes(headers: Message) -> int | None:
    """Size of the whole file, which a refused range names: `bytes */SIZE` (RFC 9110, 15.5.17)."""
    unit, _, size = headers.get("Content-Range", "").partition(" */")
    return int(size) if unit == "bytes" and size.isdecimal() else None


def _tag_path(path: Path) -> Path:
    return path.with_name(path.name + ".tag")


def _remember(tag: Path, response: http.client.HTTPResponse) -> None:
    """Keep what tells whether the server still has the same file: without it, no resuming."""
    value = response.headers.get("ETag") or response.headers.get("Last-Modified")
    if value and not value.startswith("W/"):
        tag.write_text(value, encoding="utf-8")
    else:
        tag.unlink(missing_ok=True)


def _is_whole(path: Path, file: RemoteFile) -> bool:
    return file.digest is not None and path.stat().st_size == file.size_bytes


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_INDEX_BYTES + 1)
    except OSError as error:
        raise InstallError(f"{path} cannot be read: {error.strerror}") from error


def _copy_file(file: RemoteFile, path: Path) -> None:
    source = local_path(file.url)
    try:
        with source.open("rb") as reader:
            content_bytes = os.fstat(reader.fileno()).st_size
            if file.size_bytes is not None and content_bytes != file.size_bytes:
                raise InstallError(
                    f"{source} has {content_bytes:,} bytes, the index says {file.size_bytes:,}: "
                    f"{_MISMATCH}"
                )
            with path.open("wb") as out:
                while chunk := reader.read(CHUNK_BYTES):
                    out.write(chunk)
    except FileNotFoundError as error:
        raise InstallError(f"{source} is missing: the index names it") from error


def _unreachable(host: str, error: Exception) -> InstallError:
    reason = getattr(error, "reason", None) or error
    return InstallError(
        f"{host} cannot be reached ({reason}): check the network and https_proxy, or name a "
        "mirror or a file with --index"
    )
