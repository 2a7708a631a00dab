"""OPUS-MT: repositories on the Hugging Face hub, or a mirror of it (`HF_ENDPOINT`)."""

import re
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from export.errors import InstallError
from export.importers.languages import language_code
from export.installation.offers import (
    Digest,
    Offer,
    Pair,
    RemoteFile,
    checked_digest,
    checked_name,
    checked_size,
)
from export.installation.settings import InstallSettings

NAME = "opus"
_AUTHOR = "Helsinki-NLP"
_FAMILIES = ("opus-mt-", "opus-mt-tc-base-", "opus-mt-tc-big-")
"""From the smallest to the best."""
_NAME = re.compile(rf"{_AUTHOR}/(opus-mt-(?:tc-base-|tc-big-)?)([a-z]{{2,3}})-([a-z]{{2,3}})")
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Files of weights, the preferred one first: the second is a pickle, which takes torch."""
_MISSING = (401, 404)
"""Statuses of a repository that does not exist; without a token the hub answers 401."""
_WANTED = (
    "config.json",
    "generation_config.json",
    "source.spm",
    "target.spm",
    "tokenizer_config.json",
    "vocab.json",
    "target_vocab.json",
)


class OpusSource:
    """Models of the University of Helsinki, in the format of `transformers`."""

    name = NAME

    def __init__(self, settings: InstallSettings) -> None:
        self._endpoint = settings.opus_index.rstrip("/")
        self._timeout_s = settings.timeout_s

    def offers(self, pair: Pair | None = None) -> list[Offer]:
        """See `Source`; without a pair, no files."""
        hub = _hub(self._endpoint)
        return self._all(hub) if pair is None else self._of(hub, pair)

    def _all(self, hub: ModuleType) -> list[Offer]:
        api = hub.HfApi(endpoint=self._endpoint)
        try:
            names = [model.id for model in api.list_models(author=_AUTHOR, search="opus-mt")]
        except _network_errors() as error:
            raise self._unreachable(error) from error
        matches = [found for name in names if (found := _NAME.fullmatch(name))]
        return [
            Offer(
                origin=NAME,
                pair=Pair(source=found[2], target=found[3]),
                kind="hf-marian",
                model=found[0].partition("/")[2],
                version="-",
                licence=None,
                rank=(_FAMILIES.index(found[1]),),
            )
            for found in matches
            if language_code(found[2]) and language_code(found[3]) and found[2] != found[3]
        ]

    def _of(self, hub: ModuleType, pair: Pair) -> list[Offer]:
        """Its repositories; their names have no scripts and regions."""
        found = []
        for rank, family in enumerate(_FAMILIES):
            info = self._info(hub, f"{_AUTHOR}/{family}{pair.primary}")
            offer = self._offer(hub, info, pair.primary, rank) if info is not None else None
            found += [offer] if offer else []
        return found

    def _info(self, hub: ModuleType, repository: str) -> Any:  # noqa: ANN401
        from huggingface_hub.errors import HfHubHTTPError

        api = hub.HfApi(endpoint=self._endpoint)
        try:
            return api.model_info(repository, files_metadata=True, timeout=self._timeout_s)
        except HfHubHTTPError as error:
            if error.response is not None and error.response.status_code in _MISSING:
                return None
            raise self._unreachable(error) from error
        except _network_errors() as error:
            raise self._unreachable(error) from error

    def _offer(self, hub: ModuleType, info: Any, pair: Pair, rank: int) -> Offer | None:  # noqa: ANN401
        files = {sibling.rfilename: sibling for sibling in info.siblings or ()}
        weights = [name for name in _WEIGHTS if name in files][:1]
        if not weights:
            return None
        try:
            chosen = tuple(
                self._file(hub, info, files[name])
                for name in (*weights, *(n for n in _WANTED if n in files))
            )
        except ValueError as error:
            raise InstallError(f"{self._endpoint} describes {info.id} wrongly: {error}") from error
        return Offer(
            origin=NAME,
            pair=pair,
            kind="hf-marian",
            model=info.id.partition("/")[2],
            version=str(info.sha)[:8],
            licence=_licence(info),
            rank=(rank,),
            files=chosen,
        )

    def _file(self, hub: ModuleType, info: Any, sibling: Any) -> RemoteFile:  # noqa: ANN401
        url = hub.hf_hub_url(info.id, sibling.rfilename, revision=info.sha, endpoint=self._endpoint)
        return RemoteFile(
            name=checked_name(sibling.rfilename),
            url=url,
            size_bytes=checked_size(sibling.size),
            digest=_digest(sibling),
        )

    def _unreachable(self, error: Exception) -> InstallError:
        from huggingface_hub.errors import HfHubHTTPError

        first = str(error).partition("\n")[0]
        reason = first if isinstance(error, HfHubHTTPError) else type(error).__name__
        return InstallError(
            f"{self._endpoint} cannot be read ({reason}): check the network and https_proxy, name "
            "a mirror with HF_ENDPOINT, or take another source with --from"
        )


def _hub(endpoint: str) -> ModuleType:
    try:
        return import_module("huggingface_hub")
    except ModuleNotFoundError as error:
        raise InstallError(
            f"models of OPUS-MT are found with huggingface_hub: pip install huggingface_hub "
            f"({endpoint}), or take another source with --from"
        ) from error


def _network_errors() -> tuple[type[Exception], ...]:
    """What the hub's client raises; from its version 1, it uses httpx."""
    from huggingface_hub.errors import HfHubHTTPError

    httpx = sys.modules.get("httpx")
    return (OSError, HfHubHTTPError, ValueError, *((httpx.HTTPError,) if httpx else ()))


def _digest(sibling: Any) -> Digest | None:  # noqa: ANN401
    """Of a large file its sha256; of a small one the hub knows only its name in Git."""
    if sibling.lfs is not None:
        return checked_digest(sibling.lfs.sha256, "sha256")
    return checked_digest(sibling.blob_id, "git-sha1")


def _licence(info: Any) -> str | None:  # noqa: ANN401
    data = info.card_data
    licence = data.get("license") if data is not None else None
    return str(licence) if licence else None
