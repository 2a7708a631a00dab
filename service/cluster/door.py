"""The application whose models run elsewhere."""

from collections.abc import Iterable

from fastapi import FastAPI

from bundle.reader import Bundle
from service.api.backend import Backend
from service.app import create_app_over, release
from service.cluster.call import Channel
from service.cluster.remote_catalogue import RemoteCatalogue
from service.cluster.remote_engine import RemoteEngine
from service.cluster.remote_model import RemoteModel
from service.cluster.remote_reloader import RemoteReloader
from service.cluster.remote_translator import RemoteTranslator
from service.observability.logs import configure_logging
from service.observability.metrics import Metrics
from service.observability.tracing import open_tracing
from service.settings import Settings


def create_door(settings: Settings, channels: Iterable[tuple[Bundle, Channel]]) -> FastAPI:
    """What answers HTTP, and sends each text to the engines of its bundle.

    Raises:
        StartupError: A setting needs what is not installed.
    """
    configure_logging(settings.log_level)
    metrics = Metrics()
    tracing = open_tracing(settings.otel_endpoint, release())
    catalogue = RemoteCatalogue(
        [RemoteModel(bundle, RemoteEngine(channel, metrics)) for bundle, channel in channels]
    )
    backend = Backend(
        catalogue=catalogue,
        translator=RemoteTranslator(catalogue, metrics),
        reloader=RemoteReloader(),
    )
    return create_app_over(backend, settings, metrics, tracing)
