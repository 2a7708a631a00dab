"""Models and their translator in this process, for programs that work without a server."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import NotReadyError, StartupError
from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.server.parts import create_translator, open_registry
from service.settings import Settings
from service.translation.language_detection import AUTO
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


async def load_languages(registry: Registry, source: str, target: str) -> None:
    """Load what the languages need, so that a fault is said before any work.

    Raises:
        StartupError: A bundle cannot be used.
        UnsupportedLanguageError: No bundles translate this.
    """
    if source.lower() == AUTO:
        return  # it depends on the text
    try:
        async with registry.lease_routes([(source, target)]):
            pass
    except NotReadyError as error:
        faults = [fault for served in registry.served if (fault := served.fault)]
        raise StartupError("; ".join(faults) or str(error)) from None
