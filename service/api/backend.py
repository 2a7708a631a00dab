"""What the API stands on: models in this process, or engines elsewhere in a cluster."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from service.inspection.values import AttentionRequest, InspectedPair, ScoredPair, ScoreRequest
from service.models.interfaces import Catalogue, Reloading
from service.text.detection import Detection
from service.translation.values import StreamedSentence, TranslateRequest, TranslateResult


class TranslationBackend(Protocol):
    """What translates and inspects; used from one event loop."""

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        """Translate all texts of a request, or none."""

    def stream(self, request: TranslateRequest) -> AsyncIterator[StreamedSentence]:
        """Translate texts one after another, a few sentences at a time."""

    async def detect(self, text: str) -> list[Detection]:
        """The served languages that a text may be in, best first."""

    async def attention(self, request: AttentionRequest) -> list[InspectedPair]:
        """Attention maps for every text of a request, in order."""

    async def score(self, request: ScoreRequest) -> list[ScoredPair]:
        """Log-probabilities of given translations, in order."""

    def close(self) -> None:
        """Give up what waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """All of it."""

    catalogue: Catalogue
    translator: TranslationBackend
    reloader: Reloading
