"""Opens a bundle folder, after verifying every byte and every field of its manifest."""

import hashlib
import io
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from bundle.consistency import consistency_faults
from bundle.errors import InvalidBundleError
from bundle.known_words import WordFilter, cut_filters
from bundle.manifest import FORMAT_VERSION, MANIFEST_NAME, FileEntry, Manifest
from bundle.sealed import SealedFiles, Sealer
from bundle.shortlist import ShortlistTable, load_table, read_table, table_faults
from bundle.tensors import (
    KNOWN_WORDS_NAME,
    REQUIRED_FILES,
    SHORTLIST_FILES,
    SHORTLIST_TABLE_NAME,
    SOURCE_TOKENIZER_NAME,
    TARGET_TOKENIZER_NAME,
)
from bundle.verified import Verification, VerifiedFiles, identity_of

if TYPE_CHECKING:
    from bundle.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A verified bundle; opening its graphs is left to the runtime."""

    path: Path
    manifest: Manifest
    sha256: str
    """Digest of the manifest, which identifies every file."""
    shortlist: ShortlistTable | None = None
    """Present where the manifest has one."""
    known_words: Mapping[str, Container[str]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """Of the training text, by languages; empty where the manifest has none."""
    files: SealedFiles | None = field(default=None, repr=False, compare=False)
    """Its files in memory; None: they are read from the folder."""
    loaded: list["Tokenizer"] = field(default_factory=list, repr=False, compare=False)
    """The tokenizer, once it is loaded."""

    @property
    def tokenizer(self) -> "Tokenizer":
        """Loaded at first use: an engine, which sees ids alone, never asks for it."""
        if not self.loaded:
            self.loaded.append(_open_tokenizer(self.path, self.manifest))
        return self.loaded[0]

    def file(self, name: str) -> Path:
        """Path of the bundle's file `name`."""
        return self.path / name

    def has_file(self, name: str) -> bool:
        """Whether an optional file is part of the bundle."""
        if self.sha256:
            return name in self.manifest.files
        return self.file(name).is_file()  # an export has no manifest yet


def read_bundle(
    path: Path, *, seals: bool = False, verified: VerifiedFiles | None = None
) -> Bundle:
    """Verify the bundle in folder `path` and load its tokenizer.

    Args:
        path: The folder.
        seals: Keep the verified bytes in sealed memory, where the system has that, so that later
            changes of the folder do not matter.
        verified: Records of files that need not be hashed again; None: every file is hashed.

    Raises:
        InvalidBundleError: With every fault: no folder, no manifest, wrong fields, files that are
            missing, unexpected or changed, a tokenizer that does not fit.
    """
    sealer = Sealer.create() if seals else None
    try:
        bundle = _read(path, sealer, verified)
        return bundle if sealer is None else replace(bundle, files=sealer.seal())
    finally:
        if sealer is not None:
            sealer.close()


def describe_bundle(path: Path) -> Bundle:
    """The bundle in folder `path` by its manifest: no file is opened, names and sizes are checked.

    Its tokenizer must not be asked for before `read_bundle` has verified it.

    Raises:
        InvalidBundleError: With every fault of folder and manifest.
    """
    content = _read_manifest(path)
    manifest = _parse_manifest(path, content)
    faults = [*_listing_faults(path, manifest), *consistency_faults(manifest)]
    for name, entry in sorted(manifest.files.items()):
        faults += filter(None, [_size_fault(path, name, entry)])
    if faults:
        raise InvalidBundleError(path, faults)
    return Bundle(path=path, manifest=manifest, sha256=hashlib.sha256(content).hexdigest())


