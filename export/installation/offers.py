"""Models that a source offers: which pair, how good, under which licence, in which files."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, Protocol, TypeVar

from bundle.languages import best_direction
from export.errors import InstallError
from export.importers.languages import language_code

_HEX = {"sha256": re.compile(r"[0-9a-f]{64}"), "git-sha1": re.compile(r"[0-9a-f]{40}")}
_PART = re.compile(r"(.+?)-(.+)")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A direction, in the codes of bundles."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"

    @property
    def primary(self) -> "Pair":
        """The pair without scripts and regions."""
        return Pair(source=self.source.partition("-")[0], target=self.target.partition("-")[0])

    def fits(self, other: "Pair") -> bool:
        """Whether a model of the other pair does where this one is asked for."""
        direction = other.source, other.target
        return best_direction(self.source, self.target, [direction]) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What a file's bytes have to hash to."""

    algorithm: Literal["sha256", "git-sha1"]
    """`git-sha1` is that of a blob: its length is hashed before its bytes."""
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file of a model, as it is published."""

    name: str
    """Name under which it is stored, once it is unpacked."""
    url: str
    size_bytes: int | None = None
    """Size as it is downloaded; None: the index does not say."""
    digest: Digest | None = None
    """Digest as it is downloaded; None: the index does not say."""
    packing: Literal["zstd", "gzip", "zip"] | None = None
    unpacked_bytes: int | None = None
    unpacked_digest: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model that can be installed."""

    origin: str
    """Name of the source."""
    pair: Pair
    kind: str
    """Kind of its files, see `importers.kinds`."""
    model: str
    """What the source calls it: an architecture, or a repository."""
    version: str
    licence: str | None
    """None: its source does not say."""
    rank: tuple[int, ...]
    """The largest of a pair is the best."""
    is_released: bool = True
    files: tuple[RemoteFile, ...] = ()
    """None in a list of all models of a source that has to be asked for each."""

    @property
    def size_bytes(self) -> int | None:
        """Bytes to download; None where the index does not say."""
        sizes = [file.size_bytes for file in self.files]
        return sum(s for s in sizes if s is not None) if sizes and None not in sizes else None


class Source(Protocol):
    """A place where models are published."""

    @property
    def name(self) -> str:
        """Name as `--from` takes it."""
        ...

    def offers(self, pair: Pair | None = None) -> list[Offer]:
        """Models of a pair with their files; of all pairs where none is given.

        Raises:
            InstallError: The index cannot be read.
        """
        ...


def parse_pair(text: str) -> Pair:
    """`en-pt` -> English to Portuguese; `en-pt-br` and `zh-hans-en` are split where codes end.

    Raises:
        InstallError: It is no pair.
    """
    codes_of_pair = text.lower().partition(":")
    parts = text.lower().split("-")
    splits = [("-".join(parts[:i]), "-".join(parts[i:])) for i in range(1, len(parts))]
    if codes_of_pair[1]:
        splits = [(codes_of_pair[0], codes_of_pair[2])]
    for source, target in splits:
        codes = language_code(source), language_code(target)
        if codes[0] and codes[1] and codes[0] != codes[1]:
            return Pair(source=codes[0], target=codes[1])
    raise InstallError(f"{text!r} is no pair of languages such as en-pt or en:pt-br")


def checked_digest(value: object, algorithm: Literal["sha256", "git-sha1"]) -> Digest | None:
    """A digest that an index gives; None where it gives none.

    Raises:
        ValueError: It is no such digest.
    """
    if value is None:
        return None
    if not isinstance(value, str) or not _HEX[algorithm].fullmatch(value):
        raise ValueError(f"{value!r} is no {algorithm}")
    return Digest(algorithm=algorithm, value=value)


def checked_size(value: object) -> int | None:
    """A size that an index gives; None where it gives none.

    Raises:
        ValueError: It is no size.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_FILE_BYTES:
        raise ValueError(f"{value!r} is no size of a file")
    return value


def checked_name(value: object) -> str:
    """The name of a file, which may not leave its folder.

    Raises:
        ValueError: It has a folder in it, or is hidden.
    """
    if not isinstance(value, str) or not value or value.startswith("."):
        raise ValueError(f"{value!r} is no name of a file")
    if PurePosixPath(value).name != value or "\\" in value or "\0" in value:
        raise ValueError(f"{value!r} is no name of a file")
    return value


MAX_FILE_BYTES = 8 << 30
"""Larger than any model that is published for a CPU."""
