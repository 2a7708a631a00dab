"""Translates a document in small batches of strings."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from service.documents.document import Document, DocumentString
from service.errors import OverloadedError
from service.text.markup.passage import MarkupOptions
from service.translation.values import TranslateRequest, TranslateResult

Translate = Callable[[TranslateRequest], Awaitable[TranslateResult]]
OnBatch = Callable[[Mapping[int, str]], None]
Sleep = Callable[[float], Awaitable[None]]

_MAX_BATCH_CHARS = 2_000
"""Large enough to fill the workers with all concurrent batches, small enough to show progress."""
_MAX_BATCH_STRINGS = 64
_MAX_CONCURRENT_BATCHES = 4
_MAX_ATTEMPTS = 60
"""Attempts for a batch that is refused with 429; far more than a working service needs."""
_SAMPLE_CHARS = 1_000
"""Characters at the beginning of a document from which its language is detected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    indices: tuple[int, ...]
    request: TranslateRequest


async def translate_document(
    document: Document,
    options: TranslateRequest,
    translate: Translate,
    *,
    done: Mapping[int, str] | None = None,
    on_batch: OnBatch = lambda _: None,
    sleep: Sleep = asyncio.sleep,
) -> bytes:
    """Translate the strings that are not done yet; returns the bytes of the document.

    Retries after a wait when the service is overloaded. The language of a document is detected
    once, from its beginning.

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
    missing = [index for index in range(len(document.strings)) if index not in translations]
    retrying = _Retrying(translate, sleep)
    if options.source == "auto" and missing:
        options = replace(options, source=await _language(document, options, retrying))
    batches = _batches(document.strings, missing, options)

    async def work() -> None:
        for batch in batches:
            result = await retrying.translate(batch.request)
            texts = (translation.text for translation in result.translations)
            new = dict(zip(batch.indices, texts, strict=True))
            translations.update(new)
            on_batch(new)

    await _gather_or_cancel([work() for _ in range(_MAX_CONCURRENT_BATCHES)])
    return await asyncio.to_thread(
        document.write, [translations[index] for index in range(len(document.strings))]
    )


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


async def _language(document: Document, options: TranslateRequest, retrying: _Retrying) -> str:
    """The language of the beginning of a document."""
    sample = ""
    for string in document.strings:
        if len(sample) >= _SAMPLE_CHARS:
            break
        sample += string.text[:_SAMPLE_CHARS] + "\n"
    # A translation reports its source language, and only that is used here.
    request = replace(options, texts=(sample,), splitting="none", max_target_tokens=1, markup=None)
    (translation,) = (await retrying.translate(request)).translations
    return translation.detected.language if translation.detected else options.source


def _batches(
    strings: Sequence[DocumentString], missing: Sequence[int], options: TranslateRequest
) -> Iterator[_Batch]:
    """Batches of adjacent strings of one format, up to a size."""
    indices: list[int] = []
    size = 0
    for index in missing:
        string = strings[index]
        is_full = size + len(string.text) > _MAX_BATCH_CHARS or len(indices) == _MAX_BATCH_STRINGS
        if indices and (is_full or string.format != strings[indices[0]].format):
            yield _batch(strings, indices, options)
            indices, size = [], 0
        indices.append(index)
        size += len(string.text)
    if indices:
        yield _batch(strings, indices, options)


def _batch(
    strings: Sequence[DocumentString], indices: Sequence[int], options: TranslateRequest
) -> _Batch:
    is_html = strings[indices[0]].format == "html"
    request = replace(
        options,
        texts=tuple(strings[index].text for index in indices),
        markup=MarkupOptions(kind="html") if is_html else None,
    )
    return _Batch(indices=tuple(indices), request=request)
