"""Puts the service together; what it does is elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI

from service.admission import AdmissionLimits
from service.api import attention, deepl, files, languages, native, operations, pages, score
from service.api.dependencies import Parts
from service.api.gate import Gate
from service.api.keys import load_api_keys
from service.api.middleware import (
    BodyLimitMiddleware,
    ObservationMiddleware,
    RequestIdMiddleware,
)
from service.api.problems import add_exception_handlers
from service.api.uploads import FORM_BYTES
from service.cpu_quota import available_cpus
from service.file_jobs import FileJobLimits, FileJobs
from service.registry import Registry, RegistryOptions
from service.scheduler import SchedulerOptions
from service.settings import Settings
from service.telemetry import Metrics
from service.translator import Translator


def open_registry(settings: Settings, metrics: Metrics) -> Registry:
    """Load the bundles that `settings` name.

    Raises:
        StartupError: A bundle does not pass.
    """
    limits = AdmissionLimits(
        max_queued_jobs=settings.max_queued_jobs, max_queued_tokens=settings.max_queued_tokens
    )
    scheduler = SchedulerOptions(
        num_workers=settings.workers or max(1, available_cpus() // settings.threads_per_worker),
        slots_per_worker=settings.slots_per_worker,
        encoder_tokens_per_turn=settings.encoder_tokens_per_turn,
        limits=limits,
    )
    options = RegistryOptions(
        scheduler=scheduler,
        threads_per_worker=settings.threads_per_worker,
        canary_interval_s=settings.canary_interval_s,
        max_silence_s=settings.max_silence_s,
    )
    return Registry.open(settings.bundles, options, metrics)


def create_translator(settings: Settings, registry: Registry, metrics: Metrics) -> Translator:
    """What translates with the models of `registry`; the caller closes it."""
    return Translator(
        registry,
        metrics,
        max_attention_cells=settings.max_attention_cells,
        max_attention_runs=settings.max_attention_runs,
    )


def create_file_jobs(settings: Settings, translator: Translator) -> FileJobs:
    """What translates files with `translator`; the caller closes it."""
    limits = FileJobLimits(
        max_jobs=settings.max_file_jobs,
        max_stored_bytes=settings.max_stored_bytes,
        lifetime_s=settings.file_lifetime_s,
        timeout_s=settings.file_timeout_s,
    )
    return FileJobs(translator.translate, limits, folder=settings.file_folder)


def create_app(settings: Settings, registry: Registry, metrics: Metrics) -> FastAPI:
    """The web application; it starts the registry when it starts, and closes it at its end."""
    app = FastAPI(
        title="Pellucid",
        version=_version(),
        summary="A self-hosted translation service you can see through",
        lifespan=_lifespan,
        openapi_url=None,  # served by `pages`, beside the page that shows it
        redirect_slashes=False,
        # FastAPI would report requests, with texts in their addresses, to whoever the environment
        # names: see decision 10.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    translator = create_translator(settings, registry, metrics)
    app.state.parts = Parts(
        settings=settings,
        registry=registry,
        translator=translator,
        files=create_file_jobs(settings, translator),
        metrics=metrics,
        gate=Gate(metrics),
        keys=load_api_keys(settings),
    )
    add_exception_handlers(app)
    for module in (native, languages, files, attention, score, deepl, operations, pages):
        app.include_router(module.router)
    app.include_router(deepl.router, prefix="/deepl", include_in_schema=False)
    # The last one added is the outermost.
    app.add_middleware(
        BodyLimitMiddleware,
        max_body_bytes=settings.max_body_bytes,
        other_limits={"/translate_file": settings.max_file_bytes + FORM_BYTES},
    )
    app.add_middleware(ObservationMiddleware, metrics=metrics)
    app.add_middleware(RequestIdMiddleware)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts: Parts = app.state.parts
    await asyncio.to_thread(parts.registry.start)
    try:
        yield
    finally:
        parts.gate.close()
        await parts.files.close()
        parts.translator.close()
        await asyncio.to_thread(parts.registry.close)


def _version() -> str:
    try:
        return version("pellucid")
    except PackageNotFoundError:  # run from its folder, as in the image
        return "unreleased"
