"""Splits a corpus into parts of whole lines and translates one part; knows nothing of Ray."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from service.errors import InvalidRequestError
from service.observability.metrics import Metrics
from service.server.parts import create_translator, open_registry
from service.settings import Settings
from service.translation.values import TranslateRequest

PART_BYTES = 262_144
"""Size of a part: seconds of work, so that little is lost with a machine, and enough sentences that
batches are seldom underfull at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A byte range of a file that holds whole lines."""

    path: Path
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusWork:
    """What to do with every line of a corpus."""

    request: TranslateRequest
    """The request, without its texts."""
    prefix: str | None = None
    """Text that every translation must begin with."""

    def request_for(self, texts: Sequence[str]) -> TranslateRequest:
        """The request for `texts`; a blank line gets no prefix."""
        prefix = self.prefix
        prefixes = tuple(prefix if text.strip() else "" for text in texts) if prefix else None
        return replace(self.request, texts=tuple(texts), prefixes=prefixes)


def parts_of(files: Sequence[Path], part_bytes: int = PART_BYTES) -> Iterator[Part]:
    """Yields parts that cover every line once, in order; a line over `part_bytes` is one part."""
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
    """Translates one part at a time, with its own copy of the models."""

    def __init__(self, settings: Settings, work: CorpusWork) -> None:
        """Load the bundles.

        Raises:
            StartupError: A bundle fails its checks.
        """
        metrics = Metrics()
        settings = settings.with_threads()  # a replica is a process of its own already
        self._work = work
        self._registry = open_registry(settings, metrics)
        self._translator = create_translator(settings, self._registry, metrics)
        self._registry.start()

    def close(self) -> None:
        """Stop the models."""
        self._translator.close()
        self._registry.close()

    def translate(self, part: Part) -> bytes:
        """The translated lines of a part, UTF-8; alternatives follow on the line, after tabs.

        Raises:
            ServiceError: A line cannot be translated.
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
