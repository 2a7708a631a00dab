"""The one way in which the dialects translate: limits, charge, and the language of each text."""

from dataclasses import dataclass

from fastapi import Request

from bundle.languages import best_match
from service.api.dependencies import Caller, Parts
from service.api.parameters import check_texts
from service.api.served_languages import targets_by_source
from service.scheduling.limits import Client
from service.text.markup.passage import MarkupOptions
from service.translation.values import StageTimes, TranslateRequest, Translation


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
        work = parts.translator.translate(_translate_request(asked, parts, account.client))
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
