"""The service on a Ray cluster: the same application as the door, an autoscaling engine a bundle.

    serve run service.cluster.ray_serve:build

Knows Ray and nothing of translation; what runs on it is in `service.cluster`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt
from ray import serve
from ray.exceptions import NodeDiedError, ObjectLostError, RayActorError, WorkerCrashedError
from ray.serve.exceptions import ReplicaUnavailableError
from ray.serve.handle import DeploymentHandle

from bundle.reader import Bundle, read_bundle
from service.cluster.engine import Engine
from service.cluster.gateway import create_door
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
"""Calls that a replica may have at once. Ray's own queues are not to fill: an engine has one that
says 429 and when to come back, shares it fairly, and lets go of who has left."""
_HEALTH_CHECK_PERIOD_S = 5.0


class RayOptions(BaseModel):
    """What `serve run` and a Serve configuration file may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    settings: dict[str, Any] = Field(default_factory=dict)
    """Settings by name, as the flags of `pellucid serve`; the others come from the environment."""
    cpus_per_engine: PositiveInt = 1
    """CPUs of a replica, and its workers."""
    min_engines: PositiveInt = 1
    """Replicas of each bundle that are always there."""
    max_engines: PositiveInt = 4
    """Replicas of each bundle when there is much to do."""
    requests_per_engine: PositiveFloat = 8.0
    """Requests at once that a replica is meant to have: more come, and so does another replica."""
    autoscaling: dict[str, Any] = Field(default_factory=dict)
    """Further fields of Serve's `autoscaling_config`, such as `downscale_delay_s`."""
    doors: PositiveInt = 1
    """Replicas of what speaks HTTP. A translated file is kept by one: several cannot share it."""


def build(options: RayOptions) -> serve.Application:
    """The application: a door, and an engine for each bundle.

    Raises:
        StartupError: A setting or a bundle is no good.
    """
    settings = load_settings(options.settings)
    if settings.workers is None:
        settings = settings.model_copy(update={"workers": options.cpus_per_engine})
    engines = {
        str(bundle.path): _engine(bundle, settings, options)
        for bundle in read_bundles(settings.bundles)
    }
    door = serve.deployment(
        _Door,
        name="door",
        num_replicas=options.doors,
        max_ongoing_requests=_MAX_CALLS,
        graceful_shutdown_timeout_s=settings.drain_s,
        logging_config=_logging(settings),
    )
    return door.bind(settings, engines)


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
    # Ray would write a line for each call, which ours does once for each request.
    return {"log_level": settings.log_level.upper(), "enable_access_log": False}


class _Replica(Engine):
    """An engine as Ray wants it."""

    async def check_health(self) -> None:
        """Called now and then; a replica that fails is replaced."""
        if fault := await self.fault():
            raise RuntimeError(fault)

    def __del__(self) -> None:
        """Called once the replica has no calls left."""
        self.close()


@serve.ingress()
class _Door:
    """The application as Ray wants it."""

    def __init__(self, settings: Settings, engines: Mapping[str, DeploymentHandle]) -> None:
        self._settings = settings
        self._engines = engines

    def __serve_build_asgi_app__(self) -> FastAPI:
        channels = [
            (read_bundle(Path(folder)), RayChannel(handle))
            for folder, handle in self._engines.items()
        ]
        return create_door(self._settings, channels)


class RayChannel:
    """The way to the replicas of a deployment."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle
        self._streaming = handle.options(stream=True)

    async def ask(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - as the method
        """The method's answer.

        Raises:
            LostEngineError: There will be none.
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
        """The method's answers, one by one.

        Raises:
            LostEngineError: There will be no more.
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
