"""What the API stands on: models in this process, or engines elsewhere in a cluster."""

from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from bundle.reader import Bundle
from service.reload import Reload
from service.routes import Routes
from service.text.detection import Detection
from service.translation import (
    AttentionRequest,
    InspectedPair,
    ScoredPair,
    ScoreRequest,
    StreamedSentence,
    TranslateRequest,
    TranslateResult,
)


class ServedModel(Protocol):
    """A bundle that is served, wherever it runs."""

    @property
    def name(self) -> str:
        """The bundle's name."""

    @property
    def bundle(self) -> Bundle:
        """What it says of itself."""

    @property
    def fault(self) -> str | None:
        """Why it cannot serve, as last seen; None if it can."""


class Catalogue(Protocol):
    """All models that are served."""

    @property
    def models(self) -> Sequence[ServedModel]:
        """In the order in which they were given."""

    @property
    def routes(self) -> Routes:
        """What can be translated to what."""

    @property
    def is_busy(self) -> bool:
        """Whether this process translates a sentence, or has one waiting."""

    def unready_reason(self) -> str | None:
        """Why requests should go elsewhere, None if they should come."""

    def start(self) -> None:
        """Begin to serve."""

    def close(self) -> None:
        """Stop everything."""


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


class Reloading(Protocol):
    """What replaces bundles while the service runs."""

    def request(self) -> Future[Reload]:
        """Ask for a reload; whoever asks before it has begun shares it."""

    def close(self) -> None:
        """Begin no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """All of it."""

    catalogue: Catalogue
    translator: TranslationBackend
    reloader: Reloading
