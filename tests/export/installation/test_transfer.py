"""Downloads: resumed where they broke off, refused where the server or the index lies."""

import gzip
import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from export.errors import InstallError
from export.installation.offers import Digest, RemoteFile
from export.installation.transfer import Transfers
from export.installation.unpacking import unpack
from tests.export.installation.mirror import Mirror, serving_mirror, zstandard

CONTENT = bytes(range(256)) * 40
SHA256 = Digest(algorithm="sha256", value=hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setenv("no_proxy", "*")
    with serving_mirror() as server:
        yield server


def _file(mirror: Mirror, **more: object) -> RemoteFile:
    given: dict[str, object] = {"size_bytes": len(CONTENT), "digest": SHA256} | more
    return RemoteFile(name="file", url=f"{mirror.url}/file", **given)  # type: ignore[arg-type]


def _download(file: RemoteFile, path: Path) -> bytes:
    Transfers(timeout_s=5).download(file, path)
    return path.read_bytes()


def test_a_file_is_downloaded_and_checked(mirror: Mirror, tmp_path: Path) -> None:
    mirror.put("/file", CONTENT)
    assert _download(_file(mirror), tmp_path / "file") == CONTENT
    assert _download(_file(mirror), tmp_path / "file") == CONTENT
    assert len(mirror.asked("/file")) == 1  # it was whole


def test_a_redirect_is_followed(mirror: Mirror, tmp_path: Path) -> None:
    mirror.put("/cdn", CONTENT)
    mirror.put("/file", b"", redirects_to=f"{mirror.url}/cdn")
    assert _download(_file(mirror), tmp_path / "file") == CONTENT


@pytest.mark.parametrize("elsewhere", ["file:///etc/passwd", "ftp://localhost/x"])
def test_a_redirect_may_not_leave_http(elsewhere: str, mirror: Mirror, tmp_path: Path) -> None:
    mirror.put("/file", b"", redirects_to=elsewhere)
    with pytest.raises(InstallError, match=r"the server answers 302|cannot be reached"):
        _download(_file(mirror), tmp_path / "file")


def test_without_a_tag_there_is_no_resuming(mirror: Mirror, tmp_path: Path) -> None:
    mirror.put("/file", CONTENT, has_tag=False, breaks_after=[100])
    assert _download(_file(mirror), tmp_path / "file") == CONTENT
    assert [request.range_start for request in mirror.asked("/file")] == [None, None]


def test_a_file_that_has_changed_meanwhile_is_downloaded_anew(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.put("/file", CONTENT[::-1], breaks_after=[100, 0, 0])
    with pytest.raises(InstallError, match="ended after 100 of"):
        _download(_file(mirror), tmp_path / "file")
    mirror.put("/file", CONTENT)
    assert _download(_file(mirror), tmp_path / "file") == CONTENT


def test_a_part_that_starts_elsewhere_is_thrown_away(mirror: Mirror, tmp_path: Path) -> None:
    mirror.put("/file", CONTENT, breaks_after=[100], shifted_range=7)
    assert _download(_file(mirror), tmp_path / "file") == CONTENT
    assert [request.range_start for request in mirror.asked("/file")] == [None, 100, None]


@pytest.mark.parametrize("announced_bytes", [len(CONTENT) - 1, len(CONTENT) + 1, 1 << 60, 0])
def test_a_length_that_is_not_the_index_s_is_refused(
    announced_bytes: int, mirror: Mirror, tmp_path: Path
) -> None:
    mirror.put("/file", CONTENT, announced_bytes=announced_bytes)
    with pytest.raises(InstallError, match=r"the server announces .* bytes, the index 10,240"):
        _download(_file(mirror), tmp_path / "file")


def test_without_a_size_in_the_index_the_server_s_counts(mirror: Mirror, tmp_path: Path) -> None:
    mirror.put("/file", CONTENT, announced_bytes=len(CONTENT) + 5)
    with pytest.raises(InstallError, match=r"ended after 10,240 of 10,245 bytes, 3 times"):
        _download(_file(mirror, size_bytes=None, digest=None), tmp_path / "file")


def test_a_whole_file_of_an_index_without_sizes_is_kept(mirror: Mirror, tmp_path: Path) -> None:
    mirror.put("/file", CONTENT)
    for _ in range(2):
        assert _download(_file(mirror, size_bytes=None, digest=None), tmp_path / "file") == CONTENT
    assert [request.range_start for request in mirror.asked("/file")] == [None, len(CONTENT)]


def test_what_is_longer_than_the_server_s_file_is_downloaded_anew(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.put("/file", CONTENT)
    file = _file(mirror, size_bytes=None, digest=None)
    (tmp_path / "file").write_bytes(_download(file, tmp_path / "file") + b"x")
    assert _download(file, tmp_path / "file") == CONTENT


def test_bytes_that_differ_are_refused_and_downloaded_anew(mirror: Mirror, tmp_path: Path) -> None:
    mirror.put("/file", CONTENT[::-1])
    with pytest.raises(InstallError, match="its sha256 is not that of the index"):
        _download(_file(mirror), tmp_path / "file")
    assert not (tmp_path / "file").exists()
    mirror.put("/file", CONTENT)
    assert _download(_file(mirror), tmp_path / "file") == CONTENT


def test_the_digest_of_git_is_known(mirror: Mirror, tmp_path: Path) -> None:
    blob = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT, usedforsecurity=False)
    mirror.put("/file", CONTENT)
    right = Digest(algorithm="git-sha1", value=blob.hexdigest())
    assert _download(_file(mirror, digest=right), tmp_path / "file") == CONTENT
    wrong = Digest(algorithm="git-sha1", value="0" * 40)
    with pytest.raises(InstallError, match="its git-sha1 is not"):
        _download(_file(mirror, digest=wrong), tmp_path / "file")


def test_an_error_of_the_server_is_named(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"/file: the server answers 404"):
        _download(_file(mirror), tmp_path / "file")


@pytest.mark.parametrize("url", ["http://[::1/x", "http://a..b/x", f"http://{'a' * 64}/x"])
def test_what_is_no_address_is_named(url: str, mirror: Mirror, tmp_path: Path) -> None:
    mirror.put("/file", b"", redirects_to=url)
    with pytest.raises(InstallError, match=rf"^{re.escape(url)} is no address \("):
        Transfers(timeout_s=5).read_index(url)
    with pytest.raises(InstallError, match=rf"^{mirror.url}/file is no address \("):
        _download(_file(mirror), tmp_path / "file")


def test_an_index_may_be_the_url_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "index 1.json").write_bytes(CONTENT)
    url = (tmp_path / "index 1.json").as_uri()
    assert Transfers(timeout_s=5).read_index(url) == CONTENT


def test_an_index_has_a_limit(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.installation.transfer.MAX_INDEX_BYTES", 1000)
    mirror.put("/index", CONTENT)
    with pytest.raises(InstallError, match="it is no index"):
        Transfers(timeout_s=5).read_index(f"{mirror.url}/index")


def _zstd() -> bytes:
    return bytes(zstandard.ZstdCompressor().compress(CONTENT))


def _packed(packing: str) -> RemoteFile:
    return RemoteFile(
        name="file",
        url="",
        packing=packing,  # type: ignore[arg-type]
        unpacked_bytes=len(CONTENT),
        unpacked_digest=SHA256,
    )


@pytest.mark.parametrize(
    ("packing", "content"), [("zstd", _zstd()), ("gzip", gzip.compress(CONTENT)), ("gzip", CONTENT)]
)
def test_packed_files_are_unpacked(packing: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(content)
    unpack(_packed(packing), tmp_path / "packed", tmp_path)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("packing", "content"),
    [
        ("zstd", _zstd()[:-20]),
        ("zstd", b"no zstd"),
        ("zstd", zstandard.ZstdCompressor().compress(CONTENT * 50)),
        ("gzip", gzip.compress(CONTENT)[:-20]),
        ("gzip", gzip.compress(CONTENT * 50)),
        ("gzip", CONTENT[::-1]),
    ],
)
def test_broken_or_larger_content_is_refused(packing: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(content)
    with pytest.raises(
        InstallError, match=r"cannot be unpacked|unpacks to more than|is not that|has .* bytes"
    ):
        unpack(_packed(packing), tmp_path / "packed", tmp_path)


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "a/b\\evil"])
def test_a_package_may_not_leave_its_folder(name: str, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as package:
        package.writestr(name, "x")
    (tmp_path / "packed").write_bytes(packed.getvalue())
    (tmp_path / "inner").mkdir()
    with pytest.raises(InstallError, match="do not use it"):
        unpack(_packed("zip"), tmp_path / "packed", tmp_path / "inner")
    assert list((tmp_path / "inner").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inner", "packed"]


@pytest.mark.parametrize("content", [b"no zip", b"PK\x05\x06" + b"\0" * 10])
def test_a_broken_package_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(content)
    with pytest.raises(InstallError, match="cannot be unpacked"):
        unpack(_packed("zip"), tmp_path / "packed", tmp_path)
