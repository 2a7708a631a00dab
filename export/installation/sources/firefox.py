"""Firefox's students: Mozilla's Remote Settings records, or its `models.json`."""

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from export.importers.languages import language_code
from export.installation.offers import (
    Offer,
    Pair,
    RemoteFile,
    checked_digest,
    checked_name,
    checked_size,
)
from export.installation.settings import InstallSettings
from export.installation.sources.index_json import below, beside, expected, read_json
from export.installation.transfer import Transfers, is_url

NAME = "firefox"
LICENCE = "MPL-2.0"
_KIND = "firefox"
_RECORDS = "a list of Remote Settings records"
_MODELS = "Mozilla's models.json"
_ARCHITECTURES = ("tiny", "base-memory", "base")
"""From the smallest to the best; en-de on FLORES devtest: tiny 38.8 BLEU, base-memory 40.0."""
_MAX_MAJOR = 3
"""Highest major version of models whose format is read."""
_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})([a-z]\w*)?")
_PACKINGS = {".zst": "zstd", ".gz": "gzip"}
_VOCABULARIES = ({"vocab"}, {"srcvocab", "trgvocab"})
_FILE_TYPES = {
    "model": "model",
    "lexicalShortlist": "lex",
    "vocab": "vocab",
    "srcVocab": "srcvocab",
    "trgVocab": "trgvocab",
}
"""Names in `models.json`, and those of records."""
_CODES = {"zh": "zh-hans", "zh-hant": "zh-hant", "no": "nb"}
"""Codes of `models.json` as the records have them."""


class FirefoxSource:
    """Models that Firefox translates with."""

    name = NAME

    def __init__(self, settings: InstallSettings, transfers: Transfers) -> None:
        self._index = settings.firefox_index
        self._files = settings.firefox_files
        self._transfers = transfers

    def offers(self, pair: Pair | None = None) -> list[Offer]:
        """See `Source`."""
        content = read_json(self._transfers, self._index)
        if isinstance(content, dict) and "models" in content:
            with expected(self._index, _MODELS):
                found = list(self._listed(content))
        else:
            with expected(self._index, _RECORDS):
                found = list(self._recorded(content))
        return [offer for offer in found if pair is None or pair.fits(offer.pair)]

    def _recorded(self, content: Any) -> Iterator[Offer]:  # noqa: ANN401
        records = [record for record in content["data"] if _is_read(record)]
        base = self._attachments() if records else ""
        for key, group in groupby(sorted(records, key=_key), key=_key):
            files = _by_type(list(group))
            if "model" in files and any(v <= files.keys() for v in _VOCABULARIES):
                yield _offer(key, files, base)

    def _attachments(self) -> str:
        """Address that the locations of records are relative to."""
        if self._files:
            return self._files
        before, is_server, _ = self._index.partition("/v1/buckets/")
        if not is_url(self._index) or not is_server:
            return beside(self._index, ".")
        root = read_json(self._transfers, f"{before}/v1/")
        return str(root["capabilities"]["attachments"]["base_url"])

    def _listed(self, content: Mapping[str, Any]) -> Iterator[Offer]:
        base = self._files or beside(self._index, str(content["baseUrl"]))
        for models in content["models"].values():
            for model in models:
                offer = _listed_offer(model, base)
                if offer is not None:
                    yield offer


Key = tuple[str, str, str, str, bool]
"""Source, target, architecture, version, and whether it is released."""


def _key(record: Mapping[str, Any]) -> Key:
    source, target = _languages(record)
    # Records of the first collection name no architecture.
    architecture = record.get("architecture") or "tiny"
    is_released = not record.get("filter_expression") and not _version(record["version"])[2]
    return source, target, str(architecture), record["version"], is_released


def _is_read(record: Mapping[str, Any]) -> bool:
    """Whether a record is of a file that an import reads, in a version that is known."""
    is_file = record["fileType"] in _FILE_TYPES.values()
    return is_file and _version(record["version"])[0] <= _MAX_MAJOR


