"""Attention of our own translations: each text translated, and its sentences inspected."""

from collections.abc import Awaitable, Callable

from service.inspection.values import AttentionRequest, InspectedPair, InspectedSentence
from service.translation.values import TranslateRequest, TranslateResult, Translation


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
