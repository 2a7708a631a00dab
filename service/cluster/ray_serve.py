"""The service on a Ray cluster: a gateway, and one autoscaling engine deployment per bundle.

    serve run service.cluster.ray_serve:build

Knows Ray and nothing of translation; gateway and engine are `service.cluster`'s.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator
from ray import serve
from ray.exceptions import NodeDiedError, ObjectLostError, RayActorError, WorkerCrashedError
from ray.serve.exceptions import ReplicaUnavailableError
from ray.serve.handle import DeploymentHandle

from bundle.reader import Bundle, read_bundle
from service.cluster.engine import Engine
from service.cluster.gateway import create_gateway
from service.cluster.remote import LostEngineError
from service.models.discovery import read_bundles
from service.settings import Settings, load_settings

_LOST = (
    NodeDiedError,
    ObjectLostError,
    RayActorError,
    ReplicaUnavailableError,
    WorkerCrashedError,
)
_MAX_CALLS = 10_000
"""Calls that Ray passes to a replica at once: practically all, because the engine's own queue is
fair, answers 429 with `Retry-After`, and drops requests whose client left; Ray's does not."""
_HEALTH_CHECK_PERIOD_S = 5.0

_log = logging.getLogger(__name__)


class RayOptions(BaseModel):
    """Arguments of `serve run`, and of `args` in a Serve configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    settings: dict[str, Any] = Field(default_factory=dict)
    """Settings by name, as the flags of `pellucid serve`; others come from the environment."""
    cpus_per_engine: PositiveInt = 1
    """CPUs, and workers, of a replica."""
    min_engines: PositiveInt = 1
    """Minimum replicas of each bundle."""
    max_engines: PositiveInt = 4
    """Maximum replicas of each bundle."""
    requests_per_engine: PositiveFloat = 8.0
    """Target number of concurrent requests per replica, by which Serve scales."""
    autoscaling: dict[str, Any] = Field(default_factory=dict)
    """Further fields of Serve's `autoscaling_config`, such as `downscale_delay_s`."""
    gateways: PositiveInt = 1
    """Replicas of the gateway. Each stores the translated files of its own requests only."""

    @model_validator(mode="before")
    @classmethod
    def _rename_doors(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Accept the former name of `gateways`, with a warning."""
        if "doors" not in given:
            return given
        if "gateways" in given:
            raise ValueError("doors and gateways are the same option: remove doors")
        _log.warning("%s is deprecated: use %s", "doors", "gateways")
        return {"gateways" if name == "doors" else name: value for name, value in given.items()}


def build(options: RayOptions) -> serve.Application:
    """The application: a gateway, and an engine for each bundle.

    Raises:
        StartupError: A setting or a bundle cannot be used.
    """
    settings = load_settings(options.settings)
    if settings.workers is None:
        settings = settings.model_copy(update={"workers": options.cpus_per_engine})
    engines = {
        str(bundle.path): _engine(bundle, settings, options)
        for bundle in read_bundles(settings.bundles)
    }
    gateway = serve.deployment(
        _Gateway,
        name="gateway",
        num_replicas=options.gateways,
        max_ongoing_requests=_MAX_CALLS,
        graceful_shutdown_timeout_s=settings.drain_s,
        logging_config=_logging(settings),
    )
    return gateway.bind(settings, engines)


def _engine(bundle: Bundle, settings: Settings, options: RayOptions) -> serve.Application:
    deployment = serve.deployment(
        _Replica,
        name=f"engine-{bundle.manifest.name}",
        ray_actor_options={"num_cpus": options.cpus_per_engine},
        max_ongoing_requests=_MAX_CALLS,
        autoscaling_config={
            "min_replicas": options.min_engines,
            "max_replicas": options.max_engines,
            "target_ongoing_requests": options.requests_per_engine,
            **options.autoscaling,
        },
        health_check_period_s=_HEALTH_CHECK_PERIOD_S,
        graceful_shutdown_timeout_s=settings.drain_s,
        logging_config=_logging(settings),
    )
    return deployment.bind(settings, bundle.path)


def _logging(settings: Settings) -> dict[str, Any]:
    # Ray's access log would repeat the request log of the gateway.
    return {"log_level": settings.log_level.upper(), "enable_access_log": False}


class _Replica(Engine):
    """An engine with the methods that Ray Serve calls."""

    async def check_health(self) -> None:
        """Raise if unhealthy; Serve then replaces the replica."""
        if fault := await self.fault():
            raise RuntimeError(fault)

    def __del__(self) -> None:
        """Close; Serve deletes a replica that has finished its calls."""
        self.close()


@serve.ingress()
class _Gateway:
    """Builds the application in the process of a gateway replica."""

    def __init__(self, settings: Settings, engines: Mapping[str, DeploymentHandle]) -> None:
        self._settings = settings
        self._engines = engines

    def __serve_build_asgi_app__(self) -> FastAPI:
        transports = [
            (read_bundle(Path(folder)), RayTransport(handle))
            for folder, handle in self._engines.items()
        ]
        return create_gateway(self._settings, transports)


class RayTransport:
    """Remote procedure calls to the replicas of a deployment."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle
        self._streaming = handle.options(stream=True)

    async def ask(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - as the method
        """Returns the answer of a method.

        Raises:
            LostEngineError: The replica is gone.
        """
        response = getattr(self._handle, method).remote(*arguments)
        try:
            return await response
        except asyncio.CancelledError:
            response.cancel()
            raise
        except _LOST as error:
            raise LostEngineError(str(error)) from error

    async def stream(self, method: str, *arguments: object) -> AsyncIterator[Any]:
        """Yields the answers of a streaming method.

        Raises:
            LostEngineError: The replica is gone.
        """
        response = getattr(self._streaming, method).remote(*arguments)
        try:
            async for answer in response:
                yield answer
        except (asyncio.CancelledError, GeneratorExit):
            response.cancel()
            raise
        except _LOST as error:
            raise LostEngineError(str(error)) from error
