"""A ZIP archive, written again with some of its entries changed and all others byte for byte.

`zipfile` reads the directory and inflates. It cannot copy an entry without inflating it, so the
archive is written here, from slices of the old one.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from service.documents.errors import DocumentError

MAX_ENTRIES = 10_000
MAX_INFLATED_BYTES = 67_108_864
"""Bytes of all parsed entries together, unpacked."""
MAX_RATIO = 250
"""Inflated bytes for each byte in the archive, beyond `_SMALL_BYTES`."""
_SMALL_BYTES = 1_048_576
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Begins Office files before 2007, and newer ones with a password."""
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_ENCRYPTED = 0x1
_SIZES_FOLLOW = 0x8
_ZIP64 = 1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    info: zipfile.ZipInfo
    record: bytes
    """Record of the entry in the directory."""
    end: int
    """Where the next entry begins, or the directory."""


class Archive:
    """The entries of an archive by name; inflates no more than `MAX_INFLATED_BYTES` at a time."""

    def __init__(self, data: bytes, suffix: str) -> None:
        """Reads the directory.

        Args:
            data: The archive.
            suffix: Of the file's name, for messages.

        Raises:
            DocumentError: It is no archive, or one that is not read.
        """
        self._data = data
        self._suffix = suffix
        self._file = self._opened()
        self._entries = self._checked(self._file.infolist())
        self._inflated = 0

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all entries, in the order of the directory."""
        return tuple(self._entries)

    def begin(self) -> None:
        """Count the inflated bytes from zero: what was read before is not needed any more."""
        self._inflated = 0

    def read(self, name: str) -> bytes:
        """The content of an entry.

        Raises:
            DocumentError: There is none, it is damaged, or too large.
        """
        if name not in self._entries:
            raise DocumentError(f"it is not a {self._suffix} file: it has no {name}")
        info = self._entries[name].info
        self._inflated += info.file_size
        self._check_size(info)
        try:
            with self._file.open(info) as stream:
                content = stream.read(info.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError):
            raise DocumentError(f"its entry {name} is damaged: save it again") from None
        if len(content) != info.file_size:
            raise DocumentError(f"its entry {name} is damaged: save it again")
        return content

    def write(self, changed: Mapping[str, bytes]) -> bytes:
        """The archive with other content of some entries, in the same order."""
        segments, offsets = io.BytesIO(), {}
        by_offset = sorted(self._entries.items(), key=lambda item: item[1].info.header_offset)
        start = by_offset[0][1].info.header_offset if by_offset else self._file.start_dir
        segments.write(self._data[:start])
        sizes = {}
        for name, entry in by_offset:
            offsets[name] = segments.tell()
            if name in changed:
                header, packed, sizes[name] = _packed(entry, changed[name], self._data)
                segments.write(header + packed)
            else:
                segments.write(self._data[entry.info.header_offset : entry.end])
        records = [
            _record(entry, offsets[name], sizes.get(name)) for name, entry in self._entries.items()
        ]
        return segments.getvalue() + self._directory(records, segments.tell())

    def _opened(self) -> zipfile.ZipFile:
        if self._data.startswith(_OLD_OFFICE):
            raise DocumentError(
                f"it is not a {self._suffix} file: it has a password, or the format of Office "
                "before 2007: save it without"
            )
        try:
            return zipfile.ZipFile(io.BytesIO(self._data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, EOFError):
            raise DocumentError(
                f"it is not a {self._suffix} file: it is no ZIP archive, or a part of it is missing"
            ) from None

    def _checked(self, infos: list[zipfile.ZipInfo]) -> dict[str, _Entry]:
        if len(infos) > MAX_ENTRIES:
            raise DocumentError(
                f"it has {len(infos)} entries; the limit is {MAX_ENTRIES}: divide it"
            )
        if len({info.filename for info in infos}) != len(infos):
            raise DocumentError("two of its entries have the same name: save it again")
        starts = [*sorted(info.header_offset for info in infos), self._file.start_dir]
        ends = dict(pairwise(starts))
        entries = {}
        for info, record in zip(infos, self._records(len(infos)), strict=True):
            end = ends[info.header_offset]
            if not 0 <= info.header_offset <= end - _LOCAL.size - info.compress_size:
                raise DocumentError("its entries overlap, so it is damaged: save it again")
            if info.flag_bits & _ENCRYPTED:
                raise DocumentError("it is encrypted: save it without a password")
            entries[info.filename] = _Entry(info=info, record=record, end=end)
        return entries

    def _records(self, count: int) -> list[bytes]:
        records, position = [], self._file.start_dir
        for _ in range(count):
            fields = _CENTRAL.unpack_from(self._data, position)
            end = position + _CENTRAL.size + sum(fields[10:13])
            records.append(self._data[position:end])
            position = end
        return records

    def _check_size(self, info: zipfile.ZipInfo) -> None:
        if info.compress_type not in _METHODS:
            raise DocumentError(
                f"its entry {info.filename} is packed in a way that is not read: save it again"
            )
        if self._inflated > MAX_INFLATED_BYTES:
            raise DocumentError(
                f"unpacked it has more than {MAX_INFLATED_BYTES} bytes of text and layout: "
                "divide it"
            )
        if info.file_size > max(_SMALL_BYTES, MAX_RATIO * info.compress_size):
            raise DocumentError(
                f"its entry {info.filename} unpacks to {info.file_size} bytes, over {MAX_RATIO} "
                "times its size: it is no document"
            )

    def _directory(self, records: list[bytes], start: int) -> bytes:
        directory, comment = b"".join(records), self._file.comment
        count = len(records)
        end = _END.pack(b"PK\5\6", 0, 0, count, count, len(directory), start, len(comment))
        return directory + end + comment


def _packed(entry: _Entry, content: bytes, data: bytes) -> tuple[bytes, bytes, tuple[int, ...]]:
    """Local header, packed content, and checksum with sizes, of a changed entry."""
    info = entry.info
    fields = list(_LOCAL.unpack_from(data, info.header_offset))
    name_at = info.header_offset + _LOCAL.size
    extra_at = name_at + fields[9]
    extra = _without_zip64(data[extra_at : extra_at + fields[10]])
    packed = content
    if info.compress_type == zipfile.ZIP_DEFLATED:
        compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = compressor.compress(content) + compressor.flush()
    sizes = (zlib.crc32(content), len(packed), len(content))
    fields[2] &= ~_SIZES_FOLLOW
    fields[6:9] = sizes
    fields[10] = len(extra)
    return _LOCAL.pack(*fields) + data[name_at:extra_at] + extra, packed, sizes


def _record(entry: _Entry, offset: int, sizes: tuple[int, ...] | None) -> bytes:
    """The record of an entry in the new directory."""
    info = entry.info
    fields = list(_CENTRAL.unpack_from(entry.record))
    name_end = _CENTRAL.size + fields[10]
    extra = _without_zip64(entry.record[name_end : name_end + fields[11]])
    rest = entry.record[name_end + fields[11] :]
    fields[11] = len(extra)
    if sizes:
        fields[3] &= ~_SIZES_FOLLOW
    fields[7:10] = sizes or (info.CRC, info.compress_size, info.file_size)
    fields[13] = 0  # a disk number of 0xFFFF would point into the extra that is gone
    fields[16] = offset
    return _CENTRAL.pack(*fields) + entry.record[_CENTRAL.size : name_end] + extra + rest


def _without_zip64(extra: bytes) -> bytes:
    """Extra fields without the one for sizes of 64 bits; as they are if they are no fields."""
    kept, position = b"", 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, position)
        if kind != _ZIP64:
            kept += extra[position : position + 4 + size]
        position += 4 + size
    return kept + extra[position:]
