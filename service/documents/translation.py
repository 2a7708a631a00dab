"""Translates a document string by string, a little of it at a time."""

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
"""Enough to fill the workers together with the other batches; little enough to see progress."""
_MAX_BATCH_STRINGS = 64
_MAX_BATCHES_AT_ONCE = 4
_MAX_TRIES = 60
"""Of a batch for which there is no room; far more than a service that still works needs."""
_SAMPLE_CHARS = 1_000
"""Of a document's beginning that tell its language."""


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
    """Translate what is not done yet, and write the document.

    Waits and tries again where the service has no room. A document has one language: where it is to
    be found out, it is found out once.

    Args:
        document: What is to translate.
        options: How; its texts and markup are not looked at.
        translate: Translates some texts.
        done: Translations that are there already, by the number of their string.
        on_batch: Is told further translations as they come, in any order.
        sleep: Waits for so many seconds.

    Raises:
        ServiceError: A string could not be translated; those told before are good.
    """
    translations = dict(done or {})
    missing = [index for index in range(len(document.strings)) if index not in translations]
    patient = _Patient(translate, sleep)
    if options.source == "auto" and missing:
        options = replace(options, source=await _language(document, options, patient))
    batches = _batches(document.strings, missing, options)

    async def work() -> None:
        for batch in batches:
            result = await patient.translate(batch.request)
            texts = (translation.text for translation in result.translations)
            new = dict(zip(batch.indices, texts, strict=True))
            translations.update(new)
            on_batch(new)

    await _all_or_none([work() for _ in range(_MAX_BATCHES_AT_ONCE)])
    return await asyncio.to_thread(
        document.write, [translations[index] for index in range(len(document.strings))]
    )


class _Patient:
    """Tries again where there is no room."""

    def __init__(self, translate: Translate, sleep: Sleep) -> None:
        self._translate = translate
        self._sleep = sleep

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        """Translate some texts."""
        for number in count(1):
            try:
                return await self._translate(request)
            except OverloadedError as error:
                if number == _MAX_TRIES:
                    raise
                await self._sleep(error.retry_after_s)
        raise AssertionError("count never ends")


async def _all_or_none(work: Sequence[Awaitable[None]]) -> None:
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _language(document: Document, options: TranslateRequest, patient: _Patient) -> str:
    """What the beginning of a document is written in."""
    sample = ""
    for string in document.strings:
        if len(sample) >= _SAMPLE_CHARS:
            break
        sample += string.text[:_SAMPLE_CHARS] + "\n"
    # A translation says what it was translated from; of this one nothing else is wanted.
    request = replace(options, texts=(sample,), splitting="none", max_target_tokens=1, markup=None)
    (translation,) = (await patient.translate(request)).translations
    return translation.detected.language if translation.detected else options.source


def _batches(
    strings: Sequence[DocumentString], missing: Sequence[int], options: TranslateRequest
) -> Iterator[_Batch]:
    """Neighbours of one format together, up to a size."""
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
