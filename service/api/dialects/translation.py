"""The one way in which the dialects translate: limits, charge, and the language of each text."""

from dataclasses import dataclass, replace

from fastapi import Request

from bundle.languages import best_match
from service.api.dependencies import Caller, Parts
from service.api.requests.parameters import check_texts
from service.api.served_languages import AUTO, targets_by_source
from service.errors import UnsupportedLanguageError
from service.scheduling.limits import Client
from service.text.detection import Detection
from service.text.markup.passage import MarkupOptions
from service.translation.values import (
    StageTimes,
    TranslateRequest,
    TranslateResult,
    Translation,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedTexts:
    """What a client asks for, whatever its dialect calls it."""

    texts: tuple[str, ...]
    source: str
    """A language code, or `auto`."""
    target: str
    markup: MarkupOptions | None = None
    """None: plain text."""
    num_alternatives: int = 0
    key: object = ""
    """A key among the parameters."""
    name: str = "text"
    """The parameter that holds the texts."""
    keeps_foreign: bool = False
    """Whether a text of several in a language that is not translated stays as it is: a page may
    quote any language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedTexts:
    """The translations, in the order of the texts."""

    translations: tuple[Translation, ...]
    sources: tuple[str, ...]
    """Language of each text: found out, or else the served one that was asked for."""
    times: StageTimes


async def translate_texts(
    request: Request, caller: Caller, parts: Parts, asked: AskedTexts
) -> TranslatedTexts:
    """Translate all texts, or none; every character counts for the key.

    Raises:
        ServiceError: See `service.errors`.
    """
    account = await caller.account(asked.key, within_s=_time_limit_s(parts))
    check_texts(asked.texts, parts.settings, name=asked.name)
    async with account.charged(sum(map(len, asked.texts))):
        work = _translated(asked, _translate_request(asked, parts, account.client), parts)
        result = await parts.in_flight.run(request, account.client, work)
    named = best_match(asked.source, targets_by_source(parts.registry)) or asked.source
    return TranslatedTexts(
        translations=result.translations,
        sources=tuple(
            named if each.detected is None else each.detected.language
            for each in result.translations
        ),
        times=result.times,
    )


def spare_alternatives(parts: Parts, most: int) -> int:
    """Further translations that the default beams have found anyway.

    More would widen the beam, and the first translation might be another than elsewhere.
    """
    beams = [each.bundle.manifest.decoding.beam_size for each in parts.registry.served]
    return max(0, min([most, parts.settings.max_alternatives, *(beam - 1 for beam in beams)]))


async def _translated(asked: AskedTexts, wanted: TranslateRequest, parts: Parts) -> TranslateResult:
    try:
        return await parts.translator.translate(wanted)
    except UnsupportedLanguageError:
        if not asked.keeps_foreign or asked.source != AUTO:
            raise
        foreign = await _foreign(wanted, parts)
        if not 0 < len(foreign) < len(wanted.texts):
            raise
    rest = tuple(text for i, text in enumerate(wanted.texts) if i not in foreign)
    result = await parts.translator.translate(replace(wanted, texts=rest))
    translations = iter(result.translations)
    merged = [
        Translation(text=text, detected=foreign[i]) if i in foreign else next(translations)
        for i, text in enumerate(wanted.texts)
    ]
    return replace(result, translations=tuple(merged))


async def _foreign(wanted: TranslateRequest, parts: Parts) -> dict[int, Detection]:
    """Texts in languages that are neither the target nor translated to it, by their index."""
    known = [*parts.registry.routes.sources_of(wanted.target), wanted.target]
    likeliest = [(await parts.translator.detect(text))[0] for text in wanted.texts]
    return {
        index: detection
        for index, detection in enumerate(likeliest)
        if best_match(detection.language, known) is None
    }


def _translate_request(asked: AskedTexts, parts: Parts, client: Client) -> TranslateRequest:
    return TranslateRequest(
        texts=asked.texts,
        source=asked.source,
        target=asked.target,
        markup=asked.markup,
        num_alternatives=asked.num_alternatives,
        with_scores=False,
        timeout_s=_time_limit_s(parts),
        client=client,
    )


def _time_limit_s(parts: Parts) -> float:
    return parts.settings.deadline_ms / 1000