def _languages(record: Mapping[str, Any]) -> tuple[str, str]:
    names = ("sourceLanguage", "targetLanguage")
    if names[0] not in record:
        names = ("fromLang", "toLang")  # of the first collection
    return _code(record[names[0]]), _code(record[names[1]])


def _code(value: str) -> str:
    code = language_code(value)
    if code is None:
        raise ValueError(f"{value!r} is no language")
    return code


def _version(text: str) -> tuple[int, int, str]:
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no version")
    return int(found[1]), int(found[2]), found[3] or ""


def _by_type(records: list[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """One record of each type: of several lexicons the one with 50 candidates, as Firefox has."""
    ordered = sorted(records, key=lambda r: (".50.50." in r["name"], r.get("last_modified", 0)))
    return {record["fileType"]: record for record in ordered}


def _offer(key: Key, files: Mapping[str, Mapping[str, Any]], base: str) -> Offer:
    source, target, architecture, version, is_released = key
    major, minor, _ = _version(version)
    return Offer(
        origin=NAME,
        pair=Pair(source=source, target=target),
        kind=_KIND,
        model=architecture,
        version=version,
        licence=LICENCE,
        rank=(is_released, major, _quality(architecture), minor),
        is_released=is_released,
        files=tuple(_file(files[name], base) for name in _wanted(files)),
    )


def _wanted(files: Mapping[str, object]) -> list[str]:
    """Types of the files to download: a shared vocabulary is enough."""
    own = {"srcvocab", "trgvocab"} if "vocab" in files else set()
    return [name for name in _FILE_TYPES.values() if name in files and name not in own]


def _file(record: Mapping[str, Any], base: str) -> RemoteFile:
    attachment = record["attachment"]
    location = str(attachment["location"])
    name = checked_name(record["name"])
    suffix = _suffix(str(attachment["filename"]))
    return RemoteFile(
        name=name.removesuffix(suffix),
        url=below(base, location),
        size_bytes=checked_size(int(attachment["size"])),
        digest=checked_digest(attachment["hash"], "sha256"),
        packing=_PACKINGS.get(suffix),  # type: ignore[arg-type]
        unpacked_bytes=checked_size(record.get("decompressedSize")),
        unpacked_digest=checked_digest(record.get("decompressedHash"), "sha256"),
    )


def _suffix(name: str) -> str:
    return next((suffix for suffix in _PACKINGS if name.endswith(suffix)), "")


def _quality(architecture: str) -> int:
    """Place among the architectures; an unknown one is below all."""
    return _ARCHITECTURES.index(architecture) if architecture in _ARCHITECTURES else -1


def _listed_offer(model: Mapping[str, Any], base: str) -> Offer | None:
    files = {_FILE_TYPES[k]: v for k, v in model["files"].items() if v and k in _FILE_TYPES}
    if "model" not in files or not any(v <= files.keys() for v in _VOCABULARIES):
        return None
    source, target = _code(model["sourceLanguage"]), _code(model["targetLanguage"])
    is_released = str(model.get("releaseStatus") or "").startswith("Release")
    architecture = str(model["architecture"])
    return Offer(
        origin=NAME,
        pair=Pair(source=_CODES.get(source, source), target=_CODES.get(target, target)),
        kind=_KIND,
        model=architecture,
        version=str(model.get("releaseStatus") or "not released"),
        licence=LICENCE,
        rank=(is_released, 0, _quality(architecture), 0),
        is_released=is_released,
        files=tuple(_listed_file(files[name], base) for name in _wanted(files)),
    )


def _listed_file(file: Mapping[str, Any], base: str) -> RemoteFile:
    path = str(file["path"])
    suffix = _suffix(path)
    return RemoteFile(
        name=checked_name(path.rpartition("/")[2].removesuffix(suffix)),
        url=below(base, path),
        packing=_PACKINGS.get(suffix),  # type: ignore[arg-type]
        unpacked_bytes=checked_size(file.get("uncompressedSize")),
        unpacked_digest=checked_digest(file.get("uncompressedHash"), "sha256"),
    )
