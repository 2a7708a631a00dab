"""Models and their translator in this process, for programs that work without a server."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.server.app import create_translator, open_registry
from service.settings import Settings
from service.translation.translator import Translator


@contextmanager
def running_models(settings: Settings) -> Iterator[tuple[Registry, Translator]]:
    """Running models and their translator, closed on exit.

    Raises:
        StartupError: A setting or a bundle cannot be used.
    """
    metrics = Metrics()
    registry = open_registry(settings, metrics)
    translator = create_translator(settings, registry, metrics)
    try:
        registry.start()
        yield registry, translator
    finally:
        translator.close()
        registry.close()