def _read(path: Path, sealer: Sealer | None, verified: VerifiedFiles | None) -> Bundle:
    content = _read_manifest(path)  # once: the file may be replaced while the rest is read
    manifest = _parse_manifest(path, content)
    sha256 = hashlib.sha256(content).hexdigest()
    if sealer is not None:
        sealer.add(MANIFEST_NAME, content)
    verification = Verification() if verified is None else verified.recall(path, sha256)
    faults = _file_faults(path, manifest, sealer, verification) + consistency_faults(manifest)
    blamed = {fault.partition(":")[0] for fault in faults}
    tokenizer = None
    if not blamed & {SOURCE_TOKENIZER_NAME, TARGET_TOKENIZER_NAME}:
        tokenizer = _load_tokenizer(path, manifest, faults)
    shortlist = None
    if tokenizer and manifest.shortlist and SHORTLIST_TABLE_NAME not in blamed:
        shortlist = _load_shortlist(path, manifest, tokenizer, faults)
    known_words = {}
    if manifest.known_words and not faults:
        known_words = _load_known_words(path, manifest, faults)
    if tokenizer is None or faults:
        raise InvalidBundleError(path, faults)
    if verified is not None:
        verified.record(path, sha256, verification)
    return Bundle(
        path=path,
        manifest=manifest,
        loaded=[tokenizer],
        sha256=sha256,
        shortlist=shortlist,
        known_words=known_words,
    )


def open_sealed(path: Path, files: SealedFiles) -> Bundle:
    """A bundle that `read_bundle` has verified and sealed in another process; loads no tokenizer.

    Args:
        path: Its folder, which is not read.
        files: Its files.
    """
    content = bytes(files[MANIFEST_NAME])
    manifest = _parse_manifest(path, content)
    table = None
    if manifest.shortlist:
        table = load_table(io.BytesIO(files[SHORTLIST_TABLE_NAME]))
    sha256 = hashlib.sha256(content).hexdigest()
    return Bundle(path=path, manifest=manifest, sha256=sha256, shortlist=table, files=files)


def open_verified(path: Path, sha256: str) -> Bundle:
    """As `open_sealed`, from the folder, where the system has no sealed memory.

    Raises:
        InvalidBundleError: Another bundle has taken its place.
    """
    check_unchanged(path, sha256)
    content = _read_manifest(path)
    manifest = _parse_manifest(path, content)
    table = read_table(path / SHORTLIST_TABLE_NAME) if manifest.shortlist else None
    return Bundle(path=path, manifest=manifest, sha256=sha256, shortlist=table)


def check_unchanged(path: Path, sha256: str) -> None:
    """Check that a folder still holds the bundle that was verified.

    Raises:
        InvalidBundleError: Another bundle has taken its place.
    """
    if hashlib.sha256(_read_manifest(path)).hexdigest() != sha256:
        raise InvalidBundleError(path, ["it was replaced after it was verified: load it again"])


