"""What the API needs to know of the models that are served, wherever they run."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from bundle.reader import Bundle
from service.models.reload import Reload
from service.models.routes import Routes


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


class ModelRegistry(Protocol):
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


class Reloading(Protocol):
    """What replaces bundles while the service runs."""

    def request(self) -> Future[Reload]:
        """Ask for a reload; whoever asks before it has begun shares it."""

    def close(self) -> None:
        """Begin no other."""
