"""The seam between texts and models: what translates the sentences of a text, with one or two."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from service.translation.sentences.source_text import SourceSentence, TextReader
from service.translation.sentences.target_text import TranslatedSentence
from service.translation.timings import Runs


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedSentences:
    """Sentences that were translated together."""

    sentences: list[TranslatedSentence]
    """One for each source, in order."""
    runs: Runs
    """What each model did for them."""


class SentenceTranslator(Protocol):
    """Translates sentences from one language to another, with one model or with two."""

    @property
    def reader(self) -> TextReader:
        """Reads texts for the first model."""

    @property
    def languages(self) -> tuple[str, str]:
        """Codes of source and target."""

    async def translate(self, sentences: Sequence[SourceSentence]) -> TranslatedSentences:
        """Translates all sentences, or none."""

    async def linked(self, sentences: Sequence[TranslatedSentence]) -> list[TranslatedSentence]:
        """Links the words of translations that no model has made, where a model can."""
