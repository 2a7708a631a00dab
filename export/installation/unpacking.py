"""Unpacks downloaded files: Zstandard, gzip and zip, with bounds on what comes out."""

import gzip
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from export.errors import InstallError
from export.installation.offers import MAX_FILE_BYTES, RemoteFile
from export.installation.transfer import check_file

CHUNK_BYTES = 1 << 20
_UNUSED = "stanza"
"""Folder of a package of Argos with a sentence splitter, which no import reads."""


def unpack(file: RemoteFile, packed: Path, folder: Path) -> None:
    """Unpack a downloaded file into a folder, and check what comes out.

    Raises:
        InstallError: It is broken, or not what the index says.
    """
    if file.packing == "zip":
        _unpack_zip(packed, folder)
        return
    out = folder / file.name
    limit_bytes = file.unpacked_bytes or MAX_FILE_BYTES
    try:
        with packed.open("rb") as source, out.open("wb") as target:
            _write(_chunks(file, source), target, limit_bytes, file.name)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _broken(file.name, str(error)) from error
    check_file(out, file.name, file.unpacked_bytes, file.unpacked_digest)


def _chunks(file: RemoteFile, source: IO[bytes]) -> Iterator[bytes]:
    if file.packing == "zstd":
        return _zstd_chunks(file.name, source)
    magic = source.read(2)
    source.seek(0)
    if file.packing == "gzip" and magic == b"\x1f\x8b":  # some servers unpack what they send
        unpacked = gzip.GzipFile(fileobj=source, mode="rb")
        return iter(lambda: unpacked.read(CHUNK_BYTES), b"")
    return iter(lambda: source.read(CHUNK_BYTES), b"")


def _zstd_chunks(name: str, source: IO[bytes]) -> Iterator[bytes]:
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    try:
        yield from decompressor.read_to_iter(source, read_size=CHUNK_BYTES, write_size=CHUNK_BYTES)
    except zstandard.ZstdError as error:
        raise _broken(name, str(error)) from error


def _write(chunks: Iterator[bytes], target: IO[bytes], limit_bytes: int, name: str) -> None:
    written = 0
    for chunk in chunks:
        written += len(chunk)
        if written > limit_bytes:
            raise InstallError(f"{name} unpacks to more than {limit_bytes:,} bytes: do not use it")
        target.write(chunk)


def _unpack_zip(packed: Path, folder: Path) -> None:
    """The members of a package, without the folder that they are all in."""
    try:
        with zipfile.ZipFile(packed) as package:
            members = [m for m in package.infolist() if not m.is_dir()]
            if sum(member.file_size for member in members) > MAX_FILE_BYTES:
                raise InstallError(f"{packed.name} unpacks to over {MAX_FILE_BYTES:,} bytes")
            for member in members:
                _unpack_member(package, member, folder)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        raise _broken(packed.name, str(error)) from error


def _unpack_member(package: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    parts = PurePosixPath(member.filename).parts
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    if is_link or not parts or ".." in parts or parts[0] == "/" or "\\" in member.filename:
        raise InstallError(f"the package has a file {member.filename!r}: do not use it")
    inner = parts[1:]
    if not inner or inner[0] == _UNUSED:
        return
    out = folder.joinpath(*inner)
    out.parent.mkdir(parents=True, exist_ok=True)
    with package.open(member) as source, out.open("wb") as target:
        shutil.copyfileobj(source, target, CHUNK_BYTES)


def _broken(name: str, reason: str) -> InstallError:
    return InstallError(f"{name} cannot be unpacked ({reason}): the download is broken; try again")
