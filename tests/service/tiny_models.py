"""The tiny bundle, run for real: what tests of the translator and the registry stand on."""

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bundle.manifest import MANIFEST_NAME, LanguagePair
from bundle.reader import Bundle, read_bundle
from service.models.loaded_model import LoadedModel, RegistryOptions
from service.models.registry import Registry, ServedPair
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.limits import AdmissionLimits
from service.scheduling.scheduler import SchedulerOptions
from service.translation.translator import Translator

TINY_BUNDLE = Path(__file__).parents[1] / "data" / "tiny-bundle"


def tiny_bundle() -> Bundle:
    return read_bundle(TINY_BUNDLE)


def altered_copy(folder: Path, **changes: object) -> Path:
    """A copy of the tiny bundle in `folder` whose manifest says something else."""
    shutil.copytree(TINY_BUNDLE, folder)
    manifest = json.loads((folder / MANIFEST_NAME).read_bytes())
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest | changes), encoding="utf-8")
    return folder


def renamed_copy(folder: Path, source: str, target: str) -> Path:
    """A copy that claims to translate between other languages."""
    pair = {"source": source, "target": target}
    canary = tiny_bundle().manifest.canary.model_dump(mode="json") | {"pair": pair}
    return altered_copy(folder, name=f"{source}-{target}", pairs=[pair], canary=canary)


@dataclass(slots=True, kw_only=True)
class FakeClock:
    """Time that passes when a test says so."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A registry and a translator on the tiny bundle."""

    registry: Registry
    translator: Translator
    metrics: Metrics = field(repr=False)

    @property
    def model(self) -> LoadedModel:
        return self.registry.models[0]

    @property
    def pair(self) -> LanguagePair:
        return self.model.bundle.manifest.pairs[0]

    def counted(self, metric: str, /, **labels: str) -> float:
        """Value of a metric; 0 if nothing was counted yet."""
        return self.metrics.registry.get_sample_value(f"pellucid_{metric}", labels) or 0.0


@contextmanager
def leased(registry: Registry, source: str, target: str) -> Iterator[ServedPair]:
    """A lease outside an event loop."""
    with asyncio.Runner() as runner:
        lease = registry.lease(source, target)
        found = runner.run(_entered(lease))
        try:
            yield found
        finally:
            runner.run(_left(lease))


async def _entered(lease: AbstractAsyncContextManager[ServedPair]) -> ServedPair:
    return await lease.__aenter__()


async def _left(lease: AbstractAsyncContextManager[ServedPair]) -> None:
    await lease.__aexit__(None, None, None)


@contextmanager
def running(
    *,
    folder: Path = TINY_BUNDLE,
    is_started: bool = True,
    limits: AdmissionLimits | None = None,
    max_attention_cells: int = 1_000_000,
    pivots: bool = True,
    clock: Clock = time.monotonic,
) -> Iterator[Running]:
    """Open everything; without `is_started` jobs are accepted and wait."""
    metrics = Metrics()
    scheduler = SchedulerOptions(slots_per_worker=8, limits=limits or AdmissionLimits())
    options = RegistryOptions(scheduler=scheduler, pivots=pivots)
    registry = Registry.open([folder], options, metrics, clock)
    translator = Translator(registry, metrics, max_attention_cells=max_attention_cells, clock=clock)
    try:
        if is_started:
            registry.start()
        yield Running(registry=registry, translator=translator, metrics=metrics)
    finally:
        translator.close()
        registry.close()