def sha256_of(path: Path) -> str:
    """Hexadecimal digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(path: Path) -> bytes:
    if not path.is_dir():
        raise InvalidBundleError(path, ["there is no such folder"])
    try:
        return (path / MANIFEST_NAME).read_bytes()
    except OSError as error:
        raise InvalidBundleError(path, [f"{MANIFEST_NAME}: {error.strerror}"]) from error


def _parse_manifest(path: Path, content: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise InvalidBundleError(path, _manifest_faults(error)) from error


def _manifest_faults(error: ValidationError) -> list[str]:
    faults = []
    for detail in error.errors(include_url=False):
        where = ".".join(str(part) for part in detail["loc"])
        message = detail["msg"]
        if where == "format_version" and detail["type"] != "missing":
            message = (
                f"{detail['input']!r} is not {FORMAT_VERSION}, the format that this version reads: "
                "export the bundle again"
            )
        faults.append(f"{MANIFEST_NAME}: {where}: {message}" if where else f"manifest: {message}")
    return faults


def _file_faults(
    path: Path, manifest: Manifest, sealer: Sealer | None, verification: Verification
) -> list[str]:
    faults = _listing_faults(path, manifest)
    for name, entry in sorted(manifest.files.items()):
        fault = _size_fault(path, name, entry) or _content_fault(
            path, name, entry, sealer, verification
        )
        faults += [fault] if fault else []
    return faults


def _listing_faults(path: Path, manifest: Manifest) -> list[str]:
    listed = set(manifest.files)
    required = (
        *REQUIRED_FILES,
        *(SHORTLIST_FILES if manifest.shortlist else ()),
        *([KNOWN_WORDS_NAME] if manifest.known_words else ()),
    )
    faults = [f"{name}: not listed in the manifest" for name in required if name not in listed]
    present = {p.name for p in path.iterdir()} - {MANIFEST_NAME}
    return faults + [
        f"{name}: in the folder, not in the manifest" for name in sorted(present - listed)
    ]


def _size_fault(path: Path, name: str, entry: FileEntry) -> str | None:
    if Path(name).name != name or name in ("", ".."):
        return f"{name}: a file's name may not contain a folder"
    try:
        size = (path / name).stat().st_size
    except OSError as error:
        return f"{name}: {error.strerror}"
    if size != entry.size_bytes:
        return f"{name}: {size} bytes, the manifest says {entry.size_bytes}"
    return None


def _content_fault(
    path: Path, name: str, entry: FileEntry, sealer: Sealer | None, verification: Verification
) -> str | None:
    """Read a file, into sealed memory where there is a sealer; hash it unless it is known."""
    file = path / name
    try:
        before = identity_of(file)
        is_known = verification.is_known(name, before)
        sha256 = None
        if sealer is not None:
            sha256 = sealer.copy(name, file, hashes=not is_known)
        elif not is_known:
            sha256 = sha256_of(file)
        is_unchanged = identity_of(file) == before
    except OSError as error:
        return f"{name}: {error.strerror}"
    if is_known:
        return None if is_unchanged else f"{name}: it changed while it was read: load it again"
    if sha256 != entry.sha256:
        return f"{name}: sha256 differs from the manifest"
    if is_unchanged:
        verification.hashed[name] = before
    return None


def _open_tokenizer(path: Path, manifest: Manifest) -> "Tokenizer":
    from bundle.tokenizer import Tokenizer  # here, so that engines do not import SentencePiece

    source = path / SOURCE_TOKENIZER_NAME
    target = path / TARGET_TOKENIZER_NAME if TARGET_TOKENIZER_NAME in manifest.files else None
    return Tokenizer(source, target, manifest.special_ids, manifest.architecture)


def _load_tokenizer(path: Path, manifest: Manifest, faults: list[str]) -> "Tokenizer | None":
    try:
        tokenizer = _open_tokenizer(path, manifest)
    except (OSError, RuntimeError) as error:
        faults.append(f"tokenizer: {error}")
        return None
    faults += _tokenizer_faults(tokenizer, manifest)
    return tokenizer


def _tokenizer_faults(tokenizer: "Tokenizer", manifest: Manifest) -> list[str]:
    is_foreign = manifest.provenance.foreign is not None
    faults = tokenizer.faults(may_have_more=is_foreign)
    faults += [
        f"tokenizer: no piece {pair.source_prefix!r}, the prefix of {pair}"
        for pair in manifest.pairs
        if pair.source_prefix and not tokenizer.has_source_piece(pair.source_prefix)
    ]
    unknown = manifest.special_ids.unk
    faults += [
        f"tokenizer: no piece {piece!r} on both sides, a placeholder"
        for piece in manifest.placeholders
        if not tokenizer.has_source_piece(piece) or tokenizer.target_id(piece) == unknown
    ]
    return faults


def _load_shortlist(
    path: Path, manifest: Manifest, tokenizer: "Tokenizer", faults: list[str]
) -> ShortlistTable | None:
    try:
        table = read_table(path / SHORTLIST_TABLE_NAME)
    except ValueError as error:
        faults.append(f"{SHORTLIST_TABLE_NAME}: {error}")
        return None
    found = table_faults(table, manifest, tokenizer.source_vocab_size)
    faults += [f"{SHORTLIST_TABLE_NAME}: {fault}" for fault in found]
    return table


def _load_known_words(path: Path, manifest: Manifest, faults: list[str]) -> dict[str, WordFilter]:
    try:
        content = (path / KNOWN_WORDS_NAME).read_bytes()
    except OSError as error:
        faults.append(f"{KNOWN_WORDS_NAME}: {error.strerror}")
        return {}
    return cut_filters(content, manifest.known_words)
