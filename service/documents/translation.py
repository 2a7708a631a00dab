"""Translates a document in small batches of strings."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Protocol, TypeVar

from service.documents.document import ParsedFile
from service.documents.processes.strings_file import SourceString
from service.errors import OverloadedError, UnsupportedLanguageError
from service.text.language_names import name_of
from service.text.markup.passage import MarkupOptions
from service.translation.values import TranslateRequest, TranslateResult

Translate = Callable[[TranslateRequest], Awaitable[TranslateResult]]
OnBatch = Callable[[Mapping[int, str]], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]
Result = TypeVar("Result")

_MAX_BATCH_CHARS = 2_000
"""Large enough to fill the workers with all concurrent batches, small enough to show progress."""
_MAX_BATCH_STRINGS = 64
_MAX_CONCURRENT_BATCHES = 4
_MAX_ATTEMPTS = 60
"""Attempts for a batch that is refused with 429; far more than a working service needs."""
_SAMPLE_CHARS = 1_000
"""Characters at the beginning of a document from which its language is detected."""


class Call(Protocol):
    """Calls a function, in this thread or in another."""

    async def __call__(self, function: Callable[[], Result]) -> Result:
        """What the function returns."""


async def _directly(function: Callable[[], Result]) -> Result:
    return function()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    indices: tuple[int, ...]
    request: TranslateRequest


async def translate_document(
    document: ParsedFile,
    options: TranslateRequest,
    translate: Translate,
    *,
    done: Mapping[int, str] | None = None,
    on_batch: Callable[[Mapping[int, str]], None] = lambda _: None,
    sleep: Sleep = asyncio.sleep,
) -> bytes:
    """Translate the strings that are not done yet; returns the bytes of the document.

    Args:
        document: The document to translate.
        options: How to translate; its texts and markup are ignored.
        translate: Translates texts.
        done: Existing translations by the index of their string.
        on_batch: Called with further translations as they arrive, in any order.
        sleep: Waits for some seconds.

    Raises:
        ServiceError: A string cannot be translated; those passed to `on_batch` are valid.
    """
    translations = dict(done or {})

    async def keep(new: Mapping[int, str]) -> None:
        translations.update(new)
        on_batch(new)

    strings = [
        SourceString(index=index, text=string.text, format=string.format)
        for index, string in enumerate(document.iter_strings())
    ]
    missing = [string for string in strings if string.index not in translations]
    beginning = sample_of(strings) if missing else ""
    await translate_strings(missing, options, translate, beginning, on_batch=keep, sleep=sleep)
    ordered = [translations[index] for index in range(len(strings))]
    return await asyncio.to_thread(document.write, ordered, options.target)


async def translate_strings(
    strings: Iterable[SourceString],
    options: TranslateRequest,
    translate: Translate,
    beginning: str,
    *,
    on_batch: OnBatch,
    call: Call = _directly,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Translate strings in small batches, a few at a time.

    Retries after a wait when the service is overloaded. The language of a document is detected
    once, from its beginning.

    Args:
        strings: Taken as they are needed, so that a document need not be in memory.
        options: How to translate; its texts and markup are ignored.
        translate: Translates texts.
        beginning: The beginning of the document; without one there is nothing to translate.
        on_batch: Awaited with translations by index as they arrive, in any order.
        call: Calls what takes the next strings, in a thread if that reads a file.
        sleep: Waits for some seconds.

    Raises:
        ServiceError: A string cannot be translated; those passed to `on_batch` are valid.
    """
    retrying = _Retrying(translate, sleep)
    if options.source == "auto" and beginning:
        options = replace(options, source=await _language(beginning, options, retrying))
    batches = _batches(strings, options)
    turn = asyncio.Lock()

    async def next_batch() -> _Batch | None:
        async with turn:
            return await call(lambda: next(batches, None))

    async def work() -> None:
        while batch := await next_batch():
            result = await retrying.translate(batch.request)
            texts = (translation.text for translation in result.translations)
            await on_batch(dict(zip(batch.indices, texts, strict=True)))

    await _gather_or_cancel([work() for _ in range(_MAX_CONCURRENT_BATCHES)])


def sample_of(strings: Iterable[SourceString]) -> str:
    """The beginning of a document, to detect its language."""
    sample = ""
    for string in strings:
        if len(sample) >= _SAMPLE_CHARS:
            break
        sample += string.text[:_SAMPLE_CHARS] + "\n"
    return sample


class _Retrying:
    """Retries when the service is overloaded."""

    def __init__(self, translate: Translate, sleep: Sleep) -> None:
        self._translate = translate
        self._sleep = sleep

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        """Translate texts."""
        for number in count(1):
            try:
                return await self._translate(request)
            except OverloadedError as error:
                if number == _MAX_ATTEMPTS:
                    raise
                await self._sleep(error.retry_after_s)
        raise AssertionError("count never ends")


async def _gather_or_cancel(work: Sequence[Awaitable[None]]) -> None:
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _language(sample: str, options: TranslateRequest, retrying: _Retrying) -> str:
    """The language of the beginning of a document."""
    # A translation reports its source language, and only that is used here.
    request = replace(options, texts=(sample,), splitting="none", max_target_tokens=1, markup=None)
    (translation,) = (await retrying.translate(request)).translations
    language = translation.detected.language if translation.detected else options.source
    if translation.detected and language == options.target.lower():
        raise UnsupportedLanguageError(
            f"the file is in {name_of(language)} already: name another target"
        )
    return language


def _batches(strings: Iterable[SourceString], options: TranslateRequest) -> Iterator[_Batch]:
    """Batches of adjacent strings of one format, up to a size."""
    batch: list[SourceString] = []
    size = 0
    for string in strings:
        is_full = size + len(string.text) > _MAX_BATCH_CHARS or len(batch) == _MAX_BATCH_STRINGS
        if batch and (is_full or string.format != batch[0].format):
            yield _batch(batch, options)
            batch, size = [], 0
        batch.append(string)
        size += len(string.text)
    if batch:
        yield _batch(batch, options)


def _batch(strings: Sequence[SourceString], options: TranslateRequest) -> _Batch:
    is_html = strings[0].format == "html"
    request = replace(
        options,
        texts=tuple(string.text for string in strings),
        markup=MarkupOptions(kind="html") if is_html else None,
    )
    return _Batch(indices=tuple(string.index for string in strings), request=request)
