"""Packages of Argos Translate: an index that is a JSON list. It has neither sizes nor digests."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from export.importers.languages import language_code
from export.installation.offers import Offer, Pair, RemoteFile, checked_name
from export.installation.settings import InstallSettings
from export.installation.sources.index_json import beside, expected, read_json
from export.installation.transfer import Transfers, is_url

NAME = "argos"
_SCHEMA = "an index of Argos Translate"
_CODES = {"zt": "zh-hant", "zh": "zh-hans", "pb": "pt-br"}
"""Codes that only Argos has."""
_VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}")


class ArgosSource:
    """Models that Argos Translate and LibreTranslate translate with."""

    name = NAME

    def __init__(self, settings: InstallSettings, transfers: Transfers) -> None:
        self._index = settings.argos_index
        self._transfers = transfers

    def offers(self, pair: Pair | None = None) -> list[Offer]:
        """See `Source`."""
        content = read_json(self._transfers, self._index)
        with expected(self._index, _SCHEMA):
            if not isinstance(content, list):
                raise TypeError("no list")
            found = [self._offer(package) for package in content if _is_translator(package)]
        return [offer for offer in found if offer and (pair is None or pair.fits(offer.pair))]

    def _offer(self, package: Mapping[str, Any]) -> Offer | None:
        source, target = _code(package["from_code"]), _code(package["to_code"])
        links = [beside(self._index, link) for link in package.get("links", ())]
        usable = [link for link in links if is_url(link) or not urlsplit(link).scheme]
        if not source or not target or source == target or not usable:
            return None
        version = str(package["package_version"])
        if not _VERSION.fullmatch(version):
            raise ValueError(f"{version!r} is no version")
        name = checked_name(urlsplit(usable[0]).path.rpartition("/")[2])
        return Offer(
            origin=NAME,
            pair=Pair(source=source, target=target),
            kind="ctranslate2",
            model=str(package.get("code") or name),
            version=version,
            licence=None,
            rank=tuple(int(part) for part in version.split(".")),
            files=(RemoteFile(name=name, url=usable[0], packing="zip"),),
        )


def _is_translator(package: Mapping[str, Any]) -> bool:
    """Whether it is no tool of another kind, such as a splitter of sentences."""
    return bool(package.get("type", "translate") == "translate")


def _code(value: str) -> str | None:
    return _CODES.get(value) or language_code(value)
