"""Builds the application from its parts; contains no behaviour of its own."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI

from service.api.auth.api_keys import load_api_keys
from service.api.deepl import documents as deepl_documents
from service.api.deepl import glossaries as deepl_glossaries
from service.api.deepl import routes as deepl
from service.api.dependencies import Parts
from service.api.dialects import deeplx, immersive, kiss, mtran, plain
from service.api.dialects.google import cloud as google_cloud
from service.api.dialects.google import web as google_web
from service.api.glossaries.glossaries import Glossaries, GlossaryLimits
from service.api.middleware.allowed_hosts import AllowedHostsMiddleware
from service.api.middleware.body_limit import BodyLimitMiddleware, BodyLimits
from service.api.middleware.forwarded import ForwardedMiddleware
from service.api.middleware.held_bytes import HeldBytes, HeldBytesMiddleware
from service.api.middleware.paced_refusals import PacedRefusalsMiddleware
from service.api.middleware.reply_headers import ReplyHeadersMiddleware, allow_origins
from service.api.middleware.request_limit import RequestLimit, RequestLimitMiddleware
from service.api.middleware.request_log import ObservationMiddleware
from service.api.middleware.trace import TraceMiddleware
from service.api.native import (
    attention,
    compare,
    files,
    languages,
    memory,
    score,
    suggest,
    translate,
)
from service.api.native.files import FORM_BYTES
from service.api.openapi import DescribedApp, operation_id
from service.api.operations import admin, pages, probes
from service.api.refusals.pace import PaceLimits, RefusalPace
from service.api.refusals.problems import add_exception_handlers
from service.api.requests.direct_route import RouteFinder
from service.api.requests.host_names import ANY_HOST, is_loopback
from service.api.requests.in_flight import InFlight
from service.api.suggestions import SuggestionFile
from service.models.registry import Registry
from service.models.reload import Reloader
from service.observability.metrics import Metrics
from service.observability.tracing import open_tracing
from service.scheduling.scheduler import EnginesElsewhere
from service.server.connections.head_requests import HeadRequestsMiddleware
from service.server.garbage import collect_old_garbage
from service.server.loop_lag import measure_loop_lag
from service.server.parts import (
    create_client_memory,
    create_file_jobs,
    create_throttle,
    create_translator,
    registry_options,
)
from service.settings import Settings
from service.translation.text_thread import TextThread

_ROUTINE_PATHS = ("/livez", "/readyz", "/health", "/metrics")
"""Requested every few seconds: not traced."""
_FILE_PATHS = ("/translate_file", "/v2/document", "/deepl/v2/document", "/memory")
"""Their bodies have a file."""
_PROBE_PATHS = ("/livez", "/readyz", "/health")


def glossary_limits(settings: Settings) -> GlossaryLimits:
    """How many glossaries `settings` allow a key."""
    return GlossaryLimits(
        max_glossaries=settings.max_glossaries,
        max_bytes=settings.max_glossary_bytes,
        timeout_s=settings.key_store_timeout_s,
    )


def _suggestions(settings: Settings) -> SuggestionFile | None:
    path = settings.suggestion_file
    return None if path is None else SuggestionFile(path)


def create_app(
    settings: Settings,
    registry: Registry,
    metrics: Metrics,
    elsewhere: EnginesElsewhere | None = None,
    *,
    reload_refusal: str | None = None,
) -> FastAPI:
    """The web application over the models of `registry`, which it starts and closes.

    Args:
        settings: All settings.
        registry: Opened with the same settings.
        metrics: Those of the registry.
        elsewhere: The engines of the registry, if they are not on this machine.
        reload_refusal: Why bundles cannot be replaced while this runs; None: they can.

    Raises:
        StartupError: A setting needs a package that is not installed.
    """
    app = _described_app()
    app.state.parts = _parts(settings, registry, metrics, elsewhere, reload_refusal)
    _add_routes(app, settings)
    _add_middleware(app, app.state.parts, is_alone=elsewhere is None)
    return app


def _described_app() -> FastAPI:
    return DescribedApp(
        title="Pellucid",
        version=release(),
        summary="A self-hosted translation service you can see through",
        lifespan=_lifespan,
        generate_unique_id_function=operation_id,
        openapi_url=None,  # served by `pages`, beside the page that shows it
        redirect_slashes=False,
        # FastAPI would send requests, with texts in their addresses, to the collector that the
        # environment names: see decision 10.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )


def _parts(
    settings: Settings,
    registry: Registry,
    metrics: Metrics,
    elsewhere: EnginesElsewhere | None,
    reload_refusal: str | None,
) -> Parts:
    tracing = open_tracing(settings.otel_endpoint, release())
    translator = create_translator(settings, registry, metrics, tracing)
    options = registry_options(settings, elsewhere)
    keys = load_api_keys(settings, metrics)
    in_flight = InFlight(metrics, settings.max_requests)
    return Parts(
        settings=settings,
        registry=registry,
        reloader=Reloader(registry, settings.bundles, options, metrics, refusal=reload_refusal),
        translator=translator,
        throttle=create_throttle(settings, registry),
        files=create_file_jobs(settings, translator),
        metrics=metrics,
        tracing=tracing,
        in_flight=in_flight,
        request_limit=RequestLimit(settings.max_requests, metrics, time.monotonic),
        refusal_pace=RefusalPace(PaceLimits(max_per_s=settings.max_refusals_per_s), time.monotonic),
        held_bytes=HeldBytes(settings.max_bodies_bytes, metrics),
        keys=keys,
        glossaries=Glossaries(keys.store, glossary_limits(settings)),
        suggestions=_suggestions(settings),
        memory=create_client_memory(settings),
        reply_thread=TextThread(settings.inline_chars, lambda: in_flight.has_several),
    )


def _add_routes(app: FastAPI, settings: Settings) -> None:
    add_exception_handlers(app)
    deepl_modules = deepl, deepl_documents, deepl_glossaries
    native = translate, languages, files, attention, score, compare, suggest, memory
    for module in (*native, *deepl_modules, probes):
        app.include_router(module.router)
    for dialect in (deeplx, immersive, kiss, mtran, plain):
        app.include_router(dialect.router)
    if settings.pages:
        app.include_router(pages.router)
    if settings.admin_token is not None:
        app.include_router(admin.router)
    for module in deepl_modules:
        app.include_router(module.router, prefix="/deepl", include_in_schema=False)
    for google in (google_cloud, google_web):
        app.include_router(google.router, prefix="/google")
    # KOReader keeps the host of a server's address and sets the path itself.
    app.include_router(google_web.router, include_in_schema=False)
    app.router.middleware_stack = RouteFinder(app.router)


def _add_middleware(app: FastAPI, parts: Parts, *, is_alone: bool) -> None:
    """Wrap the routes.

    Args:
        app: The application.
        parts: What it is made of.
        is_alone: Whether its engines are on this machine.
    """
    settings, metrics = parts.settings, parts.metrics
    # The last one added is the outermost.
    app.add_middleware(
        BodyLimitMiddleware,
        limits=BodyLimits(
            max_bytes=settings.max_body_bytes,
            timeout_s=settings.body_timeout_s,
            other_max_bytes=dict.fromkeys(_FILE_PATHS, settings.max_file_bytes + FORM_BYTES),
        ),
        held_bytes=parts.held_bytes,
        metrics=metrics,
    )
    app.add_middleware(HeldBytesMiddleware, held_bytes=parts.held_bytes, exempt=_ROUTINE_PATHS)
    allow_origins(app, settings.cors_origins)
    # Where engines are elsewhere, the cluster listens, not this process.
    is_local_only = is_alone and is_loopback(settings.host)
    checks_hosts = settings.allowed_hosts or (is_local_only and not parts.keys.are_required)
    if checks_hosts and ANY_HOST not in settings.allowed_hosts:
        app.add_middleware(
            AllowedHostsMiddleware, allowed=settings.allowed_hosts, exempt=_PROBE_PATHS
        )
    app.add_middleware(ObservationMiddleware, metrics=metrics)
    app.add_middleware(RequestLimitMiddleware, limit=parts.request_limit)
    app.add_middleware(
        PacedRefusalsMiddleware,
        pace=parts.refusal_pace,
        in_flight=parts.in_flight,
        probes=_PROBE_PATHS,
    )
    app.add_middleware(TraceMiddleware, tracing=parts.tracing, untraced=_ROUTINE_PATHS)
    app.add_middleware(ReplyHeadersMiddleware)
    app.add_middleware(ForwardedMiddleware, trusted_hosts=settings.trusted_proxies)
    if not is_alone:  # as connections of `pellucid serve` do
        app.add_middleware(HeadRequestsMiddleware)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts: Parts = app.state.parts
    await asyncio.to_thread(parts.registry.start)
    await parts.files.start()
    works = (
        parts.translator.warm(),
        measure_loop_lag(parts.metrics.loop_lag_seconds.observe),
        collect_old_garbage(lambda: parts.in_flight.is_empty),
    )
    background = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in background:
            task.cancel()
        parts.in_flight.close()
        await parts.files.close()
        await parts.keys.close()
        parts.translator.close()
        if parts.memory is not None:
            parts.memory.close()
        parts.reply_thread.close()
        parts.reloader.close()
        await asyncio.to_thread(parts.registry.close)
        await asyncio.to_thread(parts.tracing.close)


def release() -> str:
    """Version of this service."""
    try:
        return version("pellucid")
    except PackageNotFoundError:  # run from its folder, as in the image
        return "unreleased"
