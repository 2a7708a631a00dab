"""The service on a Ray cluster: the application as a Serve deployment, its engines as actors.

    serve run service.cluster.ray_serve:build

Each replica of the deployment is a front with engines of its own, and ends with them.
"""

import logging
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator
from ray import serve

from service.cluster.ray_engine import ActorOptions, RayEngine
from service.errors import StartupError
from service.models.discovery import read_bundles
from service.observability.logs import configure_logging
from service.observability.metrics import Metrics
from service.scheduling.scheduler import EnginesElsewhere
from service.scheduling.workers.scaling import ScalingOptions
from service.server.app import create_app
from service.server.parts import open_registry
from service.settings import Settings, load_settings

DEPLOYMENT = "gateway"
_MAX_CALLS = 10_000
"""Requests that Serve passes to a front at once: practically all, because the front's own queue is
fair, answers 429 with `Retry-After`, and drops requests whose client left; Serve's does not."""
_NO_RELOAD = "the service has several gateways: deploy it with the new bundles"

_log = logging.getLogger(__name__)


class AutoscalingOptions(BaseModel):
    """How soon the number of engines follows the load; named as in Serve's `autoscaling_config`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    upscale_delay_s: PositiveFloat = 30.0
    """How long more engines must be needed before they are started."""
    downscale_delay_s: PositiveFloat = 600.0
    """How long fewer must be enough before some are ended."""


class RayOptions(BaseModel):
    """Arguments of `serve run`, and of `args` in a Serve configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    settings: dict[str, Any] = Field(default_factory=dict)
    """Settings by name, as the flags of `pellucid serve`; others come from the environment."""
    cpus_per_engine: PositiveInt = 1
    """CPUs that the cluster reserves for an engine, and its threads per operator."""
    min_engines: PositiveInt = 1
    """Minimum engines of each bundle and gateway."""
    max_engines: PositiveInt = 4
    """Maximum engines of each bundle and gateway."""
    requests_per_engine: PositiveFloat = 8.0
    """Target number of requests in flight per engine, by which their number follows the load."""
    autoscaling: AutoscalingOptions = Field(default_factory=AutoscalingOptions)
    """How soon it does."""
    gateways: PositiveInt = 1
    """Fronts, each with its own engines, queue and translated files."""

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

    @model_validator(mode="after")
    def _check_bounds(self) -> "RayOptions":
        self.scaling()
        return self

    def scaling(self) -> ScalingOptions:
        """How many engines a bundle has.

        Raises:
            ValueError: The bounds leave no number.
        """
        return ScalingOptions(
            min_engines=self.min_engines,
            max_engines=self.max_engines,
            requests_per_engine=self.requests_per_engine,
            upscale_delay_s=self.autoscaling.upscale_delay_s,
            downscale_delay_s=self.autoscaling.downscale_delay_s,
        )


def build(options: RayOptions) -> serve.Application:
    """The application: fronts, which start the engines of every bundle themselves.

    Raises:
        StartupError: A setting or a bundle cannot be used.
    """
    settings = load_settings(options.settings)
    if "threads_per_worker" not in settings.model_fields_set:
        settings = settings.model_copy(update={"threads_per_worker": options.cpus_per_engine})
    if settings.load != "start":
        raise StartupError(
            "load=first_use is for engines on one machine: those of a cluster follow demand already"
        )
    read_bundles(settings.bundles)  # a fault is said here, not in the log of a replica
    gateway = serve.deployment(
        _Gateway,
        name=DEPLOYMENT,
        num_replicas=options.gateways,
        max_ongoing_requests=_MAX_CALLS,
        graceful_shutdown_timeout_s=settings.drain_s,
        # Ray's access log would repeat the request log.
        logging_config={"log_level": settings.log_level.upper(), "enable_access_log": False},
    )
    return gateway.bind(settings, options)


@serve.ingress()
class _Gateway:
    """Builds the application in the process of a replica."""

    def __init__(self, settings: Settings, options: RayOptions) -> None:
        self._settings = settings
        self._options = options

    def __serve_build_asgi_app__(self) -> FastAPI:
        return create_gateway(self._settings, self._options)


def create_gateway(settings: Settings, options: RayOptions) -> FastAPI:
    """The application of `pellucid serve`, with engines on the cluster.

    Raises:
        StartupError: A bundle fails its checks, or a setting needs a package that is missing.
    """
    configure_logging(settings.log_level)
    metrics = Metrics()
    engines = engines_on_ray(settings, options)
    registry = open_registry(settings, metrics, engines)
    refusal = _NO_RELOAD if options.gateways > 1 else None
    return create_app(settings, registry, metrics, engines, reload_refusal=refusal)


def engines_on_ray(settings: Settings, options: RayOptions) -> EnginesElsewhere:
    """How a front gets its engines."""
    actor = ActorOptions(
        num_slots=settings.slots_per_worker,
        num_threads=settings.threads_per_worker,
        num_cpus=options.cpus_per_engine,
        max_silence_s=settings.watchdog_timeout_s,
    )
    return EnginesElsewhere(
        create=lambda bundle: RayEngine(bundle, actor), scaling=options.scaling()
    )
