"""Builds models, translator and file jobs from the settings; knows nothing of HTTP."""

import tempfile
import time
from pathlib import Path

from bundle.verified import VerifiedFiles
from service.documents.jobs.admission import FileJobLimits
from service.documents.jobs.file_jobs import FileJobs
from service.documents.processes.pool import DocumentLimits, DocumentPool
from service.errors import StartupError
from service.inspection.throttle import Throttle, ThrottleLimits
from service.models.loaded_model import ENGINE_BYTES, RegistryOptions, ResidencyOptions
from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.observability.tracing import Tracing
from service.scheduling.limits import AdmissionLimits
from service.scheduling.scheduler import EnginesElsewhere, SchedulerOptions
from service.scheduling.single_flight import SharingOptions
from service.scheduling.workers.look_ahead import LookAhead
from service.server.cpu_quota import available_cpus
from service.settings import Settings
from service.translation.memory.client_memory import ClientMemory, ClientMemoryLimits
from service.translation.memory.translation_memory import TranslationMemory
from service.translation.text_limits import TextLimits
from service.translation.translator import Translator


def open_registry(
    settings: Settings, metrics: Metrics, elsewhere: EnginesElsewhere | None = None
) -> Registry:
    """Load the bundles of `settings`, for engines on this machine unless others are given.

    Raises:
        StartupError: A bundle fails its checks.
    """
    return Registry.open(settings.bundles, registry_options(settings, elsewhere), metrics)


def _verified_files(settings: Settings) -> VerifiedFiles | None:
    folder = settings.cache_folder or settings.user_cache
    return None if folder is None else VerifiedFiles(folder / "verified")


def _residency_options(settings: Settings) -> ResidencyOptions | None:
    """How long bundles stay loaded; None: they are loaded at the start, and stay.

    Raises:
        StartupError: The settings contradict each other.
    """
    if settings.load == "start":
        if settings.unload_after_s is not None or settings.model_memory_mb is not None:
            raise StartupError(
                "--unload-after-s and --model-memory-mb unload bundles, which are loaded again at "
                "their next use: add --load first_use"
            )
        return None
    budget_mb = settings.model_memory_mb
    return ResidencyOptions(
        unload_after_s=settings.unload_after_s,
        budget_bytes=None if budget_mb is None else budget_mb * 1_000_000,
        engine_bytes=ENGINE_BYTES if num_engines(settings) else 0,
    )


def _num_workers(settings: Settings) -> int:
    return settings.workers or max(1, available_cpus() // settings.threads_per_worker)


def num_engines(settings: Settings) -> int:
    """Engine processes of each bundle; 0: threads decode."""
    return _num_workers(settings) if settings.engines is None else settings.engines


def registry_options(
    settings: Settings, elsewhere: EnginesElsewhere | None = None
) -> RegistryOptions:
    """How `settings` run each bundle.

    Raises:
        StartupError: They contradict each other.
    """
    limits = AdmissionLimits(
        max_queued_jobs=settings.max_queued_jobs,
        max_queued_tokens=settings.max_queued_tokens,
        max_queued_jobs_per_client=settings.max_queued_jobs_per_client,
        max_queued_tokens_per_client=settings.max_queued_tokens_per_client,
    )
    scheduler = SchedulerOptions(
        num_engines=0 if elsewhere else num_engines(settings),
        num_workers=_num_workers(settings),
        elsewhere=elsewhere,
        engine_timeout_s=settings.watchdog_timeout_s,
        slots_per_worker=settings.slots_per_worker,
        look_ahead=LookAhead(num_tokens_contested=settings.encoder_tokens_per_turn),
        client_share=settings.client_share,
        limits=limits,
        sharing=SharingOptions(
            shares_runs=settings.share_runs, cache_bytes=settings.result_cache_bytes
        ),
    )
    return RegistryOptions(
        scheduler=scheduler,
        threads_per_worker=settings.threads_per_worker,
        canary_interval_s=settings.canary_interval_s,
        heartbeat_timeout_s=settings.heartbeat_timeout_s,
        pivots=settings.pivot,
        verified=_verified_files(settings),
        residency=_residency_options(settings),
    )


def create_translator(
    settings: Settings, registry: Registry, metrics: Metrics, tracing: Tracing | None = None
) -> Translator:
    """A translator with the models of `registry`; the caller closes it.

    Raises:
        StartupError: The translation memory cannot be used.
    """
    path = settings.memory
    return Translator(
        registry,
        metrics,
        max_attention_cells=settings.max_attention_cells,
        max_inline_chars=settings.inline_chars,
        limits=TextLimits(
            max_sentences=settings.max_sentences, max_fragments=settings.max_fragments
        ),
        tracing=tracing,
        memory=None if path is None else TranslationMemory(path, settings.memory_timeout_s),
    )


def create_throttle(settings: Settings, registry: Registry) -> Throttle:
    """The throttle of inspections beside the translations of `registry`."""
    limits = ThrottleLimits(max_turns=settings.max_attention_runs, share=settings.attention_share)
    return Throttle(limits, lambda: registry.is_busy, time.monotonic)


def create_file_jobs(settings: Settings, translator: Translator) -> FileJobs:
    """The store of file jobs that `translator` translates; the caller closes it.

    Raises:
        StartupError: Its folder cannot be written.
    """
    if settings.file_folder is not None:
        _check_folder(settings.file_folder)
    limits = FileJobLimits(
        max_jobs=settings.max_file_jobs,
        max_stored_bytes=settings.max_stored_bytes,
        lifetime_s=settings.file_lifetime_s,
        timeout_s=settings.file_timeout_s,
    )
    pool = DocumentPool(
        DocumentLimits(
            max_memory_bytes=settings.max_document_memory_bytes,
            max_cpu_s=settings.document_cpu_timeout_s,
        )
    )
    return FileJobs(translator.translate, limits, pool, folder=settings.file_folder)


def create_client_memory(settings: Settings) -> ClientMemory | None:
    """What clients may write to the translation memory; None: nothing.

    Raises:
        StartupError: There is no memory.
    """
    if not settings.client_memory:
        return None
    if settings.memory is None:
        raise StartupError("--client-memory lets clients write to a memory: add --memory FILE")
    limits = ClientMemoryLimits(
        max_units=settings.max_memory_units,
        max_bytes=settings.max_memory_bytes,
        max_share=settings.max_memory_share,
    )
    return ClientMemory(settings.memory, limits)


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StartupError(f"--file-folder: {folder} cannot be written: {error}") from error
