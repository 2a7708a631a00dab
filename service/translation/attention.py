"""Attention of our own translations: each text translated, and its sentences inspected."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from service.errors import InvalidRequestError
from service.inspection.values import AttentionRequest, InspectedPair, InspectedSentence
from service.translation.values import TranslateRequest, TranslateResult, Translation


def check_translations(request: AttentionRequest) -> None:
    """Rejects translations that are not one for each text.

    Raises:
        InvalidRequestError: Names both numbers.
    """
    for name, given in (("translations", request.translations), ("contrasts", request.contrasts)):
        if given is not None and len(given) != len(request.texts):
            raise InvalidRequestError(
                f"Invalid request: {len(request.texts)} texts, but {len(given)} {name}: "
                "send one for each"
            )


async def with_translations(
    request: AttentionRequest,
    translate: Callable[[TranslateRequest], Awaitable[TranslateResult]],
) -> AttentionRequest:
    """The request with our translations, unless it has others.

    Raises:
        ServiceError: The error of `translate`.
    """
    if request.translations is not None:
        return request
    result = await translate(
        TranslateRequest(
            texts=request.texts,
            source=request.source,
            target=request.target,
            without_heads=request.without_heads,
            timeout_s=request.timeout_s,
            client=request.client,
        )
    )
    return replace(request, translations=tuple(t.text for t in result.translations))


async def translate_with_attention(
    request: AttentionRequest,
    translate: Callable[[TranslateRequest], Awaitable[TranslateResult]],
) -> list[InspectedPair]:
    """Translates the texts of a request and returns the attention of every sentence.

    Args:
        request: Without translations.
        translate: Translates with attention.

    Raises:
        ServiceError: The error of `translate`.
    """
    result = await translate(
        TranslateRequest(
            texts=request.texts,
            source=request.source,
            target=request.target,
            attention=request.selection,
            with_alignment=True,
            without_heads=request.without_heads,
            timeout_s=request.timeout_s,
            client=request.client,
        )
    )
    return [
        _inspected_pair(text, translation)
        for text, translation in zip(request.texts, result.translations, strict=True)
    ]


def _inspected_pair(text: str, translation: Translation) -> InspectedPair:
    """A text and its translation, as far as a model translated it."""
    return InspectedPair(
        source=text,
        translation=translation.text,
        sentences=tuple(
            InspectedSentence(
                source=sentence.source,
                translation=sentence.translation,
                source_span=sentence.source_span,
                target_span=sentence.target_span,
                links=sentence.alignment or (),
                attention=sentence.attention,
            )
            for sentence in translation.sentences
            if sentence.attention
        ),
    )
