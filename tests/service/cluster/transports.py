"""Ways to an engine without a cluster: everything is pickled, and replicas are lost on demand."""

import asyncio
import pickle
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from service.cluster.engine import Engine
from service.cluster.remote import LostEngineError
from service.settings import Settings
from tests.service.tiny_models import TINY_BUNDLE

T = TypeVar("T")


def tiny_engine(settings: Settings | None = None) -> Engine:
    return Engine(settings or Settings(workers=1), TINY_BUNDLE)


def copied(value: T) -> T:
    """What arrives in another process."""
    copy: T = pickle.loads(pickle.dumps(value))
    return copy


@dataclass(slots=True, kw_only=True)
class PickledTransport:
    """The way to one engine in this process."""

    engine: Engine
    calls: list[Any] = field(default_factory=list)
    """What was asked, with the name of the method."""
    num_losses: int = 0
    """Replicas that are lost with what they are asked next."""
    num_parts_before_loss: int = 0
    """Of a stream."""

    async def ask(self, method: str, *arguments: object) -> object:
        self.calls.append((method, *arguments))
        if self.num_losses:
            self.num_losses -= 1
            raise LostEngineError("its node has gone")
        return copied(await getattr(self.engine, method)(*copied(arguments)))

    async def stream(self, method: str, *arguments: object) -> AsyncIterator[Any]:
        self.calls.append((method, *arguments))
        parts = getattr(self.engine, method)(*copied(arguments))
        num_parts = 0
        async for part in parts:
            if self.num_losses and num_parts == self.num_parts_before_loss:
                self.num_losses -= 1
                raise LostEngineError("its node has gone")
            num_parts += 1
            yield copied(part)


@dataclass(slots=True)
class SilentTransport:
    """Nobody answers; says who has given up."""

    num_cancelled: int = 0

    async def ask(self, method: str, *arguments: object) -> object:
        try:
            return await asyncio.Future[object]()
        except asyncio.CancelledError:
            self.num_cancelled += 1
            raise

    async def stream(self, method: str, *arguments: object) -> AsyncIterator[Any]:
        await self.ask(method, *arguments)
        yield None
