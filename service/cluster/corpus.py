"""A corpus in parts that many processes translate: line by line, and byte for byte in its place."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from service.errors import InvalidRequestError
from service.observability.metrics import Metrics
from service.server.app import create_translator, open_registry
from service.settings import Settings
from service.translation.values import TranslateRequest

PART_BYTES = 262_144
"""About as much as an engine translates at once: seconds of work, so that little is lost with it
and its batches are seldom half empty for want of the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Whole lines of a file, from a byte to a byte."""

    path: Path
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusWork:
    """What is to be done with every line."""

    request: TranslateRequest
    """All but the texts."""
    prefix: str | None = None
    """What every translation begins with."""

    def request_for(self, texts: Sequence[str]) -> TranslateRequest:
        """The same with texts; a blank line begins with nothing."""
        prefix = self.prefix
        prefixes = tuple(prefix if text.strip() else "" for text in texts) if prefix else None
        return replace(self.request, texts=tuple(texts), prefixes=prefixes)


def parts_of(files: Sequence[Path], part_bytes: int = PART_BYTES) -> Iterator[Part]:
    """Every line of every file once, in order; a longer line is a part of its own."""
    for path in files:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = 0
            while start < size:
                file.seek(start + part_bytes - 1)
                file.readline()
                end = min(file.tell(), size)
                yield Part(path=path, start=start, end=end)
                start = end


class CorpusTranslator:
    """Translates parts, one after another; what one process of many does."""

    def __init__(self, settings: Settings, work: CorpusWork) -> None:
        """Load the bundles.

        Raises:
            StartupError: A bundle does not pass.
        """
        metrics = Metrics()
        self._work = work
        self._registry = open_registry(settings, metrics)
        self._translator = create_translator(settings, self._registry, metrics)
        self._registry.start()

    def close(self) -> None:
        """Stop everything."""
        self._translator.close()
        self._registry.close()

    def translate(self, part: Part) -> bytes:
        """The lines of a part, translated; alternatives behind them, separated by tabs.

        Raises:
            ServiceError: A line could not be translated.
        """
        texts = _read(part).split("\n")
        result = asyncio.run(self._translator.translate(self._work.request_for(texts)))
        return "\n".join("\t".join((t.text, *t.alternatives)) for t in result.translations).encode()


def _read(part: Part) -> str:
    with part.path.open("rb") as file:
        file.seek(part.start)
        data = file.read(part.end - part.start)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        where = part.start + error.start
        raise InvalidRequestError(f"{part.path} is not UTF-8 at byte {where}") from None
