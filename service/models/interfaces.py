"""The models as the API sees them, wherever they run."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from bundle.reader import Bundle
from service.models.reload import Reload
from service.models.routes import Routes


class ServedModel(Protocol):
    """A served bundle, in this process or elsewhere."""

    @property
    def name(self) -> str:
        """The bundle's name."""

    @property
    def bundle(self) -> Bundle:
        """The bundle itself."""

    @property
    def fault(self) -> str | None:
        """Why it cannot serve, as last seen; None if it can."""


class ModelRegistry(Protocol):
    """All served models."""

    @property
    def models(self) -> Sequence[ServedModel]:
        """In the order given."""

    @property
    def routes(self) -> Routes:
        """Which languages can be translated to which."""

    @property
    def is_busy(self) -> bool:
        """Whether a sentence is being translated or waits in this process."""

    def unready_reason(self) -> str | None:
        """Why no requests should be sent here; None: ready."""

    def start(self) -> None:
        """Start serving."""

    def close(self) -> None:
        """Stop everything."""


class Reloading(Protocol):
    """Replaces bundles while the service runs."""

    def request(self) -> Future[Reload]:
        """Request a reload; requests made before it starts share it."""

    def close(self) -> None:
        """Accept no more requests."""
