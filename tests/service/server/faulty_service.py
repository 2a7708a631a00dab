"""The whole app on a model with a fault that a test puts in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from service.engine.graphs.sessions import Sessions
from service.models.loaded_model import RegistryOptions, load
from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.scheduling.scheduler import SchedulerOptions
from service.server.app import create_app
from service.settings import load_settings
from tests.service.tiny_models import TINY_BUNDLE


@contextmanager
def serving(
    broken: Callable[[Sessions], Sessions], metrics: Metrics, *, num_workers: int = 2
) -> Iterator[FastAPI]:
    """An app whose models run as `broken` leaves them."""
    scheduler = SchedulerOptions(num_workers=num_workers, slots_per_worker=16)
    options = RegistryOptions(scheduler=scheduler)
    (model,) = Registry.open([TINY_BUNDLE], options, metrics).models
    registry = Registry([load(broken(model.sessions), options, metrics)])
    for faulty in registry.models:
        faulty.scheduler.start()
    try:
        yield create_app(load_settings({}), registry, metrics)
    finally:
        registry.close()
