"""Texts that are in the target language already."""

from collections.abc import AsyncIterator, Sequence

from service.translation.values import SentenceTranslation, TranslateResult, Translation


class CopyingTranslator:
    """Returns every text as it is, without sentences: no model runs."""

    def __init__(self, language: str) -> None:
        self.languages = (language, language)

    async def translate(
        self,
        texts: Sequence[str],
        prefixes: Sequence[str] | None,  # noqa: ARG002 - as in TextTranslator
    ) -> TranslateResult:
        """The texts themselves; prefixes are of no use."""
        return TranslateResult(translations=tuple(Translation(text=text) for text in texts))

    async def stream(
        self,
        text: str,
        num_sentences: int,  # noqa: ARG002 - as in TextTranslator
    ) -> AsyncIterator[tuple[str, tuple[SentenceTranslation, ...]]]:
        """The text in one part."""
        yield text, ()
