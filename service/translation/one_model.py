"""The one model of a request, which may be without some of its heads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.errors import InvalidRequestError
from service.inspection.selection import check_heads
from service.inspection.values import AttentionRequest, ScoreRequest
from service.models.ablation import AblatedModels
from service.models.registry import Registry, ServedPair
from service.observability.clock import Clock, left_s
from service.observability.metrics import Metrics
from service.translation.language_detection import AUTO
from service.translation.values import TranslateRequest


class OneModel:
    """Leases the model that goes from source to target by itself; used from one event loop."""

    def __init__(self, registry: Registry, metrics: Metrics, clock: Clock) -> None:
        self._registry = registry
        self._ablated = AblatedModels(metrics, clock)
        self._clock = clock

    def close(self) -> None:
        """Closes the models that single requests needed."""
        self._ablated.close()

    @asynccontextmanager
    async def lease(
        self,
        request: TranslateRequest | AttentionRequest | ScoreRequest,
        deadline_s: float | None,
    ) -> AsyncIterator[ServedPair]:
        """The one model for a request, without the heads that it leaves out.

        Args:
            request: Names its source language if it leaves out heads.
            deadline_s: On the clock; None waits for ever.

        Raises:
            ServiceError: See `service.errors`.
        """
        heads = request.without_heads
        if heads and request.source.lower() == AUTO:
            raise InvalidRequestError(
                "Invalid request: without_heads is about one model: name the source language"
            )
        async with self._registry.lease(
            request.source, request.target, timeout_s=left_s(deadline_s, self._clock)
        ) as (model, pair):
            check_heads(heads, model.bundle.manifest.architecture)
            rest_s = left_s(deadline_s, self._clock)
            async with self._ablated.lease(model, heads, timeout_s=rest_s) as found:
                yield found, pair
