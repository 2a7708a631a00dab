"""What travels between the door and an engine, and the way that it takes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from service.inspection.values import AttentionRequest, ScoreRequest
from service.translation.values import TranslateRequest

RequestT = TypeVar("RequestT", bound=TranslateRequest | AttentionRequest | ScoreRequest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[RequestT]):
    """A request, with what an engine's logs need of where it came from."""

    request: RequestT
    request_id: str | None
    trace_id: str | None


class LostEngineError(Exception):
    """The replica that had a call has gone, and its answer with it."""


class Channel(Protocol):
    """The way to the engine of one bundle, whichever of its replicas takes a call.

    Methods are those of `service.cluster.engine.Engine`. A task that is cancelled cancels its call.
    """

    async def ask(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - as the method
        """The method's answer.

        Raises:
            LostEngineError: There will be none.
        """

    def stream(self, method: str, *arguments: object) -> AsyncIterator[Any]:
        """The method's answers, one by one.

        Raises:
            LostEngineError: There will be no more.
        """
